"""Rows with something wrong: one planted fault for each rule, values turned odd, bytes changed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.data_properties.good_rows import Json
from tests.unit.data.data_cases import ROW_CASES
from tests.unit.data.method_cases import METHOD_CASES, seeing
from tests.unit.data.test_agreement import INSERTS

ODD: tuple[Any, ...] = (
    None, 0, 1, 2, True, 1.5, -1, 10**400, "", " ", "x", "a b", "\t\n", "n" * 65, [], {},
    ["x"], [None], {"x": 1}, "<|end|>", "<|im_start|>", "a\0b", "\ud800", "[1", "http://x",
    "data:image/png;base64,AAAA", "assistant", "user", "tool", "function", "bot", "text",
    "image_url", "c9", float("nan"),
)  # fmt: skip
EXTRA_KEYS = (
    "name", "weight", "refusal", "content", "role", "tool_calls", "tool_call_id", "function_call",
    "id", "audio", "messages", "tools", "parallel_tool_calls", "functions", "detail", "text",
    "type",
)  # fmt: skip
_RARE_KEYS = frozenset({"weight", "refusal", "detail", "name", "id", "tool_call_id", "arguments"})
_ARGUMENTS = (
    "{}", '{"q": "x"}', '{"q": true}', '{"q": 1.5}', '{"q": null}', '{"s": 1, "n": "x"}', "[]", "1",
    '{"l": [1]}', '{"d": {}}', '{"z": 5}', '{"b": 0}', '{"o": []}', "null", "", "NaN", "[" * 3_000,
    "[" * 3_000 + "]" * 3_000, '{"q": 1, "q": 2}', '{"q": "\ud800"}', '{"q": 1}}', "\ufeff{}",
)  # fmt: skip
"""Arguments of calls that fit few declarations."""
_KEY = re.compile(rb'"\w+":')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_INSIDE = (
    b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"<|im_end|>", b"<|endoftext|>", b"<|", b"|>",
    b"\x00", b"\x01", b"\xff", b"\xed\xa0\x80", b'\\"', b"\\\\", b"\\x", b"\\ud83d\\ude00",
    b"\\u00zz",
)  # fmt: skip
_DEEP = 120


def planted_faults() -> Mapping[str, bytes]:
    """Return for every rule that a row can break a row that breaks only it."""
    rows = {rule: case.row for rule, case in ROW_CASES.items()}
    return {rule: text.encode() for rule, text in rows.items()}


def planted_of_methods() -> Mapping[str, bytes]:
    """Return the same for rules of single methods, shapes and images."""
    return {rule: case.row.encode() for rule, case in METHOD_CASES.items() if rule != "image.bytes"}


def varied(line: bytes, words: str) -> bytes:
    """Return a planted row whose first question is another one, so that no two are the same."""
    return line.replace(b'"Hi"', json.dumps(f"Hi {words}").encode(), 1)


class Mutations:
    """Makes rows that may break something.

    Args:
        chance: Source of chance.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def mutated(self, line: bytes) -> bytes:
        """Return a line that differs from `line`, in one of many ways."""
        for _ in range(9):
            changed = self._once(line).replace(b"\n", b" ")
            if changed != line:
                return changed
        return line + b"}"

    def _once(self, line: bytes) -> bytes:
        chance = self._chance
        match chance.randrange(10):
            case 0 | 1 | 2 | 3:
                return self._odd_value(line)
            case 4:
                return self._twice(line)
            case 5 | 6:
                return self._in_a_text(line)
            case 7:
                return self._deeper(line)
            case _:
                return self._bytes(line)

    def _odd_value(self, line: bytes) -> bytes:
        """Change one value, take it out, put another beside it, or double it."""
        chance = self._chance
        try:
            row = json.loads(line)
        except ValueError:
            return self._bytes(line)
        if not isinstance(row, dict):
            return self._bytes(line)
        places = list(_places(row))
        rare = [place for place in places if place[1] in _RARE_KEYS]
        holder, key = chance.choice(rare if rare and chance.random() < 0.3 else places)
        if key == "arguments" and chance.random() < 0.7:
            holder[key] = chance.choice(_ARGUMENTS)
            text = json.dumps(row, ensure_ascii=chance.random() < 0.5)
            return text.encode("utf-8", "surrogatepass")
        match chance.randrange(6):
            case 0 | 1:
                holder[key] = chance.choice(ODD)
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[chance.choice(EXTRA_KEYS)] = chance.choice(ODD)
            case 4 if isinstance(holder, list):
                holder.insert(int(key), holder[key])
            case _:
                holder[key] = chance.choice(
                    ([holder[key]], {"text": holder[key]}, str(holder[key]), {}, "")
                )
        return json.dumps(row, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")

    def _twice(self, line: bytes) -> bytes:
        """Write a key twice."""
        keys = list(_KEY.finditer(line))
        if not keys:
            return line
        found = self._chance.choice(keys)
        value = self._chance.choice((b"1", b"null", b'"x"', b"[]", b'"\\\\"', b'"\\""'))
        return line[: found.start()] + found.group() + b" " + value + b", " + line[found.start() :]

    def _in_a_text(self, line: bytes) -> bytes:
        """Put something into a string: text, key, name or address."""
        texts = list(_STRING.finditer(line))
        if not texts:
            return line
        found = self._chance.choice(texts[-2:] if self._chance.random() < 0.3 else texts)
        if self._chance.random() < 0.3:
            blank = self._chance.choice((b'""', b'" "', b'"\\n\\t"', b'"\xc2\xa0"'))
            return line[: found.start()] + blank + line[found.end() :]
        at = self._chance.choice((found.start() + 1, found.end() - 1))
        return line[:at] + self._chance.choice(_INSIDE) + line[at:]

    def _deeper(self, line: bytes) -> bytes:
        """Put a value that is nested deep, or too many images, where a value was."""
        chance = self._chance
        if chance.random() < 0.5:
            shown = seeing(chance.choice((10, 11, 12))).encode()
            return line.replace(b'{"role": "user"', shown + b', {"role": "user"', 1)
        depth = chance.choice((90, 99, 101, _DEEP, 5_000))
        deep = chance.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
        if chance.random() < 0.5:
            found = chance.choice(list(_STRING.finditer(line)) or [None])
            return line[: found.start()] + deep + line[found.end() :] if found else line + deep
        at = line.rfind(b"}")
        key = chance.choice((b"tools", b"x", b"messages"))
        return line[:at] + b', "' + key + b'": ' + deep + line[at:]

    def _bytes(self, line: bytes) -> bytes:
        """Put bytes in, take some out, or put pieces elsewhere."""
        chance = self._chance
        at, to = sorted(chance.randrange(len(line) + 1) for _ in range(2))
        match chance.randrange(5):
            case 0 | 1:
                return line[:at] + chance.choice(INSERTS) + line[at:]
            case 2:
                return line[:at] + line[min(to, at + 12) :]
            case 3:
                return line[:at] + chance.choice((b" ", b"b", b"\\t", b"\xe9")) + line[at + 1 :]
            case _:
                return line[:at] + line[at : min(to, at + 200)] + line[at:]


def _places(row: Json) -> Iterator[tuple[Any, Any]]:
    """Yield every value below a row: what holds it, and its key or index."""
    waiting: list[Any] = [row]
    while waiting:
        holder = waiting.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
