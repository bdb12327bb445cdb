"""Repairs of one row that change how it is written, never what it says.

What lives here: the list of such repairs. A repair that would have to choose - which of two
values, which role, which row to drop - is none.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from ftproviders.data.findings import JsonPath, format_path, show
from ftproviders.schema.chat import Role

__all__ = ["RowRepair", "repair_row"]

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?)*+"?|,(?=[ \t\r]*(?:[\]}]|$))', re.DOTALL)
_ROLES = frozenset(Role)
_NULLABLE = ("name", "weight", "tool_calls", "function_call", "tool_call_id", "refusal", "audio")
_LISTS = ("messages", "preferred_output", "non_preferred_output")
_ROW_NULLABLE = ("tools", "functions", "parallel_tool_calls")


class RowRepair(NamedTuple):
    """One repair of a row."""

    rule: str
    path: str
    what: str


class _TwoValuesError(ValueError):
    """A key stands twice with different values: nobody can tell which is meant."""


class _Pairs:
    """Builds objects; notes keys that stand twice with one value, and numbers that lose digits."""

    def __init__(self) -> None:
        self.repeated: list[str] = []
        self.exact = True

    def number(self, digits: str) -> float:
        """Read a number; Python keeps some 17 digits of it, and would write no more."""
        value = float(digits)
        self.exact = self.exact and Decimal(repr(value)) == Decimal(digits)
        return value

    def __call__(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(items)
        if len(built) != len(items):
            seen: dict[str, str] = {}
            for key, value in items:
                text = json.dumps(value, sort_keys=True)
                if seen.setdefault(key, text) != text:
                    raise _TwoValuesError(key)
            times = Counter(key for key, _ in items)
            self.repeated += sorted(key for key, count in times.items() if count > 1)
        return built


def repair_row(text: str) -> tuple[str, list[RowRepair]]:
    """Repair one row.

    Args:
        text: The line, without white space around it.

    Returns:
        The row, which is `text` itself when nothing was to be done, and what was done.
    """
    repairs: list[RowRepair] = []
    row = _read(text)
    if row is None:
        shorter, commas = _without_last_commas(text)
        row = _read(shorter) if commas else None
        if row is None:
            return text, []
        what = "a comma" if commas == 1 else f"{commas} commas"
        repairs.append(RowRepair("json.syntax", "", f"removed {what} after the last item"))
        text = shorter
    value, repeated, exact = row
    for key in repeated:
        what = f"removed the second {show(key)}; both said the same"
        repairs.append(RowRepair("json.duplicate_key", "", what))
    inside = list(_inside(value))
    if not (inside or repeated):
        return text, repairs
    written = _written(value) if exact else None
    if written is None:  # the value cannot be written as it was read
        return text, [one for one in repairs if one.rule == "json.syntax"]
    return written, repairs + inside


def _read(text: str) -> tuple[Any, list[str], bool] | None:
    """Return the value, its repeated keys, and whether all of its numbers are as they stand.

    None when it cannot be read safely.
    """
    pairs = _Pairs()
    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_constant=_refuse, parse_float=pairs.number
        )
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return value, pairs.repeated, pairs.exact


def _refuse(word: str) -> float:
    raise ValueError(word)


def _without_last_commas(text: str) -> tuple[str, int]:
    """Remove commas before a closing bracket and after the row; text in quotes stays."""
    removed = 0

    def look(match: re.Match[str]) -> str:
        nonlocal removed
        if match.group().startswith('"'):
            return match.group()
        removed += 1
        return ""

    return _TOKEN.sub(look, text), removed


def _written(value: object) -> str | None:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return None
    return text


def _inside(row: object) -> Iterator[RowRepair]:
    """Repair messages in place."""
    if not isinstance(row, dict):
        return
    yield from _nulls(row, _ROW_NULLABLE, ())
    places: list[tuple[JsonPath, object]] = [((key,), row.get(key)) for key in _LISTS]
    given = row.get("input")
    if isinstance(given, dict):
        yield from _nulls(given, _ROW_NULLABLE, ("input",))
        places.insert(0, (("input", "messages"), given.get("messages")))
    for path, messages in places:
        for index, message in enumerate(messages if isinstance(messages, list) else ()):
            if isinstance(message, dict):
                yield from _message(message, (*path, index))


def _nulls(item: dict[str, Any], keys: tuple[str, ...], path: JsonPath) -> Iterator[RowRepair]:
    for key in keys:
        if key in item and item[key] is None:
            del item[key]
            place = format_path((*path, key))
            yield RowRepair("row.null", place, "removed a null that says nothing")


def _message(message: dict[str, Any], path: JsonPath) -> Iterator[RowRepair]:
    yield from _nulls(message, _NULLABLE, path)
    role = message.get("role")
    if isinstance(role, str) and role not in _ROLES and role.strip().lower() in _ROLES:
        message["role"] = role.strip().lower()
        what = f"wrote {show(role)} as {show(message['role'])}"
        yield RowRepair("message.role", format_path((*path, "role")), what)
    weight = message.get("weight")
    if isinstance(weight, float) and weight in {0.0, 1.0}:
        message["weight"] = int(weight)
        what = f"wrote {show(weight)} as {int(weight)}"
        yield RowRepair("message.weight", format_path((*path, "weight")), what)
    calls = message.get("tool_calls")
    if calls == [] and message.get("content") not in (None, ""):
        del message["tool_calls"]
        place = format_path((*path, "tool_calls"))
        yield RowRepair("tool_call.shape", place, "removed an empty list")
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield from _arguments(function, (*path, "tool_calls", index, "function", "arguments"))


def _arguments(function: dict[str, Any], path: JsonPath) -> Iterator[RowRepair]:
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False)
        what = "wrote the object as text that holds JSON"
        yield RowRepair("tool_call.arguments", format_path(path), what)
