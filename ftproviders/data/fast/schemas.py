"""Whether arguments fit a declared JSON Schema: the same answer as the judge's, more quickly.

Most declare an object without depth. Such a schema can be described, for the native engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ftproviders.data.exact.json_text import schema_problems

__all__ = ["Properties", "described", "fitting"]

_TYPES: dict[object, frozenset[type]] = {
    "object": frozenset({dict}),
    "array": frozenset({list}),
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "number": frozenset({int, float}),
    "integer": frozenset({int}),
}
"""What surely has a type. More may have it, 1.0 for instance is an integer."""

KINDS: dict[type, int] = {str: 1, bool: 2, int: 4, float: 8, dict: 16, list: 32}
"""A bit for each type; the same as in ``native/declared.h``."""

Properties: TypeAlias = tuple[tuple[str, int, bool], ...]
"""Of each property its name, the types that surely fit, and whether it has to be there."""


def fitting(schema: object) -> Callable[[Any], bool]:
    """Return what says whether a value fits `schema`; the common cases need no look at it."""
    flat = _flat(schema)
    if flat is None:
        return lambda value: not any(schema_problems(value, schema))
    properties, required = flat

    def fits(value: Any) -> bool:
        if type(value) is dict and required <= value.keys():
            for name, item in value.items():
                if type(item) not in properties.get(name, ()):
                    break
            else:
                return True
        return not any(schema_problems(value, schema))

    return fits


def described(schema: object) -> Properties | None:
    """Describe a schema whose common cases need no look at it; None for others.

    An object surely fits when each of its members is a property of one of these types, and none is
    missing that has to be there.
    """
    flat = _flat(schema)
    return flat and tuple(
        (name, sum(KINDS[one] for one in flat[0].get(name, ())), name in flat[1])
        for name in {**flat[0], **dict.fromkeys(sorted(flat[1]))}
    )


_Flat: TypeAlias = tuple[Mapping[str, frozenset[type]], frozenset[str]]


def _flat(schema: object) -> _Flat | None:
    """Return the types of an object's properties, and which have to be there; None = it has depth.

    Properties of other kinds are left out.
    """
    if not isinstance(schema, dict) or schema.get("type") != "object" or "enum" in schema:
        return None
    properties = schema.get("properties")
    types: dict[str, frozenset[type]] = {}
    for name, one in properties.items() if isinstance(properties, dict) else ():
        if isinstance(one, dict) and not one.keys() & {"enum", "properties", "items", "required"}:
            kind = one.get("type")
            if isinstance(kind, str) and kind in _TYPES and "additionalProperties" not in one:
                types[name] = _TYPES[kind]
    return types, frozenset(one for one in schema.get("required") or () if isinstance(one, str))
