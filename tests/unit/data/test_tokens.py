"""Tokens: the published numbers in both encodings, samples that keep their interval, estimates."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from ftproviders.data import find_base_model, validate
from ftproviders.data.tokens import (
    ChatTokenizer,
    RowCounter,
    RowTokens,
    count_file,
    default_epochs,
    encoding_of,
    load_encoding,
)
from ftproviders.data.tokens import encodings as encodings_module
from ftproviders.data.tokens import totals as totals_module
from ftproviders.errors import MissingDependencyError
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Distribution

DATA = Path("tests/data")
COOKBOOK = DATA / "openai_cookbook/toy_chat_fine_tuning.jsonl"
TRAINING = DATA / "azure_openai_clippy/sft_training_set.jsonl"
VALIDATION = DATA / "azure_openai_clippy/sft_validation_set.jsonl"

CL100K, O200K = ChatTokenizer("cl100k_base"), ChatTokenizer("o200k_base")


def figures(found: Distribution | None) -> tuple[int, int, float, float]:
    assert found is not None
    return found.minimum, found.maximum, round(found.mean, 4), found.median


def test_cookbook_numbers() -> None:
    found = count_file(COOKBOOK, CL100K, limit=4096)
    assert figures(found.per_row) == (26, 8032, 1648.4, 45)
    assert figures(found.assistant_per_row) == (4, 8000, 1610.2, 10)
    assert found.per_row is not None
    assert found.per_row.q10 == pytest.approx(26.8)
    assert found.per_row.q90 == pytest.approx(4863.6)
    assert (found.total, found.assistant) == (8242, 8051)
    assert found.rows_over_limit == 1
    assert found.billable == 4306
    assert default_epochs(5) == 20
    assert found.billable * default_epochs(5) == 86_120
    assert found.exact
    assert "cl100k_base" in found.method
    assert (found.low, found.high, found.sample_rows) == (None, None, None)


@pytest.mark.parametrize(
    ("file", "tokenizer", "total", "assistant"),
    [
        (TRAINING, CL100K, (47, 62, 52.1, 50.5), (13, 30, 17.6, 15.5)),
        (TRAINING, O200K, (46, 59, 49.8, 48.5), (13, 28, 16.5, 14.0)),
        (VALIDATION, CL100K, (43, 65, 51.4, 49.0), (8, 29, 15.9, 13.5)),
        (VALIDATION, O200K, (41, 64, 48.9, 47.0), (8, 29, 15.0, 12.5)),
    ],
)
def test_azure_tutorial_numbers(
    file: Path,
    tokenizer: ChatTokenizer,
    total: tuple[int, int, float, float],
    assistant: tuple[int, int, float, float],
) -> None:
    found = count_file(file, tokenizer)
    assert figures(found.per_row) == total
    assert figures(found.assistant_per_row) == assistant


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [(0, 0), (1, 25), (4, 25), (5, 20), (33, 3), (34, 3), (8_333, 3), (8_334, 2), (25_001, 1),
     (90_000, 1)],
)  # fmt: skip
def test_default_epochs(rows: int, epochs: int) -> None:
    assert default_epochs(rows) == epochs


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4.1-mini-2025-04-14", "o200k_base"),
        ("o4-mini-2025-04-16", "o200k_base"),
        ("gpt-oss-20b", "o200k_base"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "o200k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("gpt-35-turbo-0613", "cl100k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("GPT-4", "cl100k_base"),
        ("babbage-002", "cl100k_base"),
        ("llama-3.1-8b", None),
        ("gpt-4x", None),
        ("", None),
    ],
)
def test_encoding_of_a_model(model: str, encoding: str | None) -> None:
    assert encoding_of(model) == encoding


def text_tokens(text: str) -> int:
    return load_encoding("o200k_base")(text)


def test_what_counts_in_a_row() -> None:
    call = {"id": "call_0123456789abcdef", "type": "function",
            "function": {"name": "look_up", "arguments": '{"city": "Oslo"}'}}  # fmt: skip
    messages: list[dict[str, Any]] = [
        {"role": "system", "name": "rules", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 9000}"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0123456789abcdef", "content": "sunny"},
        {"role": "assistant", "refusal": "No idea.", "weight": 1},
    ]  # fmt: skip
    said = text_tokens("look_up") + text_tokens('{"city": "Oslo"}') + text_tokens("No idea.")
    roles = sum(text_tokens(str(message["role"])) for message in messages)
    expected = 3 + 3 * 5 + roles + said + text_tokens("sunny") + text_tokens("What is this?")
    expected += text_tokens("Be brief.") + text_tokens("rules") + 1
    assert O200K.row({"messages": messages}) == RowTokens(expected, said)
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    written = text_tokens('[{"type":"function","function":{"name":"look_up"}}]')
    assert O200K.row({"messages": messages, "tools": tools}).total == expected + written


def test_rows_of_other_methods() -> None:
    user, yes, no = "Which?", "The first one.", "None"
    pair = {
        "input": {"messages": [{"role": "user", "content": user}]},
        "preferred_output": [{"role": "assistant", "content": yes}],
        "non_preferred_output": [{"role": "assistant", "content": no}],
    }
    answers = text_tokens(yes) + text_tokens(no)
    labels = text_tokens("user") + 2 * text_tokens("assistant")
    assert O200K.row(pair) == RowTokens(3 + 9 + labels + text_tokens(user) + answers, answers)
    completion = {"prompt": user, "completion": yes}
    assert O200K.row(completion) == RowTokens(
        3 + text_tokens(user) + text_tokens(yes), text_tokens(yes)
    )
    assert O200K.row({"text": yes}) == RowTokens(3 + text_tokens(yes), 0)
    for nothing in (None, 3, "x", [], {}, {"messages": 1}, {"messages": []}):
        assert O200K.row(nothing) == RowTokens(0, 0)


def test_odd_texts_never_raise() -> None:
    for text in ("\ud800", "<|endoftext|>", "\x00", "👩‍👧", ""):
        row = {"messages": [{"role": "assistant", "content": text}]}
        assert CL100K.row(row).total >= 3 + 3 + 1
    assert load_encoding("cl100k_base")("<|endoftext|>") > 1  # ordinary text, no control token


def test_tokens_never_exceed_bytes() -> None:
    chance = random.Random(4)
    for _ in range(300):
        letters = [chr(chance.randrange(1, 0x2FFF)) for _ in range(chance.randrange(1, 60))]
        message = {"role": "assistant", "content": "".join(letters), "name": "n"}
        line = json.dumps({"messages": [message]}, ensure_ascii=False)
        for tokenizer in (CL100K, O200K):
            row = tokenizer.row({"messages": [message]})
            assert row.total <= len(line.encode("utf-8", "surrogatepass"))


def large_file(folder: Path, rows: int = 9_000, *, seed: int = 7) -> Path:
    """Write rows like ours, of very different length."""
    chance = random.Random(seed)
    words = [line for line in TRAINING.read_text(encoding="utf-8").split() if line.isalpha()]
    words += ["straße", "señor", "東京", "naïve", "12345", "e-mail", "{}();"]
    file = folder / "large.jsonl"
    with file.open("w", encoding="utf-8") as out:
        out.write("\ufeff")
        for number in range(rows):
            texts = [
                " ".join(chance.choices(words, k=chance.choice((3, 9, 60, 400)))) for _ in "ab"
            ]
            row = {"messages": [{"role": "user", "content": texts[0]},
                                {"role": "assistant", "content": texts[1]}]}  # fmt: skip
            out.write(json.dumps(row, ensure_ascii=chance.random() < 0.1) + "\n")
            if number % 97 == 0:
                out.write("\n")
    return file


@pytest.mark.slow
def test_sample_keeps_its_interval(tmp_path: Path) -> None:
    file = large_file(tmp_path)
    exact = count_file(file, O200K, exact=True, limit=500)
    assert exact.exact
    inside = 0
    for seed in range(40):
        sample = count_file(file, O200K, seed=seed, limit=500)
        assert not sample.exact
        assert sample.sample_rows is not None
        assert sample.sample_rows >= 1_000
        assert sample.low is not None
        assert sample.high is not None
        assert sample.low <= sample.total <= sample.high
        assert (sample.high - sample.total) / sample.total < 0.0101
        assert abs(sample.total / exact.total - 1) < 0.02
        inside += sample.low <= exact.total <= sample.high
        assert sample.billable == pytest.approx(exact.billable, rel=0.05)
        assert sample.assistant == pytest.approx(exact.assistant, rel=0.15)
        assert sample.per_row is not None
        assert exact.per_row is not None
        assert sample.per_row.mean == pytest.approx(exact.per_row.mean, rel=0.2)
    assert inside >= 34  # 38 of 40 are expected of a 95 % interval
    assert count_file(file, O200K, seed=3) == count_file(file, O200K, seed=3)
    assert count_file(file, O200K, seed=3).total != count_file(file, O200K, seed=4).total


def test_wide_spread_takes_more_rows_or_all(tmp_path: Path) -> None:
    file = tmp_path / "images.jsonl"
    chance = random.Random(2)
    picture = f"data:image/png;base64,{'iVBORw0KGgo' * 2_000}"
    with file.open("w", encoding="utf-8") as out:
        for _ in range(600):
            parts: list[dict[str, Any]] = [{"type": "text", "text": "word " * 50}]
            if chance.random() < 0.5:
                parts.append({"type": "image_url", "image_url": {"url": picture}})
            messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "ok"}]
            out.write(json.dumps({"messages": messages}) + "\n")
    assert file.stat().st_size > 4 * 2**20
    found = count_file(file, O200K)
    assert found.exact
    assert found.per_row is not None
    assert found.per_row.count == 600
    assert found.per_row.maximum < 100


def test_second_sample_is_as_large_as_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals_module, "_FIRST_SAMPLE", 30)
    file = large_file(tmp_path, rows=20_000)
    found = count_file(file, O200K)
    assert found.sample_rows is not None
    assert 30 < found.sample_rows < 10_000
    assert found.high is not None
    assert (found.high - found.total) / found.total < 0.02


def test_long_rows_are_counted_once_however_often_they_are_drawn(tmp_path: Path) -> None:
    """A row of 3 MB in a file of 8 MB is drawn some 375 times."""
    file = tmp_path / "rows.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for words in (750_000, *[20] * 40_000):
            messages = [{"role": "assistant", "content": "word " * words}]
            out.write(json.dumps({"messages": messages}) + "\n")
    asked = Counted()
    found = count_file(file, asked, limit=1_000)
    assert not found.exact
    assert found.sample_rows == 1_000
    assert asked.rows <= 700
    true = 750_007 + 40_000 * 27
    assert found.total == pytest.approx(true, rel=0.1)


def test_a_file_of_few_long_rows_is_counted_whole(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    messages = [{"role": "assistant", "content": "word " * 100_000}]
    file.write_text((json.dumps({"messages": messages}) + "\n") * 12, encoding="utf-8")
    assert file.stat().st_size > 4 * 2**20
    asked = Counted()
    found = count_file(file, asked)
    assert found.exact
    assert found.total == 12 * 100_008
    assert asked.rows <= 24


class Counted:
    """Counts as o200k does, and remembers how many rows it was asked for."""

    name = "o200k"
    method = "counted"

    def __init__(self) -> None:
        self.rows = 0

    def row(self, row: object) -> RowTokens:
        self.rows += 1
        return O200K.row(row)


def test_lines_that_are_no_json_have_no_tokens(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    good = COOKBOOK.read_bytes()
    file.write_bytes(b"\xef\xbb\xbf" + good + b"\n{broken\n\n[1]\n\xff\xfe\nnull\n" + b"[" * 5000)
    assert count_file(file, CL100K).total == 8242


def test_rows_over_a_limit() -> None:
    counter = RowCounter(CL100K, limit=4096)
    rows = [json.loads(line) for line in COOKBOOK.read_text(encoding="utf-8").splitlines()]
    assert max(map(counter, rows)) == 8032
    assert counter.over == 1


def test_progress_is_told(tmp_path: Path) -> None:
    file = large_file(tmp_path, rows=3_000)
    told: list[tuple[int, int]] = []
    count_file(file, O200K, exact=True, on_progress=lambda done, size: told.append((done, size)))
    size = file.stat().st_size
    assert told == sorted(told)
    assert {total for _, total in told} == {size}


def test_without_the_ranks_there_is_a_line_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load_encoding.cache_clear()
    monkeypatch.setitem(sys.modules, "quicktok", None)
    monkeypatch.setattr(encodings_module, "_MODULE", "quicktok_that_is_not_there")
    try:
        with pytest.raises(MissingDependencyError) as caught:
            load_encoding("o200k_base")
    finally:
        load_encoding.cache_clear()
    assert "pip install 'ftproviders[tokens]'" in (caught.value.hint or "")


def check(file: Path, model: str | None, *, exact: bool = False, limit: int | None = None) -> Any:
    found = find_base_model(model, exact=exact, cache=Path("/nowhere"))
    profiles = {"any": DataProfile(maximum_row_tokens=limit)}
    return validate(file, profiles=profiles, model=found, exact_tokens=exact)[1]


def test_validate_counts_with_the_models_encoding() -> None:
    report = check(COOKBOOK, "gpt-3.5-turbo-0613", limit=4096)
    assert (report.tokens.total, report.tokens.exact) == (8242, True)
    assert report.tokens.tokenizer == "cl100k_base"
    assert (report.tokens.billable, report.tokens.rows_over_limit) == (4306, 1)
    (issue,) = [issue for issue in report.issues if issue.rule == "row.tokens"]
    assert "8,032 tokens" in issue.message
    assert issue.severity == "warning"
    newer = check(COOKBOOK, "gpt-4o-2024-08-06")
    assert newer.tokens.tokenizer == "o200k_base"
    assert (newer.tokens.limit, newer.tokens.rows_over_limit) == (None, None)


def test_validate_without_a_model_estimates_by_size() -> None:
    report = check(TRAINING, None)
    assert not report.tokens.exact
    assert report.tokens.tokenizer is None
    exact = check(TRAINING, None, exact=True)
    assert (exact.tokens.total, exact.tokens.tokenizer) == (498, "o200k_base")


def test_unknown_models_are_estimated_with_a_hint() -> None:
    report = check(TRAINING, "somebody/something-7b")
    assert not report.tokens.exact
    assert "somebody/something-7b" in report.tokens.hint
    assert report.template is None


def test_validate_without_the_ranks_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load_encoding.cache_clear()
    monkeypatch.setattr(encodings_module, "_MODULE", "quicktok_that_is_not_there")
    try:
        report = check(TRAINING, "gpt-4o-mini", exact=True)
    finally:
        load_encoding.cache_clear()
    assert not report.tokens.exact
    assert "pip install 'ftproviders[tokens]'" in report.tokens.hint


def test_rows_over_the_limit_are_exact_in_a_sampled_file(tmp_path: Path) -> None:
    file = large_file(tmp_path)
    long = {"messages": [{"role": "user", "content": "x " * 4000},
                         {"role": "assistant", "content": "y"}]}  # fmt: skip
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(long) + "\n")
    report = check(file, "gpt-4o", limit=3_000)
    assert not report.tokens.exact
    assert report.tokens.rows_over_limit == 1
    (issue,) = [issue for issue in report.issues if issue.rule == "row.tokens"]
    assert issue.line == file.read_bytes().count(b"\n")
