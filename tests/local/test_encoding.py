"""Loss on the assistant's words only, proved token by token."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from ftproviders.adapters.local import PROVIDER
from ftproviders.data import read_rows, validate
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
from tests.unit.data.data_cases import (
    ANSWER,
    CALL,
    GOOD,
    ROW_CASES,
    TOOLS,
    USER,
    assistant,
    called,
)
from tests.unit.data.data_cases import row as row_of

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


def with_bos(template: str) -> Any:
    """Return a tokenizer that puts <|im_start|> before every text, as Llama's does."""
    tokenizer = make_tokenizer(template)
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", start)]
    )
    assert tokenizer("Yo")["input_ids"][0] == start
    return tokenizer


@pytest.mark.parametrize("template", [PLAIN, MARKED], ids=["difference", "marks"])
def test_what_the_template_begins_with_is_not_doubled(template: str) -> None:
    tokenizer = with_bos(template)
    row = encode_row(TALK, tokenizer, max_length=500)
    assert row == encoded(TALK, template)[0]
    assert row.input_ids == tokenizer.apply_chat_template(TALK["messages"], return_dict=False)
    assert row.input_ids[:2].count(tokenizer.bos_token_id) == 1


BARE = "{% for m in messages %}{{ m['content'] + '<|im_end|>' }}{% endfor %}"
BARE_MARKED = (
    "{% for m in messages %}{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% endfor %}"
)


@pytest.mark.parametrize("template", [BARE, BARE_MARKED], ids=["difference", "marks"])
def test_the_first_token_of_a_row_is_never_learned(template: str) -> None:
    row, tokenizer = encoded({"messages": [TALK["messages"][2]]}, template)
    assert tokenizer.decode(row.input_ids) == "Which kettle<|im_end|>"
    assert row.labels == [IGNORED, *row.input_ids[1:]]
    assert len(row.labels) > 2


def test_an_answer_goes_on_to_the_last_end_that_it_has() -> None:
    row, tokenizer = encoded(chat("My kettle leaks", "Which<|im_end|> kettle"), PLAIN)
    assert learned(row, tokenizer) == "Which<|im_end|> kettle<|im_end|>"
    # What the template writes after the end is not the assistant's.
    assert tokenizer.decode(row.input_ids).endswith("kettle<|im_end|>\n")


def accepted_rows() -> list[str]:
    """Return the rows of the rule table, broken ones too, that validation accepts for ``local``."""
    texts = [GOOD, *(text for case in ROW_CASES.values() for text in (case.inside, case.row))]
    digits = '"content": "Yo", "metadata": ' + "9" * 5000
    texts += [
        called(CALL.replace("1}", "9" * 5000 + "}"), extra=f', "tools": {TOOLS}'),
        row_of(USER, assistant(digits)),
        row_of(USER, assistant(f'"content": "a\u2028b{chr(0x85)}c"')),
        row_of(USER, assistant('"content": null, "audio": {"id": "a"}, "refusal": "No"')),
        row_of(USER, '{"role": "function", "name": "f", "content": null}', ANSWER),
        row_of(USER, assistant('"content": "Yo", "weight": null, "tool_calls": null')),
    ]
    return [text for text in texts if accepted(text.encode())]


def accepted(content: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        file.write_bytes(content)
        return validate(file, profiles={"local": PROVIDER.data})[1].ok("local")


ACCEPTED = accepted_rows()


def test_validation_accepts_rows_of_many_kinds_and_none_with_images() -> None:
    assert len(ACCEPTED) > 45
    assert not [text for text in ACCEPTED if "image_url" in text]
    for rule in ("image.url", "image.detail"):
        assert not accepted(ROW_CASES[rule].inside.encode())


@pytest.mark.parametrize("template", [PLAIN, MARKED, None], ids=["difference", "marks", "ours"])
def test_what_validation_accepts_can_be_encoded(tmp_path: Path, template: str | None) -> None:
    tokenizer = make_tokenizer(template or default_template())
    for text in ACCEPTED:
        file = tmp_path / "rows.jsonl"
        file.write_text(text, encoding="utf-8")
        (row,) = encode_file(file, tokenizer, max_length=100_000, name="rows").rows
        assert learned(row, tokenizer).endswith("<|im_end|>"), text


@given(
    st.lists(st.sampled_from(ACCEPTED), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\r\n", "\r\n\r"]),
    st.sampled_from([" ", "\r", "\t", "\r\r "]),
    st.booleans(),
)
@settings(max_examples=60)
def test_worker_and_validation_see_the_same_rows(
    texts: list[str], end: str, space: str, bom: bool
) -> None:
    spaced = [text.replace('"messages": [', f'"messages":{space}[{space}', 1) for text in texts]
    content = ("\ufeff" * bom + end.join(spaced) + end).encode()
    tokenizer = make_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        file.write_bytes(content)
        assert validate(file, profiles={"local": PROVIDER.data})[1].ok("local")
        rows = encode_file(file, tokenizer, max_length=100_000, name="rows").rows
        assert len(rows) == len(texts)
        read = [row for _, row in read_rows(file, profile=PROVIDER.data)]
        assert rows == [encode_row(row, tokenizer, max_length=100_000) for row in read]


def test_a_row_is_named_by_its_line_whatever_white_space_it_has(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good, bad = (json.dumps(row, indent=1).replace("\n", "\r") for row in (TALK, weighed(0, 0)))
    path.write_bytes(f"{good}\n\r\n{bad}\n".encode())
    with pytest.raises(WorkError, match=r"\(lines 3\)"):
        encode_file(path, make_tokenizer(), max_length=500, name="mine.jsonl")


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
