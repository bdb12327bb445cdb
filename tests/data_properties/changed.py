"""Rows that are changed as values: anything in any place, keys renamed, items put twice.

Mutations of bytes seldom leave a row that can be read; these nearly always do.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["ChangedRows"]

Path = tuple[str | int, ...]

_KEYS = (
    "role", "content", "name", "weight", "refusal", "tool_calls", "tool_call_id", "function_call",
    "audio", "type", "text", "image_url", "url", "detail", "id", "function", "arguments",
    "parameters", "messages", "tools", "functions", "parallel_tool_calls", "prompt", "completion",
    "input", "chosen", "instruction", "output", "conversations", "metadata", "description",
    "strict",
)  # fmt: skip
_VALUES: Sequence[Any] = (
    None, True, False, 0, 1, -1, 1.5, float("nan"), float("-inf"), "", " ", "x", "<|im_end|>",
    "\ud800", "a\x00", "user", "assistant", "tool", "function", "text", "refusal", "image_url",
    "https://a.b/c.png", "http://x/y", "{}", "{a}", [], {}, {"a": 1}, ["x"], {"url": "http://x"},
    [{"type": "text", "text": ""}], [[{"a": 1}, 2]],
)  # fmt: skip
_ARGUMENTS = (
    "{}", '{"a": "x"}', '{"a": "z"}', '{"a": "x", "b": 1}', '{"a": "x", "b": null}',
    '{"a": "x", "b": 1.0}', '{"a": "x", "b": 1.5}', '{"a": "x", "c": [1]}',
    '{"a": "x", "c": ["q"]}', '{"a": "x", "d": []}', '{"a": "x", "e": 1}',
    '{"a": "x", "a": 1}', '{"a": "<|im_end|>"}',
    "[1]", "1", "", '{"a":', '{"a": NaN}', '{"a": "\\ud800"}', '{"a": "x"} x', ' {"a" : "y"}\n',
)  # fmt: skip
_ADDRESSES = (
    "https://a.b/c.png", "https://a.b/ü?x=1", "http://a.b/c", "ftp://x", "https:/a",
    "data:image/png;base64,AAAA", "data:image/gif;base64,AAAA",
)  # fmt: skip
_FUNCTION = {
    "name": "f",
    "parameters": {
        "type": "object",
        "properties": {
            "a": {"type": "string", "enum": ["x", "y"]},
            "b": {"type": ["integer", "null"]},
            "c": {"type": "array", "items": {"type": "number"}},
            "d": {},
        },
        "required": ["a"],
        "additionalProperties": False,
    },
}


class ChangedRows:
    """Makes rows of which most are changed.

    Args:
        chance: Where everything comes from.
        lines: Rows to begin with, beside those made here.
    """

    def __init__(self, chance: random.Random, lines: Sequence[bytes]) -> None:
        self._chance = chance
        self._rows = [row for row in map(_read, lines) if isinstance(row, dict)]

    def line(self) -> bytes:
        """Return a row as a line without its line end."""
        chance = self._chance
        row = chance.choice((self._known, self._called, self._called, self._other))()
        if isinstance(row, dict) and chance.random() < 0.8:
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                self._change(row)
        text = json.dumps(row, ensure_ascii=chance.random() < 0.5)
        line = text.encode("utf-8", "surrogatepass")
        if chance.random() < 0.08:
            at = chance.randrange(len(line))
            byte = bytes([chance.randrange(256)]) if chance.random() < 0.5 else b""
            line = line[:at] + byte + line[at + 1 :]
        return line.replace(b"\n", b" ")

    def _known(self) -> Any:
        return copy.deepcopy(self._chance.choice(self._rows))

    def _called(self) -> Any:
        """Return a conversation with calls, answers, parts and images."""
        chance = self._chance
        makers = (self._calls, self._answer, self._parts, self._legacy, self._refused)
        said = [
            message for _ in range(chance.randrange(1, 4)) for message in chance.choice(makers)()
        ]
        row: dict[str, Any] = {"messages": [{"role": "user", "content": "q"}, *said]}
        if chance.random() < 0.6:
            second = {"type": "function", "function": {"name": "g"}}
            row["tools"] = [{"type": "function", "function": copy.deepcopy(_FUNCTION)}, second]
        if chance.random() < 0.3:
            row["functions"] = [copy.deepcopy(_FUNCTION)]
        return row

    def _calls(self) -> Iterator[Any]:
        chance = self._chance
        calls = [
            {
                "id": chance.choice(("c1", "c2", "")),
                "type": "function",
                "function": {
                    "name": chance.choice(("f", "f", "g", "h")),
                    "arguments": chance.choice(_ARGUMENTS),
                },
            }
            for _ in range(chance.randrange(1, 3))
        ]
        yield {"role": "assistant", "tool_calls": calls}

    def _answer(self) -> Iterator[Any]:
        number = self._chance.choice(("c1", "c2", "c3"))
        yield {"role": "tool", "tool_call_id": number, "content": "r"}

    def _parts(self) -> Iterator[Any]:
        image = {"type": "image_url", "image_url": {"url": self._chance.choice(_ADDRESSES)}}
        yield {"role": "user", "content": [{"type": "text", "text": "t"}, image]}

    def _legacy(self) -> Iterator[Any]:
        chance = self._chance
        called = {"name": chance.choice(("f", "h")), "arguments": chance.choice(_ARGUMENTS)}
        yield {"role": "assistant", "function_call": called}
        yield {"role": "function", "name": "f", "content": None}

    def _refused(self) -> Iterator[Any]:
        parts = [{"type": "text", "text": " "}, {"type": "refusal", "refusal": "n"}]
        yield {"role": "assistant", "content": parts[: self._chance.randrange(1, 3)]}

    def _other(self) -> Any:
        """Return what is no conversation: rows of other shapes, and values that are no rows."""
        chance = self._chance
        if chance.random() < 0.15:
            return chance.choice(([], [{"a": 1}], "x", 3, None, [{"a": 1, "b": [1.5]}], True))
        names = ("prompt", "completion", "text", "chosen", "conversations", "output", "x")
        if chance.random() < 0.6:
            names = chance.choice((("prompt", "completion"), ("text",), ("conversations",)))
        size = min(len(names), 3)
        values = ("p", "c " * chance.randrange(9), "", " ", "é" * 20, None, ["x"], 3)
        texts = [one for one in values if isinstance(one, str)]
        odd = chance.random() < 0.2
        return {name: chance.choice(values if odd else texts) for name in names[:size]}

    def _change(self, row: Any) -> None:
        """Change one thing in a row."""
        chance = self._chance
        places = [place for place in _places(row) if place]
        if not places:
            return
        *above, last = chance.choice(places)
        holder = row
        for step in above:
            holder = holder[step]
        value = copy.deepcopy(chance.choice(_VALUES))
        way = chance.randrange(5)
        if way == 0:
            holder[last] = value
        elif way == 1:
            del holder[last]
        elif isinstance(holder, list):
            holder.insert(last, copy.deepcopy(chance.choice(holder)) if way == 2 else value)
        elif way == 2:
            holder[chance.choice(_KEYS)] = value
        elif way == 3:
            holder[chance.choice(_KEYS)] = holder.pop(last)
        elif isinstance(holder[last], str):
            holder[last] = chance.choice(("", " ", "é" + holder[last], holder[last] + "<|end|>"))


def _read(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _places(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _places(one, (*path, index))
