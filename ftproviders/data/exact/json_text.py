"""JSON inside text (a call's arguments), and whether a value fits a declared JSON Schema.

The check against a schema is a light one: type, required, enum, properties, additionalProperties
and items. What it does not know (references, anyOf, formats, ranges) it lets pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from ftproviders.data.findings import JsonPath, format_path, show
from ftproviders.data.numbers import to_number

__all__ = ["holds_json", "parse_json_text", "schema_problems"]

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


def schema_problems(value: object, schema: object, path: JsonPath = ()) -> Iterator[str]:
    """Yield in words where `value` does not fit `schema`."""
    if not isinstance(schema, dict):
        return
    where = format_path(path) or "the value"
    expected = _expected_types(schema)
    if expected and not any(_is_type(value, name) for name in expected):
        yield f"{where} is {show(value)}, not {' or '.join(expected)}"
        return
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        yield f"{where} is {show(value)}, not one of {', '.join(map(show, choices[:8]))}"
    if isinstance(value, dict):
        yield from _object_problems(value, schema, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from schema_problems(item, schema.get("items"), (*path, index))


def _expected_types(schema: dict[str, Any]) -> list[str]:
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    known = [name for name in names if isinstance(name, str) and name in _TYPES]
    return known if len(known) == len(names) else []


def _is_type(value: object, name: str) -> bool:
    if not isinstance(value, _TYPES[name]):
        return False
    if isinstance(value, bool):
        return name == "boolean"
    return name != "integer" or not isinstance(value, float) or value.is_integer()


def _same(value: object, choice: object) -> bool:
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _object_problems(
    value: dict[str, Any], schema: dict[str, Any], path: JsonPath
) -> Iterator[str]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and name not in value:
            yield f"{format_path((*path, name))} is missing"
    for name, item in value.items():
        if name in properties:
            yield from schema_problems(item, properties[name], (*path, name))
        elif schema.get("additionalProperties") is False and "patternProperties" not in schema:
            yield f"{format_path((*path, name))} is not declared"
