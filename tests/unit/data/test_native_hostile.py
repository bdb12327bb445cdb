"""Files made to be slow, and uses of the extension that nobody means: it takes both."""

from __future__ import annotations

import json
import random
import time
from array import array
from typing import Any

import pytest

from ftproviders.data.engine import Rows
from ftproviders.data.engines import NativeEngine
from ftproviders.data.exact.json_text import schema_problems
from tests.unit.data.data_cases import GOOD
from tests.unit.data.test_native import assert_same, built, extension

MOST_SECONDS = 5
"""Of work that takes milliseconds, and took half a minute or more when it was quadratic."""


def row_with_calls(*arguments: str, parameters: object = None) -> bytes:
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": one}}
        for n, one in enumerate(arguments)
    ]
    row: dict[str, Any] = {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": calls}]
    }
    if parameters is not None:
        function = {"name": "f", "parameters": parameters}
        row["tools"] = [{"type": "function", "function": function}]
    return json.dumps(row).encode()


@built
def test_checksums_that_were_chosen_to_collide() -> None:
    """Prompts whose checksums lie side by side after a multiplication that everybody knows."""
    inverse = pow(2_654_435_769, -1, 1 << 32)
    records = array("Q")
    for number in range(200_000):
        records.extend((number * inverse % (1 << 32) << 32, number, number))
    records.extend(records[:3])
    begun = time.thread_time()
    assert array("Q", extension.repeated([(records, 0)])) == records[:3] * 2
    assert time.thread_time() - begun < MOST_SECONDS


def test_long_lists_beside_long_lists_in_their_schema() -> None:
    many = 20_000
    lists = {"enum": [*range(many), "last"], "type": ["integer"] * many + ["string"]}
    each = {"type": "object", "properties": {"a": lists}, "required": ["a"] * many}
    begun = time.thread_time()
    assert not list(schema_problems([{"a": "last"}] * many, {"items": each}))
    missing = next(schema_problems([*[{"a": "last"}] * many, {}], {"items": each}))
    assert missing == "[20000].a is missing"
    assert time.thread_time() - begun < MOST_SECONDS


@pytest.mark.parametrize(
    ("value", "choices", "fits"),
    [
        (1, [1.0], True),
        (True, [1], False),
        (1, [True], False),
        (False, [0, False], True),
        ("a", ["b", "a"], True),
        (None, [None], True),
        ([], [{}], False),
        ([1, {"b": [2], "a": 0}], [[1.0, {"a": 0, "b": [2]}]], True),
        ({"a": 1}, [{"a": 1, "b": 1}], False),
    ],
)
def test_choices_of_every_kind(value: object, choices: list[object], fits: bool) -> None:
    assert (not list(schema_problems(value, {"enum": choices}))) is fits


@built
def test_texts_among_many_choices() -> None:
    chance = random.Random(4)
    texts = list({"".join(chance.choices("abü", k=chance.randrange(6))) for _ in range(400)})
    schema = {"type": "object", "properties": {"a": {"type": "string", "enum": texts[::2]}}}
    lines = [row_with_calls(json.dumps({"a": one}), parameters=schema) for one in texts]
    assert_same(b"\n".join(lines))


@built
def test_lines_that_hold_nothing() -> None:
    good = GOOD.encode()
    blank = (b"", b"\r", b" ", b"\t \r", b" " * 400, b"\r\r")
    chance = random.Random(6)
    for _ in range(40):
        lines = [chance.choice((*blank, good, b"}", b'{"text": 1}')) for _ in range(30)]
        assert_same(b"\n".join(lines) + chance.choice((b"", b"\n", b" ")))
    assert NativeEngine(Rows()).sample(b"\n".join(blank) * 1_000)[1] == 0


@built
def test_strings_in_arguments_leave_room_for_the_row() -> None:
    line = row_with_calls(*[json.dumps("x" * 40_000 + "\n")] * 3)
    assert NativeEngine(Rows()).sample(line) == (1, 0)
    assert_same(line)


@built
def test_long_declarations_are_judged_once() -> None:
    asked: list[int] = []

    def tools(raw: bytes, deprecated: bool) -> tuple[None, tuple[object, ...], tuple[str, ...]]:
        asked.append(len(raw))
        return None, (), ()

    named = {"spared_images": 1, "long_characters": 9, "edge": 1, "step": 1}
    scanner = extension.Scanner(
        tools, tools, tools, completions=False, texts=False, long_bytes=-1, **named
    )
    sizes = (100_000, 90_000, 5_000_000)
    lines = [GOOD.encode()[:-1] + b', "tools": "' + b"x" * size + b'"}' for size in sizes]
    for line in lines:
        assert scanner.scan(b"\n".join([line] * 3), 1, 0, 0)[1] == []
    assert asked == [100_002, 90_002, *[5_000_002] * 3], "of the longest nothing is kept"


@built
def test_a_scanner_that_was_never_set_up() -> None:
    scanner = extension.Scanner.__new__(extension.Scanner)
    for use in (scanner.drain, lambda: scanner.scan(b"{}", 1, 0, 0), lambda: scanner.waiting):
        with pytest.raises(RuntimeError, match="never set up"):
            use()
    assert not any(scanner.refusals().values())
