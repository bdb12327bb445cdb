"""Whether the parameters of a declared function are a JSON Schema of an object.

Looked at is how a schema is built: types, and schemas inside it. What its words mean - ranges,
formats, where a reference leads - is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ftproviders.data.findings import JsonPath, show
from ftproviders.data.rule import MAX_DEPTH

__all__ = ["SchemaFault", "schema_faults"]

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_MAPS = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords that hold names with a schema each."""
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
"""Keywords that hold a list of schemas."""
_SINGLE = ("items", "additionalProperties", "not")
"""Keywords that hold a schema, which may be true or false."""
_OBJECT_FIX = 'Write {"type": "object", "properties": {...}}.'
_SCHEMA_FIX = 'Write a JSON Schema, for instance {"type": "string"}.'


class SchemaFault(NamedTuple):
    """What is wrong with a schema."""

    path: JsonPath
    """Where, from the parameters down."""
    message: str
    fix: str


def schema_faults(parameters: object) -> Iterator[SchemaFault]:
    """Yield what is wrong with a function's parameters."""
    if not isinstance(parameters, dict):
        message = f"`parameters` is {show(parameters)}, not a JSON Schema"
        yield SchemaFault((), message, _OBJECT_FIX)
    elif parameters.get("type", "object") != "object":
        message = f"`parameters` describes {show(parameters['type'])}, not an object"
        yield SchemaFault((), message, _OBJECT_FIX)
    else:
        yield from _faults(parameters, ())


def _faults(schema: dict[str, Any], path: JsonPath) -> Iterator[SchemaFault]:
    if len(path) > MAX_DEPTH:
        return  # a rule of its own
    yield from _own_faults(schema, path)
    for key in _MAPS:
        inside = schema.get(key, {})
        if isinstance(inside, dict):
            for name, one in inside.items():
                yield from _schema(one, (*path, key, name))
        else:
            yield SchemaFault(path, f"`{key}` of {_where(path)} is not an object", _OBJECT_FIX)
    for key in _LISTS:
        inside = schema.get(key, [])
        if isinstance(inside, list):
            for index, one in enumerate(inside):
                yield from _schema(one, (*path, key, index))
        else:
            yield _no_list(key, path)
    for key in _SINGLE:
        if key in schema and not (key == "items" and isinstance(schema[key], list)):
            yield from _schema(schema[key], (*path, key))


def _own_faults(schema: dict[str, Any], path: JsonPath) -> Iterator[SchemaFault]:
    """Look at what a schema says of the value itself."""
    named = schema.get("type", [])
    for name in named if isinstance(named, list) else [named]:
        if not isinstance(name, str) or name not in _TYPES:
            fix = f"Use {', '.join(_TYPES[:-1])} or {_TYPES[-1]}."
            message = f"{show(name)} is no type of JSON Schema"
            yield SchemaFault((*path, "type"), message, fix)
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        message = f"`required` of {_where(path)} is not a list of names"
        yield SchemaFault(path, message, _OBJECT_FIX)
    if not isinstance(schema.get("enum", []), list):
        yield _no_list("enum", path)


def _no_list(key: str, path: JsonPath) -> SchemaFault:
    return SchemaFault((*path, key), f"`{key}` of {_where(path)} is not a list", _SCHEMA_FIX)


def _where(path: JsonPath) -> str:
    return "a schema in the parameters" if path else "the parameters"


def _schema(schema: object, path: JsonPath) -> Iterator[SchemaFault]:
    """Look at a schema inside another one; true and false are schemas, too."""
    if isinstance(schema, dict):
        yield from _faults(schema, path)
    elif not isinstance(schema, bool):
        yield SchemaFault(path, f"a schema is {show(schema)}, not an object", _SCHEMA_FIX)
