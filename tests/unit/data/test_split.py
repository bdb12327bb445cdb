"""Splitting: exact sizes, groups together, whatever the order; and what leaks."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftproviders.data.splitting import split
from ftproviders.errors import ConfigurationError, DatasetError


def rows_of(count: int, *, prompts: int | None = None) -> list[str]:
    """Return rows as text; with `prompts`, so many different questions."""
    return [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"question {n % (prompts or count)}"},
                    {"role": "assistant", "content": f"answer {n}"},
                ],
                "by": {"user": n % 7},
            }
        )
        for n in range(count)
    ]


def run(folder: Path, rows: Sequence[str], **more: Any) -> tuple[dict[str, list[str]], Any]:
    """Split rows; return the lines of each part, and the report."""
    (folder / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    report = split(folder / "rows.jsonl", overwrite=True, **more)
    parts = {part.name: part.file.read_text("utf-8").splitlines() for part in report.parts}
    assert {part.name: part.rows for part in report.parts} == {n: len(r) for n, r in parts.items()}
    return parts, report


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, {"train": 90, "validation": 10}),
        ({"validation": 0.25}, {"train": 75, "validation": 25}),
        ({"validation": 1}, {"train": 99, "validation": 1}),
        ({"validation": 0.001}, {"train": 99, "validation": 1}),
        ({"validation": 99}, {"train": 1, "validation": 99}),
        ({"validation": 20, "test": 0.3}, {"train": 50, "validation": 20, "test": 30}),
    ],
)
def test_sizes_are_exact_and_every_row_is_somewhere(
    tmp_path: Path, sizes: dict[str, Any], expected: dict[str, int]
) -> None:
    rows = rows_of(100)
    parts, report = run(tmp_path, rows, **sizes)

    assert {name: len(part) for name, part in parts.items()} == expected
    assert sorted(line for part in parts.values() for line in part) == sorted(rows)
    for part in parts.values():
        assert part == [row for row in rows if row in set(part)]  # the file's own order
    assert (report.rows, report.groups, report.group_by) == (100, 100, "row")
    assert report.shared_prompts == 0


def test_order_does_not_count_and_the_seed_does(tmp_path: Path) -> None:
    rows = rows_of(200)
    first, _ = run(tmp_path, rows, seed=1)
    random.Random(3).shuffle(rows)
    again, _ = run(tmp_path, rows, seed=1)
    other, _ = run(tmp_path, rows, seed=2)

    assert set(first["validation"]) == set(again["validation"])
    assert set(first["validation"]) != set(other["validation"])


def test_more_rows_move_few(tmp_path: Path) -> None:
    before, _ = run(tmp_path, rows_of(500))
    after, _ = run(tmp_path, rows_of(550))
    assert len(set(before["validation"]) & set(after["train"])) <= 15


def test_equal_rows_stay_together_also_with_other_key_order(tmp_path: Path) -> None:
    rows = rows_of(40)
    turned = [json.dumps(dict(reversed(json.loads(row).items()))) for row in rows]
    parts, report = run(tmp_path, rows + turned, validation=0.5)
    for row, other in zip(rows, turned, strict=True):
        assert (row in parts["train"]) is (other in parts["train"])
    assert report.groups == 40


@pytest.mark.parametrize(
    ("group_by", "groups", "key"),
    [
        ("by.user", 7, lambda row: row["by"]["user"]),
        ("prompt", 30, lambda row: row["messages"][0]["content"]),
    ],
)
def test_groups_stay_together(tmp_path: Path, group_by: str, groups: int, key: Any) -> None:
    parts, report = run(tmp_path, rows_of(210, prompts=30), validation=0.3, group_by=group_by)
    sides = [{key(json.loads(row)) for row in part} for part in parts.values()]

    assert sides[0] & sides[1] == set()
    assert report.groups == groups
    assert abs(len(parts["validation"]) - 63) <= 15
    assert (report.shared_prompts == 0) is (group_by == "prompt")


def test_prompts_on_both_sides_are_counted(tmp_path: Path) -> None:
    parts, report = run(tmp_path, rows_of(200, prompts=50), validation=0.5)
    asked = [{json.loads(row)["messages"][0]["content"] for row in part} for part in parts.values()]
    assert report.shared_prompts == len(asked[0] & asked[1]) > 20


@settings(deadline=None, max_examples=40)
@given(
    groups=st.lists(st.integers(0, 12), min_size=2, max_size=60),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 5),
)
def test_any_groups(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int], share: float, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    rows = [json.dumps({"group": group, "n": n}) for n, group in enumerate(groups)]
    wanted = max(round(share * len(rows)), 1)
    if len(set(groups)) < 2 or wanted >= len(rows):
        return
    parts, report = run(folder, rows, validation=share, group_by="group", seed=seed)
    sides = [{json.loads(row)["group"] for row in part} for part in parts.values()]
    assert sides[0] & sides[1] == set()
    assert all(parts.values())
    assert sorted(parts["train"] + parts["validation"]) == sorted(rows)
    assert report.parts[1].wanted == wanted


def test_rows_are_copied_byte_for_byte(tmp_path: Path) -> None:
    row = '{ "messages" :[{"role":"user","content":"\\u00e9 é"}],  "x": 1.10}'
    source = tmp_path / "rows.jsonl"
    source.write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join([row, "", "  " + row.replace("1.10", "2") + " "]).encode()
    )
    report = split(source, validation=1)
    written = b"".join(part.file.read_bytes() for part in report.parts)
    assert sorted(written.decode().splitlines()) == sorted([row, row.replace("1.10", "2")])


@pytest.mark.parametrize(
    ("content", "more", "error", "message"),
    [
        ("", {}, DatasetError, "has no rows"),
        ("a,b\n1,2\n", {}, DatasetError, "looks like a table"),
        ('{"a": 1}\n{"a": 1,}\n', {}, DatasetError, "line 2: not valid JSON at column 9"),
        ('{"a": 1}\n{"b": 1}\n', {"group_by": "a"}, DatasetError, "line 2: the row has no 'a'"),
        ('{"a": 1}\n{"a": 1}\n', {"group_by": "a.b"}, DatasetError, "line 1: .* 'a.b'"),
        ('{"a": 1}\n{"a": 1}\n', {}, DatasetError, "too few groups"),
        ('{"a": 1}\n{"a": 2}\n', {"validation": 2}, ConfigurationError, "2 were asked for"),
        ('{"a": 1}\n', {"validation": 1.5}, ConfigurationError, "1.5 is no size"),
        ('{"a": 1}\n', {"validation": 0}, ConfigurationError, "0 is no size"),
        ('{"a": 1}\n', {"test": -1}, ConfigurationError, "-1 is no size"),
        ('{"a": 1}\n', {"group_by": "a."}, ConfigurationError, "no field"),
        ('{"a": 1}\n', {"seed": 2**70}, ConfigurationError, "too large"),
    ],
)
def test_what_cannot_be_split(
    tmp_path: Path, content: str, more: dict[str, Any], error: type[Exception], message: str
) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text(content)
    with pytest.raises(error, match=message):
        split(source, **more)
    assert list(tmp_path.iterdir()) == [source]


def test_files_that_are_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(rows_of(20)))
    (tmp_path / "rows.train.jsonl").write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        split(tmp_path / "rows.jsonl")
    assert (tmp_path / "rows.train.jsonl").read_text() == "mine"
    assert not (tmp_path / "rows.validation.jsonl").exists()
    with pytest.raises(DatasetError, match="does not exist"):
        split(tmp_path / "nowhere.jsonl")


def test_a_file_that_changes_meanwhile_is_not_split(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(rows_of(20)))
    grown: list[int] = []

    def grow(read: int, total: int) -> None:
        if grown or not list(tmp_path.glob(".*.part")):
            return  # the rows are still being noted, or it is enough
        grown.append(read)
        with source.open("a") as file:
            file.write("\n" + rows_of(1)[0])

    with pytest.raises(DatasetError, match="was changed"):
        split(source, on_progress=grow)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftproviders.data.splitting.notes._RUN", 1000)
    monkeypatch.setattr("ftproviders.data.splitting.notes._MERGE_BUFFER", 100)

    def peak(count: int) -> int:
        (tmp_path / "rows.jsonl").write_text("\n".join(rows_of(count, prompts=count // 2)))
        tracemalloc.start()
        try:
            split(tmp_path / "rows.jsonl", overwrite=True)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(24_000) < peak(8_000) * 1.4
