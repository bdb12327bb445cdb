"""Whether arguments fit a declared JSON Schema: the same answer as the judge's, more quickly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftproviders.data.exact.json_text import schema_problems

__all__ = ["fitting"]

_TYPES: dict[object, frozenset[type]] = {
    "object": frozenset({dict}),
    "array": frozenset({list}),
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "number": frozenset({int, float}),
    "integer": frozenset({int}),
}
"""What surely has a type. More may have it, 1.0 for instance is an integer."""


def fitting(schema: object) -> Callable[[Any], bool]:
    """Return what says whether a value fits `schema`; the common cases need no look at it."""
    types = _flat(schema)
    if types is None or not isinstance(schema, dict):
        return lambda value: not any(schema_problems(value, schema))
    properties: dict[str, frozenset[type]] = types
    required = frozenset(name for name in schema.get("required") or () if isinstance(name, str))

    def fits(value: Any) -> bool:
        if type(value) is dict and required <= value.keys():
            for name, item in value.items():
                if type(item) not in properties.get(name, ()):
                    break
            else:
                return True
        return not any(schema_problems(value, schema))

    return fits


def _flat(schema: object) -> dict[str, frozenset[type]] | None:
    """Return the types of the properties of an object without depth; None for other schemas."""
    if not isinstance(schema, dict) or schema.get("type") != "object" or "enum" in schema:
        return None
    properties = schema.get("properties")
    types: dict[str, frozenset[type]] = {}
    for name, one in properties.items() if isinstance(properties, dict) else ():
        if isinstance(one, dict) and not one.keys() & {"enum", "properties", "items", "required"}:
            kind = one.get("type")
            if isinstance(kind, str) and kind in _TYPES and "additionalProperties" not in one:
                types[name] = _TYPES[kind]
    return types
