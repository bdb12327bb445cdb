"""Loss on the assistant's words only, proved token by token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders.worker.encoding import (
    IGNORED,
    EncodedRow,
    _labels,
    encode_file,
    encode_row,
    plain_messages,
)
from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import default_template
from tests.local.conftest import MARKED, PLAIN, chat, make_tokenizer

TALK = {
    "messages": [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "My kettle leaks"},
        {"role": "assistant", "content": "Which kettle"},
        {"role": "user", "content": "The lovely one"},
        {"role": "assistant", "content": "[BROKEN] repair booked"},
    ]
}


def weighed(*weights: int) -> dict[str, Any]:
    """Return the talk with weights on the assistant's messages, in order."""
    left = list(weights)
    messages = [dict(message) for message in TALK["messages"]]
    for message in messages:
        if message["role"] == "assistant" and left:
            message["weight"] = left.pop(0)
    return {"messages": messages}


def encoded(row: dict[str, Any], template: str, length: int = 500) -> tuple[EncodedRow, Any]:
    tokenizer = make_tokenizer(template)
    return encode_row(row, tokenizer, max_length=length), tokenizer


def learned(row: EncodedRow, tokenizer: Any) -> str:
    return tokenizer.decode([label for label in row.labels if label != IGNORED])


@pytest.mark.parametrize("template", [PLAIN, MARKED], ids=["difference", "marks"])
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((), "Which kettle<|im_end|>[BROKEN] repair booked<|im_end|>"),
        ((1, 1), "Which kettle<|im_end|>[BROKEN] repair booked<|im_end|>"),
        ((0, 1), "[BROKEN] repair booked<|im_end|>"),
        ((1, 0), "Which kettle<|im_end|>"),
        ((0, 0), ""),
    ],
)
def test_exactly_the_assistants_tokens_are_learned(
    template: str, weights: tuple[int, ...], words: str
) -> None:
    row, tokenizer = encoded(weighed(*weights), template)
    assert learned(row, tokenizer) == words
    # Token by token: a label is the token itself, and the ids are those of inference.
    assert all(lab in (IGNORED, tok) for lab, tok in zip(row.labels, row.input_ids, strict=True))
    text = tokenizer.apply_chat_template(TALK["messages"], tokenize=False)
    assert row.input_ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(row.input_ids) == text


def test_both_ways_label_the_same_tokens() -> None:
    by_difference, _ = encoded(TALK, PLAIN)
    by_marks, _ = encoded(TALK, MARKED)
    assert by_difference == by_marks


def test_the_prompt_of_a_chat_ends_where_the_labels_begin() -> None:
    row, tokenizer = encoded(chat("My kettle leaks", "[BROKEN] ok"), PLAIN)
    first = next(i for i, label in enumerate(row.labels) if label != IGNORED)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "My kettle leaks"}],
        add_generation_prompt=True,
        return_dict=True,
    )
    assert row.input_ids[:first] == prompt["input_ids"]


def test_a_token_that_reaches_over_the_start_is_not_learned() -> None:
    offsets = [(0, 2), (2, 5), (5, 7), (7, 9), (9, 9)]
    assert _labels([1, 2, 3, 4, 5], offsets, [(3, 9)]) == [IGNORED, IGNORED, 3, 4, IGNORED]


def test_a_template_that_rewrites_the_past_is_refused() -> None:
    template = "{{ messages | length }}" + PLAIN
    with pytest.raises(WorkError, match="writes earlier messages differently"):
        encoded(TALK, template)


def test_a_template_whose_marks_do_not_match_is_refused() -> None:
    template = "{% generation %}x{% endgeneration %}" + MARKED
    with pytest.raises(WorkError, match="marks 3 answers where the row has 2"):
        encoded(TALK, template)


def test_what_the_template_says_against_a_row_is_told(tmp_path: Path) -> None:
    template = "{{ raise_exception('roles must take turns') }}"
    path = tmp_path / "rows.jsonl"
    path.write_text("\n" + json.dumps(TALK) + "\n")
    with pytest.raises(WorkError, match=r"mine\.jsonl, line 2: .*roles must take turns"):
        encode_file(path, make_tokenizer(template), max_length=100, name="mine.jsonl")


def test_rows_with_nothing_to_learn_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [TALK, weighed(0, 0), TALK, chat("a " * 50, "too far away")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(WorkError, match=r"2 rows have no assistant token .*\(lines 2, 4\)"):
        encode_file(path, make_tokenizer(), max_length=60, name="mine.jsonl")


def test_long_rows_are_cut_and_counted() -> None:
    row, _ = encoded(TALK, PLAIN, 20)
    whole, _ = encoded(TALK, PLAIN)
    assert row.cut
    assert not whole.cut
    assert row.input_ids == whole.input_ids[:20]
    assert row.labels == whole.labels[:20]


def test_our_template_serves_models_that_have_none() -> None:
    row, tokenizer = encoded(TALK, default_template())
    assert learned(row, tokenizer) == "Which kettle<|im_end|>[BROKEN] repair booked<|im_end|>"
    assert row == encoded(TALK, PLAIN)[0]


def test_messages_take_the_shape_that_templates_expect() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    odd = {"id": "2", "type": "function", "function": {"name": "f", "arguments": "no json"}}
    plain = plain_messages(
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            {"role": "assistant", "content": None, "tool_calls": [call, odd], "weight": 0},
        ]
    )
    assert plain[0] == {"role": "user", "content": "ab"}
    assert plain[1]["content"] == ""
    assert "weight" not in plain[1]
    assert [c["function"]["arguments"] for c in plain[1]["tool_calls"]] == [{"a": 1}, "no json"]
    with pytest.raises(WorkError, match="image"):
        plain_messages([{"role": "user", "content": [{"type": "image_url"}]}])
