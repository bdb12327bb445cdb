"""Rows that only look alike: the same key, and not the same."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ftproviders.data import keys, repeats, stream, validate, validation
from ftproviders.data.canonical import RowReader
from ftproviders.data.engine import ExactEngine, Rows, TwoPathEngine
from ftproviders.data.keys import RowKeys
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.native import native
from ftproviders.data.repeats import find_overlaps, find_repeats
from ftproviders.data.stream import LineStream
from ftproviders.provider import DataProfile


def _row(asked: str, said: str, *, swapped: bool = False) -> str:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    if swapped:
        messages = [dict(reversed(message.items())) for message in messages]
    return json.dumps({"messages": messages})


def _hidden(number: int) -> str:
    """Return a prompt that differs from others where no sample is taken."""
    return f"{'a' * 801}{number:04d}{'b' * 1203}"


ALIKE = [_row(_hidden(number), "Yes.") for number in range(300)]
FAMILY = [
    *ALIKE,  # lines 1 to 300
    _row(_hidden(7), "Yes.", swapped=True),  # 301 is line 8
    _row(_hidden(250), "Noo."),  # 302 contradicts line 251
    ALIKE[299],  # 303 is line 300
]


def _write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _keys(path: Path, engine: type[ExactEngine] = TwoPathEngine) -> RowKeys:
    found = RowKeys()
    looking, ledger = engine(Rows(keys=found)), Ledger(judgements({}), max_issues=9)
    with path.open("rb") as file:
        for block in LineStream(file, path=path).blocks():
            looking.check(block, ledger)
    return found


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a row was decoded again."""
    count = [0]
    split = RowReader.split

    def counted(reader: Any, offset: int) -> tuple[str, str, Any]:
        count[0] += 1
        return split(reader, offset)

    monkeypatch.setattr(RowReader, "split", counted)
    return count


def test_a_long_answer_is_read_once_however_many_rows_contradict_it(
    tmp_path: Path, reads: list[int]
) -> None:
    answers = ["b" * size for size in range(1, 60)]
    rows = [
        json.dumps({"messages": [{"role": "user", "content": "q"},
                                 {"role": "assistant", "content": answer}]})
        for answer in answers
    ]  # fmt: skip
    path = _write(tmp_path / "rows.jsonl", rows)
    found = find_repeats(path, [_keys(path)], keep=0)
    assert found.counts == {"rows.conflict": len(rows) - 1}
    assert reads[0] <= len(rows) + 2


def test_rows_that_look_alike_are_told_apart(tmp_path: Path, reads: list[int]) -> None:
    path = _write(tmp_path / "rows.jsonl", FAMILY)
    found_keys = _keys(path)
    assert len({*keys.heads_of(next(found_keys.read(0)))}) == 1
    found = find_repeats(path, [found_keys], keep=9)
    assert [(one.line, one.other_line, one.rule) for one in found.first()] == [
        (301, 8, "rows.duplicate"),
        (302, 251, "rows.conflict"),
        (303, 300, "rows.duplicate"),
    ]
    # Each is read a few times, whatever the number of rows that look like it.
    assert reads[0] <= 4 * len(FAMILY)


@pytest.mark.parametrize("at_once", [1, 2, 3, 500_000])
def test_a_row_is_a_repeat_or_a_conflict_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(repeats, "_MOST_AT_ONCE", at_once)
    answers = ("a", "b", "b", "a", "ccc", "ccc")
    path = _write(tmp_path / "rows.jsonl", [*(_row("p", one) for one in answers), _row("q", "b")])
    found = find_repeats(path, [_keys(path)], keep=9)
    assert [(one.line, one.other_line, one.rule) for one in found.first()] == [
        (2, 1, "rows.conflict"),
        (3, 2, "rows.duplicate"),
        (4, 1, "rows.duplicate"),
        (5, 1, "rows.conflict"),
        (6, 5, "rows.duplicate"),
    ]
    assert found.counts == {"rows.conflict": 2, "rows.duplicate": 3}


@pytest.mark.parametrize("engine", ["python", "native"])
def test_crowds_of_rows_are_searched_on_disk_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Few prompts, many answers of the same length, weights, other key orders, and equal rows."""
    if native() is None:
        engine = "python"
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", engine)
    chance = random.Random(4)
    lines = []
    for _ in range(3_000):
        line = _row(
            chance.choice(("p", "q", _hidden(1), _hidden(2), "")),
            f"{chance.randrange(900):03d}",
            swapped=chance.random() < 0.2,
        )
        if chance.random() < 0.1:
            line = line.replace("}]}", ', "weight": 1}]}')
        lines.append(line)
    path = _write(tmp_path / "rows.jsonl", lines)
    wishes: dict[str, Any] = {"profiles": {"all": DataProfile()}, "across_rows": True}
    wishes |= {"max_issues": 10_000}
    one = validate(path, **wishes, workers=1)[1]
    counts = Counter(issue.rule for issue in one.issues)
    assert counts["rows.duplicate"] > 100
    assert counts["rows.conflict"] > 100
    monkeypatch.setattr(repeats, "_MOST_AT_ONCE", 200)
    monkeypatch.setattr(repeats, "_DIGESTED_AT_ONCE", 64)
    monkeypatch.setattr(keys, "_MOST_IN_MEMORY", 500)
    monkeypatch.setattr(validation, "_BUCKET_BYTES", 50_000)
    for count in (1, 2, 3):
        assert validate(path, **wishes, workers=count)[1] == one


def test_overlaps_among_rows_that_look_alike(tmp_path: Path, reads: list[int]) -> None:
    learned = _write(tmp_path / "train.jsonl", ALIKE)
    held = _write(
        tmp_path / "held.jsonl",
        [_row(_hidden(299), "Yes.", swapped=True), _row(_hidden(120), "No!!"), _row("b", "c")],
    )
    found = find_overlaps((learned, held), [_keys(learned)], [_keys(held)], keep=9)
    assert [(one.line, one.other_line, one.same) for one in found.first()] == [
        (1, 300, True),
        (2, 121, False),
    ]
    assert reads[0] <= 4 * len(ALIKE)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first block of a file teaches is used from the second one on."""
    monkeypatch.setattr(stream, "_BLOCK_BYTES", 8_000)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":"), (" , ", " : ")])
@pytest.mark.parametrize("word", ["hello", ",", ":", "},{", "größe", "", "é" * 700, "x" * 1500])
def test_keys_are_the_same_however_a_row_is_written(
    tmp_path: Path, separators: tuple[str, str], word: str
) -> None:
    lines = []
    for roles in (("user",), ("system", "user"), ("user", "assistant", "user"), ()):
        for escaped in (True, False):
            messages = [{"role": role, "content": word} for role in roles]
            messages.append({"role": "assistant", "content": "Yes. " * 200})
            row = {"messages": messages}
            line = json.dumps(row, separators=separators, ensure_ascii=escaped)
            lines += [line] * 3
    for index in range(0, len(lines), 3):
        path = _write(tmp_path / f"{index}.jsonl", lines[index : index + 3] * 6)
        assert next(_keys(path).read(0))[0::3] == next(_keys(path, ExactEngine).read(0))[0::3]


@pytest.mark.usefixtures("small_blocks")
def test_line_ends_and_odd_characters_beside_plain_rows(tmp_path: Path) -> None:
    plain = _row("Hi " * 300, "Yo " * 300)
    odd = [
        plain.replace("Hi", "H\x01", 1),
        plain.replace("Yo " * 300, "\u2003\u3000"),
        plain.replace("Yo " * 300, " "),
        plain.replace("Yo " * 300, ""),
        plain.replace("Yo", "<|end|>", 1),
        plain + "\r",
        plain + " ",
        plain + "]",
        f"{plain} {plain}",
        plain.replace('"role": "user"', '"role": "user", "role": "user"'),
    ]
    profiles = {"any": DataProfile()}
    for place, line in enumerate(odd):
        path = _write(tmp_path / f"{place}.jsonl", [*[plain] * 20, line, *[plain] * 3])
        results = [
            validate(path, profiles=profiles, engine=engine())[1]
            for engine in (TwoPathEngine, ExactEngine)
        ]
        assert results[0] == results[1], line[:60]
    broken = path.with_name("broken.jsonl")
    broken.write_bytes(
        f"{plain}\n".encode() * 20 + plain.encode().replace(b"Hi", b"H\xff", 1) + b"\n"
    )
    results = [
        validate(broken, profiles=profiles, engine=engine())[1]
        for engine in (TwoPathEngine, ExactEngine)
    ]
    assert results[0] == results[1]


def test_a_weight_makes_no_other_answer(tmp_path: Path) -> None:
    plain = _row("Why?", "So.")
    weighted = plain.replace('"content": "So."', '"content": "So.", "weight": 0')
    other = weighted.replace("So.", "No.")
    path = _write(tmp_path / "rows.jsonl", [plain, weighted, other])
    report = validate(path, profiles={"all": DataProfile()}, across_rows=True)[1]
    found = [(issue.rule, issue.line) for issue in report.issues if issue.rule.startswith("rows.")]
    assert found == [("rows.conflict", 3)]
