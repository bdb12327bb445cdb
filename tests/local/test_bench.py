"""``make bench-local`` on a model of some hundred thousand weights: that it measures, not how fast.

Which of the bars are kept says nothing here, so the exit code may be either.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import bench_local
from tests.benchmarks.bench_local import BARE, HF, TRL
from tests.benchmarks.local import rows
from tests.benchmarks.local.table import OURS
from tests.local.conftest import MARKED

pytest.importorskip("trl", reason="TRL comes with `make bench-local` only")


def test_every_peer_trains_the_same_and_is_measured(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template, numbers = tmp_path / "marked.jinja", tmp_path / "numbers.json"
    template.write_text(MARKED)
    files = ["--model", str(base), "--template", str(template), "--json", str(numbers)]
    how = ["--pairs=1", "--steps=2", "--tables=A", "--dtype=fp32", "--profile=never"]
    code = bench_local.main([*how, *files])
    assert code in (0, 1)
    found = json.loads(numbers.read_text())["A"]
    (peers,) = found["rounds"]
    assert set(peers) == {OURS, BARE, HF, TRL}
    for line in peers.values():
        assert line["steps"] == 2
        assert line["tokens_per_second"] > 0
        assert 0 < line["first_step_seconds"] < line["saved_seconds"]
        assert line["peak_rss_gb"] > 0.1
        # Equal rows, order, labels, adapter and schedule in fp32: equal losses, step by step.
        assert line["losses"] == pytest.approx(peers[OURS]["losses"], rel=1e-3)
        assert line["held_out_loss"] == pytest.approx(peers[OURS]["held_out_loss"], rel=1e-3)
        assert line["held_out_loss"] != found["base_loss"]
    printed = capsys.readouterr().out
    assert "### Table A, 1 rounds" in printed
    assert f"tokens per second, ours / {TRL}: " in printed


def test_held_out_rows_are_always_the_same_and_never_trained_on() -> None:
    training = rows.read(bench_local.DATA)
    held_out = rows.held_out(training, 50)
    assert held_out == rows.held_out(training, 50)
    assert len(set(held_out)) == 50
    assert not set(held_out) & set(training)
