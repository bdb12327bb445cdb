"""Distributions: equal to what a sorted list says, in bounded memory, however parts are added."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftproviders.data import histogram as histogram_module
from ftproviders.data import validate
from ftproviders.data.engine import ExactEngine
from ftproviders.data.histogram import Histogram
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.hyperparameters import Method

COOKBOOK = Path("tests/data/openai_cookbook/toy_chat_fine_tuning.jsonl")


def linear(values: list[int], quantile: float) -> float:
    """Return a quantile the slow way."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * quantile
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@given(st.lists(st.integers(0, 10**7), min_size=1), st.integers(0, 20))
def test_distribution_is_that_of_the_sorted_numbers(values: list[int], cut: int) -> None:
    whole, part = Histogram(), Histogram()
    whole.add(values[:cut])
    for value in values[cut:]:
        part.add_one(value)
    whole.merge(part)
    found = whole.distribution()
    assert found is not None
    assert (found.count, found.minimum, found.maximum) == (len(values), min(values), max(values))
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.median == pytest.approx(statistics.median(values))
    for name, quantile in (("q05", 0.05), ("q10", 0.1), ("q90", 0.9), ("q95", 0.95)):
        assert getattr(found, name) == pytest.approx(linear(values, quantile))
    assert not whole.coarse


def test_memory_is_bounded_and_the_error_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram_module, "_DISTINCT", 10_000)
    values = [(number * 7919) % 3_000_017 for number in range(60_000)]
    seen = Histogram()
    for start in range(0, len(values), 1_000):
        seen.add(values[start : start + 1_000])
        assert len(seen.counts) <= 25_000
    found = seen.distribution()
    assert found is not None
    assert seen.coarse
    assert (found.minimum, found.maximum, found.count) == (min(values), max(values), len(values))
    assert found.mean == pytest.approx(statistics.fmean(values))
    for name, quantile in (("q05", 0.05), ("median", 0.5), ("q95", 0.95)):
        assert getattr(found, name) == pytest.approx(linear(values, quantile), rel=1e-3)


def test_coarse_counts_do_not_depend_on_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram_module, "_DISTINCT", 50)
    values = [*range(1_000_000, 1_002_000, 7), 1_000_003, 1_000_009, 1_001_999]
    whole, backwards, first, second = (Histogram() for _ in range(4))
    whole.add(values)
    for value in reversed(values):
        backwards.add_one(value)
    first.add(values[:20])
    second.add(values[20:])
    first.merge(second)
    assert whole.coarse
    assert whole.distribution() == backwards.distribution() == first.distribution()


def test_nothing_counted_has_no_distribution() -> None:
    assert Histogram().distribution() is None
    empty = Histogram()
    empty.merge(Histogram())
    empty.add([])
    assert empty == Histogram()


def messages_of(line: str) -> list[dict[str, str]]:
    loaded: list[dict[str, str]] = json.loads(line)["messages"]
    return loaded


def test_published_rows_have_the_published_statistics() -> None:
    found = validate(COOKBOOK, profiles={})[1].statistics
    rows = [messages_of(line) for line in COOKBOOK.read_text(encoding="utf-8").splitlines()]
    assert found.messages_per_row is not None
    assert found.characters_per_row is not None
    assert (found.rows_without_system, found.rows_without_user) == (1, 1)
    assert (found.messages_per_row.minimum, found.messages_per_row.maximum) == (2, 9)
    assert found.messages_per_row.mean == pytest.approx(3.8)
    assert found.messages_per_row.median == 3
    sizes = [sum(len(m["content"]) for m in row) for row in rows]
    assert found.characters_per_row.maximum == max(sizes)
    assert found.characters_per_row.mean == pytest.approx(statistics.fmean(sizes))
    assert found.characters_by_role["user"].count == 4
    answers = [sum(len(m["content"]) for m in row if m["role"] == "assistant") for row in rows]
    assert found.characters_by_role["assistant"].q90 == pytest.approx(linear(answers, 0.9))


def test_both_paths_and_all_kinds_of_rows_have_the_same_statistics(tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    plain = (
        '{"messages": [{"role": "user", "content": "Hé"}, {"role": "assistant", "content": "Y"}]}'
    )
    parts = plain.replace('"Hé"', '[{"type": "text", "text": "abc"}]')
    calls = (
        '{"messages": [{"role": "developer", "content": "d"}, {"role": "user", "content": "u"}, '
        '{"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": '
        '{"name": "f", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "1", "content": '
        '"five5"}, {"role": "assistant", "content": "end", "weight": 1}]}'
    )
    broken = '{"messages": [{"role": "robot", "content": "x"}]}'
    file.write_text(f"{plain}\n{parts}\n{calls}\n{plain}\n{broken}\n{{\n", encoding="utf-8")
    fast = validate(file, profiles={})[1].statistics
    exact: DatasetStatistics = validate(file, profiles={}, engine=ExactEngine())[1].statistics
    assert fast == exact
    assert fast.rows_without_system == 3
    assert fast.messages_per_row is not None
    assert (fast.messages_per_row.count, fast.messages_per_row.maximum) == (4, 5)
    assert fast.characters_by_role["tool"].maximum == 5
    assert fast.characters_by_role["assistant"].maximum == len("f{}end")


def test_pairs_and_completions_are_estimated_by_what_a_model_reads(tmp_path: Path) -> None:
    ask, better, worse = "a" * 40, "b" * 20, "é" * 10
    say = [{"role": "assistant", "content": better}], [{"role": "assistant", "content": worse}]
    asked = [{"role": "user", "content": ask}]
    rows: list[dict[str, object]] = [
        {"input": {"messages": asked}, "preferred_output": say[0], "non_preferred_output": say[1]},
        {"prompt": ask, "chosen": better, "rejected": worse},
        {"prompt": asked, "completion": say[0]},
        {"text": ask},
        {"input": "x", "messages": 5, "text": ask},  # broken, and nothing to count
    ]
    sizes = []
    for row in rows:
        file = tmp_path / "rows.jsonl"
        file.write_text(json.dumps(row) + "\n", encoding="utf-8")
        report = validate(file, profiles={})[1]
        sizes.append(report.statistics.text_bytes)
        assert report.tokens.total == -(-report.statistics.text_bytes // 4)
    assert sizes == [120, 120, 60, 40, 0]


def test_pairs_and_completions_count_who_says_what(tmp_path: Path) -> None:
    """Each text once, as it stands in the row."""
    ask, better, worse = "a" * 40, "b" * 20, "é" * 10
    say = [{"role": "assistant", "content": better}], [{"role": "assistant", "content": worse}]
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": ask}]
    pairs: list[dict[str, object]] = [
        {"input": {"messages": asked}, "preferred_output": say[0], "non_preferred_output": say[1]},
        {"prompt": asked, "chosen": say[0], "rejected": say[1]},
    ]
    texts: list[dict[str, object]] = [
        {"prompt": ask, "chosen": better, "rejected": worse},
        {"prompt": ask, "completion": better + worse},
    ]
    for row in pairs + texts:
        file = tmp_path / "rows.jsonl"
        file.write_text((json.dumps(row) + "\n") * 2, encoding="utf-8")
        found = validate(file, profiles={})[1].statistics
        with_system, answers = row in pairs, 1 if "completion" in row else 2
        assert found.messages_by_role == {
            "assistant": 2 * answers, "user": 2, **({"system": 2} if with_system else {}),
        }  # fmt: skip
        assert found.characters == 2 * (70 + with_system)
        assert found.assistant_characters == 2 * 30
        assert found.rows_without_system == (0 if with_system else 2)
        assert found.rows_without_user == 0
        assert found.characters_by_role["assistant"].median == 30
        assert found.messages_per_row is not None
        assert found.messages_per_row.mean == 1 + answers + with_system


def test_images_of_pairs_are_counted(tmp_path: Path) -> None:
    seen = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    asked = [{"role": "user", "content": seen}]
    say = [{"role": "assistant", "content": "a"}], [{"role": "assistant", "content": "b"}]
    file = tmp_path / "rows.jsonl"
    row = {"input": {"messages": asked}, "preferred_output": say[0], "non_preferred_output": say[1]}
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    blind = {"blind": DataProfile(maximum_image_rows=0)}
    report = validate(file, profiles=blind, method=Method.DPO)[1]
    assert report.verdicts["blind"].reasons == ("file.images",)
