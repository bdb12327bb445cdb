"""Whether arguments fit a declared JSON Schema: the same answer as the judge's, more quickly.

Most declare an object without depth. Such a schema can be described, for the native engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

from ftproviders.data.exact.json_text import Known, schema_problems

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

KINDS: dict[str, int] = {
    "string": 1,
    "boolean": 2,
    "integer": 4,
    "number": 4 | 8,
    "object": 16,
    "array": 32,
    "null": 64,
}
"""A bit for each kind of value; the same as in ``native/declared.h``."""

ANY_KIND = 127

Properties: TypeAlias = tuple[tuple[str, int, bool, tuple[str, ...]], ...]
"""Of each property its name, the kinds of values that fit, whether it has to be there, and the
texts that it may be, if those are listed. No kind = it takes more to say what fits."""


def fitting(schema: object) -> Callable[[Any], bool]:
    """Return what says whether a value fits `schema`; the common cases need no look at it."""
    flat = _flat(schema)
    known: Known = {}
    if flat is None:
        return lambda value: not any(schema_problems(value, schema, known=known))
    properties, required = flat

    def fits(value: Any) -> bool:
        if type(value) is dict and required <= value.keys():
            for name, item in value.items():
                if type(item) not in properties.get(name, ()):
                    break
            else:
                return True
        return not any(schema_problems(value, schema, known=known))

    return fits


def described(schema: object) -> tuple[Properties | None, bool]:
    """Describe a schema of an object: its properties, and whether no others fit.

    Returns:
        No properties for another schema. A value fits just when it is an object whose properties
        fit, and all are there that have to be.
    """
    if not isinstance(schema, dict) or _flat(schema) is None:
        return None, False
    properties = schema.get("properties")
    declared = properties if isinstance(properties, dict) else {}
    required = _required(schema)
    names = dict.fromkeys([*declared, *sorted(required - declared.keys())])
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    each = ((name, *_kinds(declared.get(name), name in declared)) for name in names)
    return tuple([(name, kinds, name in required, texts) for name, kinds, texts in each]), closed


def _kinds(schema: object, declared: bool) -> tuple[int, tuple[str, ...]]:
    """Return the kinds of values that fit the schema of a property, and the texts that do."""
    if not declared or (isinstance(schema, dict) and not _DEEP.isdisjoint(schema)):
        return 0, ()
    if not isinstance(schema, dict):
        return ANY_KIND, ()
    kind = schema.get("type")
    if "enum" in schema:
        texts = schema["enum"]
        listed = kind == "string" and isinstance(texts, list) and bool(texts)
        if listed and all(isinstance(text, str) for text in texts):
            return KINDS["string"], tuple(texts)
        return 0, ()
    named = kind if isinstance(kind, list) else [kind]
    known = [KINDS[one] for one in named if isinstance(one, str) and one in KINDS]
    return (reduce(or_, known) if known and len(known) == len(named) else ANY_KIND), ()


_DEEP = frozenset({"properties", "items", "required", "additionalProperties", "patternProperties"})


def _required(schema: dict[str, Any]) -> frozenset[str]:
    named = schema.get("required")
    return (
        frozenset(one for one in named if isinstance(one, str))
        if isinstance(named, list)
        else (frozenset())
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
    return types, _required(schema)
