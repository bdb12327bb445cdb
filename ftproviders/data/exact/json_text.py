"""JSON inside text (a call's arguments), and whether a value fits a declared JSON Schema.

The check against a schema is a light one: type, required, enum, properties, additionalProperties
and items. What it does not know (references, anyOf, formats, ranges) it lets pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeAlias, TypeVar

from ftproviders.data.findings import JsonPath, format_path, show
from ftproviders.data.numbers import to_number

__all__ = ["Known", "holds_json", "parse_json_text", "schema_problems"]

Known: TypeAlias = dict[int, Any]
"""What was made of the lists in a schema, by their ids; whoever keeps it keeps the schema, too.

Any of them may be long, and be asked for each item of a long array."""

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int, float),
}


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=to_number)


def parse_json_text(text: str) -> Any:
    """Read JSON that stands in a text.

    Raises:
        ValueError: The text is not JSON, or nested too deep to be read.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def holds_json(text: str) -> bool:
    """Say whether `text` is JSON."""
    try:
        parse_json_text(text)
    except ValueError:
        return False
    return True


def schema_problems(
    value: object, schema: object, path: JsonPath = (), *, known: Known | None = None
) -> Iterator[str]:
    """Yield in words where `value` does not fit `schema`.

    Args:
        value: The value.
        schema: What it should fit.
        path: Where the value stands.
        known: What was found out about the lists of `schema`, for whoever asks about it again.
    """
    known = {} if known is None else known
    if not isinstance(schema, dict):
        return
    where = format_path(path) or "the value"
    expected = _expected_types(schema, known)
    if expected and not any(_is_type(value, name) for name in expected):
        yield f"{where} is {show(value)}, not {' or '.join(expected)}"
        return
    choices = schema.get("enum")
    if isinstance(choices, list) and _comparable(value) not in _once(_choices, choices, known):
        yield f"{where} is {show(value)}, not one of {', '.join(map(show, choices[:8]))}"
    if isinstance(value, dict):
        yield from _object_problems(value, schema, path, known)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from schema_problems(item, schema.get("items"), (*path, index), known=known)


_Made = TypeVar("_Made")


def _once(make: Callable[[list[Any]], _Made], listed: list[Any], known: Known) -> _Made:
    """Return what `make` makes of a list, which it is asked only once."""
    found: _Made | None = known.get(id(listed))
    if found is None:
        found = known[id(listed)] = make(listed)
    return found


def _expected_types(schema: dict[str, Any], known: Known) -> list[str]:
    declared = schema.get("type")
    return _once(_types, declared, known) if isinstance(declared, list) else _types([declared])


def _types(names: list[Any]) -> list[str]:
    there = [name for name in names if isinstance(name, str) and name in _TYPES]
    return list(dict.fromkeys(there)) if len(there) == len(names) else []


def _names(listed: list[Any]) -> frozenset[str]:
    return frozenset(name for name in listed if isinstance(name, str))


def _choices(listed: list[Any]) -> frozenset[object]:
    return frozenset(map(_comparable, listed))


def _is_type(value: object, name: str) -> bool:
    if not isinstance(value, _TYPES[name]):
        return False
    if isinstance(value, bool):
        return name == "boolean"
    return name != "integer" or not isinstance(value, float) or value.is_integer()


def _comparable(value: object) -> object:
    """Return what only equal values have in common; true is not 1, but in a list or object."""
    return isinstance(value, bool), _frozen(value)


def _frozen(value: object) -> object:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return frozenset((key, _frozen(one)) for key, one in value.items())
    return value


def _object_problems(
    value: dict[str, Any], schema: dict[str, Any], path: JsonPath, known: Known
) -> Iterator[str]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    if isinstance(required, list) and not value.keys() >= _once(_names, required, known):
        for name in required:
            if isinstance(name, str) and name not in value:
                yield f"{format_path((*path, name))} is missing"
    for name, item in value.items():
        if name in properties:
            yield from schema_problems(item, properties[name], (*path, name), known=known)
        elif schema.get("additionalProperties") is False and "patternProperties" not in schema:
            yield f"{format_path((*path, name))} is not declared"
