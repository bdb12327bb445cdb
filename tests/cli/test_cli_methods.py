"""``methods``: the table, numbers beside it, and the exit code when they contradict it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftproviders import registry
from ftproviders.planning.methods import measurement_plan
from ftproviders.runtime import Session
from ftproviders.schema.methods import MethodMeasurements
from tests.cli.program import Run
from tests.unit.planning.test_methods import SHARDING, TUNINGS, measured, tuning


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[[MethodMeasurements], list[Any]]:
    """Let the numbers be given ones; returns what the measuring function was asked for."""

    def give(found: MethodMeasurements) -> list[Any]:
        asked: list[Any] = []

        def function(_settings: object, **wishes: Any) -> MethodMeasurements:
            lines = wishes["training_file"].read_text().splitlines()
            asked.append({**wishes, "rows": len(lines)})
            wishes["on_progress"]("Training ...")
            return found

        class Adapter:
            settings = None

            def close(self) -> None: ...

        monkeypatch.setattr(registry, "measuring", lambda _name: function)
        monkeypatch.setattr(Session, "training", lambda _self, _name: Adapter())
        return asked

    return give


def test_the_table_is_shown(run: Run) -> None:
    shown = run("methods")
    assert shown.code == 0
    lines = [line for line in shown.out.splitlines() if line.startswith("fewer trainable")]
    assert lines[0].split()[3:9] == ["yes*", "yes", "yes", "no", "no", "yes"]
    assert "PhiCookBook@3ec6531" in shown.err
    document = run("methods", "--json").json
    assert document["measured"] is None
    assert document["as_of"] == "2026-11-21"
    assert document["scenarios"][-1]["cells"]["DoRA"] is False


def test_numbers_that_agree(run: Run, measuring: Callable[..., list[Any]]) -> None:
    asked = measuring(measured(missing="QLoRA was not run."))
    shown = run("methods", "--measure", "--steps", "3")
    assert shown.code == 0, shown.err
    assert asked[0]["steps"] == 3
    assert asked[0]["batch_size"] == 2
    assert asked[0]["rows"] == len(measurement_plan().rows()[0])
    assert not asked[0]["training_file"].exists()
    assert "QLoRA was not run." in shown.out
    assert "CONTRADICTS" not in shown.out
    assert "Training ..." in shown.err
    told = run("methods", "--measure", "--json").json["measured"]
    assert told["tunings"][0]["trainable_share"] == 0.01
    assert told["tunings"][0]["own_bytes"] == 100
    assert {one["agrees"] for one in told["verdicts"]} == {True}


def test_a_number_that_contradicts_is_exit_1(run: Run, measuring: Callable[..., list[Any]]) -> None:
    measuring(measured(tunings=(tuning("lora", 999), *TUNINGS[1:]), sharding=SHARDING))
    shown = run("methods", "--measure")
    assert shown.code == 1
    rows = [line.split() for line in shown.out.splitlines() if "CONTRADICTS" in line]
    assert ["memory", "LoRA", "yes", "no"] in [row[:4] for row in rows]
