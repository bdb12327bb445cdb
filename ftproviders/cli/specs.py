"""From job file, flags, an existing job and configuration to one plan.

Order: flag > job file > job of ``--from``; for the provider's name flag > job file > environment >
profile > job of ``--from``. Environment and profile are in `Config`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftproviders.cli import flags as flag_table
from ftproviders.cli.jobfile import JobFileContent, read_job_file
from ftproviders.errors import ConfigurationError

if TYPE_CHECKING:
    from ftproviders.client import FineTuneClient
    from ftproviders.schema.plan import JobPlan

__all__ = ["SpecFlags", "make_plan", "parse_method", "takes_spec"]

_TUNING = (
    "epochs",
    "batch_size",
    "learning_rate",
    "learning_rate_multiplier",
    "lora_r",
    "lora_alpha",
    "lora_dropout",
)
_NAMES = {"epochs": "n_epochs", "model": "base_model", "max_cost": "max_cost_usd"}
_FLAGS = {field: flag for flag, field in _NAMES.items()}
_NEEDED: Mapping[str, tuple[str, str]] = {
    "provider": (
        "provider",
        "Add --provider NAME, or `provider:` to the job file; `ftproviders providers` lists them.",
    ),
    "base_model": (
        "base model",
        "Add --model NAME, or `base_model:` to the job file; `ftproviders models` lists some.",
    ),
    "training_file": (
        "training file",
        "Add --training-file FILE, or `training_file:` to the job file.",
    ),
}
"""Field -> what it is called, and what to do when it is missing."""


@dataclass(frozen=True, kw_only=True)
class SpecFlags:
    """What `plan` and `submit` take on the command line; None = not said."""

    job_file: Path | None = None
    from_ref: str | None = None
    options: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    """Flag name with underscores -> value."""

    @property
    def stated(self) -> dict[str, Any]:
        """The flags that were given."""
        return {name: value for name, value in self.values.items() if value is not None}


def takes_spec(body: Callable[..., int]) -> Callable[..., int]:
    """Give a verb the flags of a job; it gets them as one `SpecFlags` after the session."""

    @functools.wraps(body)
    def command(session: Any, **given: Any) -> int:
        said = {name: given.pop(name) for name, _ in flag_table.SPEC_FLAGS}
        flags = SpecFlags(
            job_file=said.pop("job_file"),
            from_ref=said.pop("from_ref"),
            options=said.pop("option") or (),
            values=said,
        )
        return body(session, flags, **given)

    first, _, *own = inspect.signature(body, eval_str=True).parameters.values()
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # for inspect.signature
        [first, *flag_table.parameters(flag_table.SPEC_FLAGS), *own], return_annotation=int
    )
    return command


def parse_method(text: str) -> str:
    """Return the method's own name for `text`, which may be an alias.

    Raises:
        ConfigurationError: There is no such method.
    """
    from ftproviders import data

    return data.parse_method(text).value


def make_plan(client: FineTuneClient, flags: SpecFlags) -> JobPlan:
    """Put together what is asked for, and plan it.

    Args:
        client: For the configuration, the provider's option class, and the plan.
        flags: What the command line says.

    Raises:
        ConfigurationError: Something needed is missing, or a value is not acceptable; the message
            names the flag, or the line of the job file.
    """
    from pydantic import ValidationError

    from ftproviders.schema.job import JobSpec

    content = None if flags.job_file is None else read_job_file(flags.job_file)
    values = _values(content, flags)
    ref = None if flags.from_ref is None else client.job(flags.from_ref).ref
    values["provider"] = values.get("provider") or client.config.provider or (ref and ref.provider)
    if ref is None:
        _require(values)
    if flags.options:
        values["options"] = _with_options(client, values, flags.options)
    # An empty value in a job file (`suffix:`) means that the user did not say.
    given = {name: value for name, value in values.items() if value is not None}
    try:
        if ref is not None:
            return client.plan_from(ref, **given)
        spec = JobSpec.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # Without the cause: its words repeat the values, and options may hold anything.
        raise _not_accepted(first["loc"], first["msg"], content, flags) from None
    return client.plan(spec)


def _values(content: JobFileContent | None, flags: SpecFlags) -> dict[str, Any]:
    """Return what file and flags say, by the names of `JobSpec`, but for options."""
    values: dict[str, Any] = dict(content.values) if content else {}
    stated = flags.stated
    tuning = {_NAMES.get(n, n): stated.pop(n) for n in _TUNING if n in stated}
    values |= {_NAMES.get(n, n): str(v) if isinstance(v, Path) else v for n, v in stated.items()}
    if isinstance(values.get("method"), str) and "method" in stated:
        values["method"] = parse_method(values["method"])
    if flags.options:
        tuning |= _knobs_of(flags.options, tuning)
    if tuning and isinstance(values.get("hyperparameters") or {}, Mapping):
        values["hyperparameters"] = {**(values.get("hyperparameters") or {}), **tuning}
    return values


def _require(values: Mapping[str, Any]) -> None:
    for name, (what, hint) in _NEEDED.items():
        if not values.get(name):
            raise ConfigurationError(f"No {what} is named.", operation="plan", hint=hint)


def _knobs_of(pairs: Sequence[str], tuning: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters among ``-o key=value`` pairs; they have no other flag, or one.

    Raises:
        ConfigurationError: One is stated twice on the command line, with two values.
    """
    from ftproviders.schema.hyperparameters import Hyperparameters

    fields = Hyperparameters.model_fields
    found: dict[str, Any] = {}
    for name, text in map(_split, pairs):
        if text is None or name not in fields:
            continue
        value = _typed(fields[name].rebuild_annotation(), text)
        for before in (found, tuning):
            if name in before and before[name] != value:
                raise ConfigurationError(
                    f"{name} is stated twice: {before[name]} and {value}.",
                    operation="plan",
                    hint="State it once.",
                )
        found[name] = value
    return found


def _split(pair: str) -> tuple[str, str | None]:
    """Return name and text of ``key=value``; None as text when it is not written so."""
    key, equals, text = pair.partition("=")
    key = key.strip().replace("-", "_")
    return key, text if equals and key else None


def _with_options(
    client: FineTuneClient, values: Mapping[str, Any], pairs: Sequence[str]
) -> dict[str, Any]:
    """Add ``-o key=value`` pairs that are no hyperparameters to the options of the provider."""
    from ftproviders.schema.hyperparameters import Hyperparameters

    provider = str(values["provider"]).replace("_", "-")
    fields = client.provider(provider).options_type.model_fields
    given: dict[str, Any] = {}
    for pair in pairs:
        key, text = _split(pair)
        if text is None:
            # What is no known name is not repeated: it may be a value.
            shown = f" {key}" if key in fields or key in Hyperparameters.model_fields else ""
            raise ConfigurationError(
                f"-o{shown}: write an option as -o key=value.",
                hint=f"`ftproviders providers {provider}` lists what there is.",
            )
        if key in Hyperparameters.model_fields:
            continue
        given[key] = _typed(fields[key].rebuild_annotation() if key in fields else str, text)
    before = values.get("options") or {}
    if not isinstance(before, Mapping):
        return {provider: given}
    own = {str(name).replace("_", "-"): options for name, options in before.items()}
    mine = own.get(provider) or {}
    return {**own, provider: {**mine, **given} if isinstance(mine, Mapping) else given}


def _typed(annotation: Any, text: str) -> Any:
    """Read `text` as the field's type, so that it equals the same value from a job file.

    What does not fit is returned as it is; the registry refuses it with the field's own words.
    """
    import json

    from pydantic import TypeAdapter, ValidationError

    reader: TypeAdapter[Any] = TypeAdapter(annotation)
    candidates: list[Any] = [text]
    with contextlib.suppress(ValueError):
        candidates.append(json.loads(text))
    for candidate in candidates:
        try:
            return reader.dump_python(reader.validate_python(candidate), mode="json")
        except ValidationError:
            continue
    return text


def _not_accepted(
    place: Sequence[int | str],
    message: str,
    content: JobFileContent | None,
    flags: SpecFlags,
) -> ConfigurationError:
    names = [str(part) for part in place]
    last = names[1] if names[:1] == ["hyperparameters"] and len(names) > 1 else (names or [""])[0]
    if last in {_split(pair)[0] for pair in flags.options}:
        return ConfigurationError(
            f"-o {last}: {message}.", operation="plan", hint="Correct that value."
        )
    flag = _FLAGS.get(last, last)
    if flag in flags.stated or content is None:
        return ConfigurationError(
            f"--{flag.replace('_', '-')}: {message}.", operation="plan", hint="Correct that flag."
        )
    return ConfigurationError(
        f"{content.where(names)}: {'.'.join(_own_keys(names))}: {message}.",
        operation="plan",
        hint="Correct that line.",
    )


def _own_keys(names: Sequence[str]) -> Sequence[str]:
    """Leave out what pydantic appends for the members of a union (``int``, ``literal[...]``)."""
    depth = 2 if names[:1] == ["hyperparameters"] else 3 if names[:1] == ["options"] else 1
    return names[:depth]
