"""Trainings in several processes on this machine, over gloo: the same result as in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from ftproviders.worker.lifecycle import Run
from ftproviders.worker.rundir import RunDirectory
from tests.local.conftest import ANSWERS, Bench, chat, losses

KNOBS: dict[str, Any] = {"n_epochs": 3, "batch_size": 4, "learning_rate": 1e-2}


def many(bench: Bench) -> None:
    """Nine rows: the last batch of four leaves process 1 without a row."""
    bench.rows = [chat(q, a) for q, a in ANSWERS.items()] * 2 + [chat("Hello", "[PRAISE] " * 9)]
    bench.validation = [chat("My clock leaks", "[BROKEN] repair"), chat("Where", "[DELIVERY]")]


def spread(bench: Bench, name: str, parallel: str = "ddp", **more: Any) -> Run:
    options = {"dtype": "fp32", "processes": 2, "parallel": parallel, **more.pop("options", {})}
    asked = bench.request(KNOBS | more, options)
    ref = bench.adapter.create(**asked, submission_id=name)
    bench.ended(ref)
    return Run(RunDirectory(bench.adapter.runs.folder / name))


def tensors(run: Run) -> dict[str, Any]:
    return dict(load_file(run.directory.adapter / "adapter_model.safetensors"))


@pytest.mark.parametrize("parallel", ["ddp"])
def test_two_processes_learn_what_one_does(bench: Bench, parallel: str) -> None:
    many(bench)
    one = bench.train("one", **KNOBS)
    two = spread(bench, "two", parallel)
    assert two.directory.status()["status"] == "succeeded", two.directory.status()
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
