"""Reading a job file: YAML or JSON with the field names of `JobSpec`.

Every value keeps the line on which it stands, so that an error can name it. Paths in the file are
relative to the folder of the file, so that a job means the same from wherever it is submitted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ftproviders.errors import ConfigurationError

__all__ = ["JobFileContent", "read_job_file"]

_MAXIMUM_BYTES = 1_000_000  # a job file is a page of text; more is a data file given by mistake
_PATHS = ("training_file", "validation_file")
_DATA_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".parquet")

Place = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JobFileContent:
    """What stands in a job file."""

    file: Path
    values: Mapping[str, Any]
    """Field name -> value; paths are made relative to the file's folder."""
    lines: Mapping[Place, int] = field(default_factory=dict)
    """Path of keys -> line number from 1."""

    def where(self, place: Sequence[object]) -> str:
        """Return ``file:line`` of the value at `place`, or of its nearest parent."""
        keys = tuple(str(part) for part in place)
        while keys and keys not in self.lines:
            keys = keys[:-1]
        line = self.lines.get(keys)
        return f"{self.file}:{line}" if line else str(self.file)


def read_job_file(file: Path) -> JobFileContent:
    """Read a job file and check its keys.

    Args:
        file: The file; YAML, or JSON when its name ends with ``.json``.

    Raises:
        ConfigurationError: It cannot be read, is no mapping, or has an unknown or repeated key.
    """
    text = _text(file)
    try:
        values, lines = _json(file, text) if file.suffix == ".json" else _yaml(file, text)
    except RecursionError as error:
        raise ConfigurationError(
            f"{file} is nested too deeply for a job file.", hint="A job file has three levels."
        ) from error
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"{file} holds a {type(values).__name__}, not a mapping of job settings.",
            hint="Write one `name: value` a line, for instance `provider: NAME`.",
        )
    content = JobFileContent(file=file, values=values, lines=lines)
    _check_keys(content)
    anchored = {
        name: _anchored(value, file.parent) if name in _PATHS else value
        for name, value in values.items()
    }
    return JobFileContent(file=file, values=anchored, lines=lines)


def _text(file: Path) -> str:
    if file.suffix.lower() in _DATA_SUFFIXES:
        raise ConfigurationError(
            f"{file} is a data file, not a job file.", hint=f"Write --training-file {file}."
        )
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAXIMUM_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"Job file {file} cannot be read: {error.strerror}.", hint="Check its name and place."
        ) from error
    if len(raw) > _MAXIMUM_BYTES:
        raise ConfigurationError(
            f"{file} is too long for a job file (over {_MAXIMUM_BYTES:,} bytes).",
            hint="Data files are named with --training-file.",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{file} is not UTF-8 text (byte {error.start + 1}).", hint="Save it as UTF-8."
        ) from error


def _anchored(value: object, folder: Path) -> object:
    return str(folder / Path(value).expanduser()) if isinstance(value, str) and value else value


# --- YAML -----------------------------------------------------------------------------------------


def _yaml(file: Path, text: str) -> tuple[Any, dict[Place, int]]:
    import yaml

    lines: dict[Place, int] = {}
    try:
        loader = _loader_class()(text)
        node = loader.get_single_node()
        if node is None:
            return {}, lines
        _walk(file, node, (), lines)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise ConfigurationError(
            f"{place}: not valid YAML: {error.problem or error.context}.",
            hint="Correct that line.",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{file} is not valid YAML: it holds a character that YAML does not allow.",
            hint="Save it as plain UTF-8 text.",
        ) from error


@cache
def _loader_class() -> Any:
    """Return a safe loader that reads ``1e-4`` as a number and leaves dates alone as text."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to say it
            first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
            for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    number = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    return Loader


def _walk(file: Path, node: Any, place: Place, lines: dict[Place, int]) -> None:
    """Write down the line of every key; refuse a key that stands twice, which YAML would hide."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*place, str(index)] = item.start_mark.line + 1
            _walk(file, item, (*place, str(index)), lines)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        below = (*place, str(key.value))
        line = key.start_mark.line + 1
        if below in lines:
            raise _twice(file, line, below, lines[below])
        lines[below] = line
        _walk(file, value, below, lines)


def _twice(file: Path, line: int, place: Place, first: int) -> ConfigurationError:
    return ConfigurationError(
        f"{file}:{line}: {'.'.join(place)} stands there already, on line {first}.",
        hint="Leave one of the two.",
    )


# --- JSON -----------------------------------------------------------------------------------------


def _json(file: Path, text: str) -> tuple[Any, dict[Place, int]]:
    import json

    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{file}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}.",
            hint="Correct that line.",
        ) from error
    lines: dict[Place, int] = {}
    _json_lines(file, text, lines)
    return values, lines


def _json_lines(file: Path, text: str, lines: dict[Place, int]) -> None:
    """Read the text as YAML for the lines alone; where YAML cannot, errors name no line."""
    import yaml

    try:
        node = _loader_class()(text.replace("\t", " ")).get_single_node()
        if node is not None:
            _walk(file, node, (), lines)
    except yaml.YAMLError:
        lines.clear()


# --- keys -----------------------------------------------------------------------------------------


def _check_keys(content: JobFileContent) -> None:
    from ftproviders.schema.hyperparameters import Hyperparameters
    from ftproviders.schema.job import JobSpec

    _check(
        content, (), content.values, list(JobSpec.model_fields), list(Hyperparameters.model_fields)
    )
    nested = content.values.get("hyperparameters")
    if isinstance(nested, dict):
        fields = list(Hyperparameters.model_fields)
        _check(content, ("hyperparameters",), nested, fields, [])


def _check(
    content: JobFileContent,
    place: Place,
    values: Mapping[Any, Any],
    fields: Sequence[str],
    nested: Sequence[str],
) -> None:
    for key in values:
        if key in fields:
            continue
        where = content.where((*place, str(key)))
        if key in nested:
            hint = f"Put {key} under `hyperparameters:`."
        else:
            near = difflib.get_close_matches(str(key), [*fields, *nested], n=1, cutoff=0.5)
            guess = f"Did you mean {near[0]!r}? " if near else ""
            hint = f"{guess}Known here: {', '.join(fields)}."
        name = ".".join((*place, str(key)))
        raise ConfigurationError(f"{where}: there is no setting {name!r}.", hint=hint)
