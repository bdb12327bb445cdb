"""Rows as questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders.client.sampling import read_questions
from ftproviders.errors import DatasetError

USER = {"role": "user", "content": "Why?"}
REPLY = {"role": "assistant", "content": "Because."}


def write(folder: Path, *rows: Any) -> Path:
    file = folder / "q.jsonl"
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    file.write_text("\ufeff" + text + "\n", encoding="utf-8")
    return file


def test_the_last_answer_is_what_is_expected(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be terse."}
    file = write(tmp_path, {"messages": [system, USER, REPLY]}, "", {"messages": [USER]})

    (first, second), more = read_questions(file, most=5)

    assert [message.role.value for message in first.messages] == ["system", "user"]
    assert (first.expected, second.expected, more) == ("Because.", None, False)


def test_the_preferred_answer_of_a_preference_row_is_expected(tmp_path: Path) -> None:
    row = {"input": {"messages": [USER]}, "preferred_output": [REPLY],
           "non_preferred_output": [{"role": "assistant", "content": "No."}]}  # fmt: skip

    (only,), _ = read_questions(write(tmp_path, row), most=1)

    assert (only.expected, len(only.messages)) == ("Because.", 1)


def test_a_called_tool_and_parts_are_expected_in_words(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    parts = [{"type": "text", "text": "Be"}, {"type": "text", "text": "cause."}]
    file = write(
        tmp_path,
        {"messages": [USER, {"role": "assistant", "tool_calls": [call]}]},
        {"messages": [USER, {"role": "assistant", "content": parts}]},
    )

    found, _ = read_questions(file, most=2)

    assert [one.expected for one in found] == ['f({"x": 1})', "Be\ncause."]


def test_only_as_many_rows_as_wished_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, *[{"messages": [USER]}] * 3, "not even JSON")

    found, more = read_questions(file, most=2)

    assert (len(found), more) == (2, True)


BAD = (
    "{",
    "[]",
    '"text"',
    '{"messages": []}',
    '{"messages": [{"role": "nobody"}]}',
    '{"messages": 3}',
    '{"question": "Why?"}',
    '{"messages": ["Why?"]}',
)


@pytest.mark.parametrize("row", BAD)
def test_a_row_that_is_no_question_is_named_by_its_line(tmp_path: Path, row: str) -> None:
    file = write(tmp_path, {"messages": [USER]}, row)

    with pytest.raises(DatasetError, match=r"q\.jsonl, line 2: this is not a question") as caught:
        read_questions(file, most=9)
    assert "messages" in (caught.value.hint or "")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl", most=1)


def test_a_prompt_is_a_question(tmp_path: Path) -> None:
    file = write(tmp_path, {"prompt": "Why?", "x": 1}, {"prompt": "Why?", "completion": "So"})

    (bare, answered), _ = read_questions(file, most=5)

    assert bare.messages == answered.messages
    assert (bare.messages[0].role.value, bare.messages[0].content) == ("user", "Why?")
    assert (bare.expected, answered.expected) == (None, "So")
