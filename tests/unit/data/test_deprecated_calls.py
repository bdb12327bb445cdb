"""Calls of the deprecated kind: ``functions``, ``function_call`` and the role ``function``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders.data import validate
from ftproviders.provider import DataProfile

FUNCTION = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def found_in(folder: Path, call: Any, answer: dict[str, Any], **beside: Any) -> list[Any]:
    """Return rule, path and message of what is found, without what is merely deprecated."""
    row = {
        "messages": [
            {"role": "user", "content": "Is it warm?"},
            {"role": "assistant", "content": None, "function_call": call},
            {"role": "function", **answer},
            {"role": "assistant", "content": "Yes."},
        ],
        **beside,
    }
    file = folder / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    report = validate(file, profiles={"all": DataProfile()})[1]
    return [
        (issue.rule, issue.path, issue.message)
        for issue in report.issues
        if issue.rule not in ("row.deprecated", "file.rows") and issue.line
    ]


GOOD = {"name": "weather", "content": "sun"}


def test_good_calls_are_only_deprecated(tmp_path: Path) -> None:
    call = {"name": "weather", "arguments": '{"city": "Bonn"}'}
    assert found_in(tmp_path, call, GOOD, functions=[FUNCTION]) == []
    assert found_in(tmp_path, {**call, "name": "other"}, GOOD) == [], "nothing is declared"


@pytest.mark.parametrize(
    ("call", "rule", "path", "words"),
    [
        (
            {"name": "rain", "arguments": "{}"},
            "tool_call.undeclared",
            "messages[1].function_call.name",
            "is not among the row's functions",
        ),
        (
            {"name": "weather", "arguments": '{"city": 5}'},
            "tool_call.schema",
            "messages[1].function_call.arguments",
            "city is 5, not string",
        ),
        (
            {"name": "weather", "arguments": "{city}"},
            "tool_call.arguments",
            "messages[1].function_call.arguments",
            "which is not JSON",
        ),
    ],
)
def test_calls_are_held_against_functions(
    tmp_path: Path, call: Any, rule: str, path: str, words: str
) -> None:
    ((found, where, message),) = found_in(tmp_path, call, GOOD, functions=[FUNCTION])
    assert (found, where) == (rule, path)
    assert words in message


def test_an_answer_names_its_function(tmp_path: Path) -> None:
    call = {"name": "weather", "arguments": "{}"}
    ((rule, path, message),) = found_in(tmp_path, call, {"content": "sun"})
    assert (rule, path) == ("message.name", "messages[2]")
    assert "does not name the function" in message
