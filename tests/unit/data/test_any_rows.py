"""Whatever a row holds where something else belongs: it is written, or a sentence says why not."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftproviders.data.conversion import RowMapping, convert
from ftproviders.data.repair.rowfix import repair_row
from ftproviders.data.shapes import Shape
from ftproviders.data.splitting.keys import prompt_hash
from ftproviders.data.tokens.totals import decode_row
from ftproviders.errors import FineTuneError

_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_ASKED = {"role": "user", "content": [{"type": "text", "text": "q"}]}
_SAID = {"role": "assistant", "content": "a"}
ROWS: tuple[dict[str, Any], ...] = (
    {"messages": [{"role": "system", "content": "s"}, _ASKED, _SAID], "tools": [_TOOL]},
    {"messages": [_ASKED, {"role": "assistant", "content": None, "tool_calls": [_CALL]}]},
    {
        "input": {"messages": [_ASKED], "tools": [_TOOL]},
        "preferred_output": [_SAID],
        "non_preferred_output": [_SAID],
    },
    {"prompt": [_ASKED], "chosen": [_SAID], "rejected": [{**_SAID, "content": "b"}]},
    {"prompt": "q", "completion": "a"},
    {"instruction": "q", "input": "i", "output": "a", "system": "s", "history": [["a", "b"]]},
    {
        "conversations": [
            {"from": "human", "value": "q"},
            {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
            {"from": "observation", "value": "1"},
            {"from": "gpt", "value": "a"},
        ],
        "system": "s",
        "tools": [{"name": "f"}],
    },
)
ODD: tuple[Any, ...] = (
    None, True, 0, 1.5, "", " ", "x", "[1]", '{"a": 1}', '[{"role": 1}]', [], {}, [[]], [{}],
    [1], ["x"], {"role": "user"}, {"type": "text"}, [{"role": []}], [{"type": "text"}], "\ud800",
)  # fmt: skip


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container and key of a value."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _with_odd_values() -> Iterator[dict[str, Any]]:
    for row in ROWS:
        for index in range(sum(1 for _ in _places(row))):
            for odd in ODD:
                changed = copy.deepcopy(row)
                holder, key = list(_places(changed))[index]
                holder[key] = copy.deepcopy(odd)
                yield changed


def test_any_value_anywhere(tmp_path: Path) -> None:
    chance = random.Random(3)
    for row in _with_odd_values():
        text = json.dumps(row)
        decoded = decode_row(text.encode())
        assert decoded == row
        prompt_hash(decoded)
        repaired, repairs = repair_row(text)
        assert repairs or repaired == text
        out = tmp_path / chance.choice(("o.jsonl", "o.csv"))
        for target in chance.sample([None, *Shape], 1):
            try:
                report = convert([decoded], out, target=target, overwrite=True)
            except FineTuneError:
                continue
            assert report.rows == 1


@pytest.mark.parametrize("columns", [{"user": "prompt", "assistant": "completion"},
                                     {"messages": "messages", "tools": "tools"}])  # fmt: skip
def test_any_value_in_a_stated_column(tmp_path: Path, columns: dict[str, str]) -> None:
    for odd in ODD:
        row = {"prompt": odd, "completion": odd, "messages": odd, "tools": odd}
        for kept in (row, {**row, "completion": "a"}, {**row, "messages": ROWS[0]["messages"]}):
            out = tmp_path / "o.jsonl"
            out.unlink(missing_ok=True)
            try:
                convert([kept], out, mapping=RowMapping(columns=columns))
            except FineTuneError:
                assert not out.exists()
            else:
                assert json.loads(out.read_text(encoding="utf-8"))
