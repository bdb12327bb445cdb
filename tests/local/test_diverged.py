"""A training that has lost its numbers fails, wherever it loses them, and nothing of it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from ftproviders.worker.failures import WorkError
from tests.local.conftest import ANSWERS, Bench, chat
from tests.local.test_resume import pair

WILD = {"max_grad_norm": 0.0, "logging_steps": 50}
"""No clipping, and no line of the log before the end."""


def diverged(bench: Bench, options: dict[str, Any], **knobs: Any) -> str:
    """Train, and return why it failed; nothing that could be taken for a model may be there."""
    run = bench.prepare(options=options, **knobs)
    from ftproviders.worker.training import train

    with pytest.raises(WorkError) as caught:
        train(run)
    assert (caught.value.code, caught.value.param) == ("diverged", "learning_rate")
    assert f"Lower learning_rate, now {knobs['learning_rate']:g}" in caught.value.message
    folder = run.directory.path
    left = [*folder.glob("adapter"), *folder.glob("best-*"), *folder.glob("checkpoints/step-*")]
    assert left == []
    assert not list(folder.rglob(".new-*"))
    assert "NaN" not in (folder / "events.jsonl").read_text()
    return caught.value.message


@pytest.mark.parametrize("method", ["supervised", "dpo"])
def test_in_a_step_that_is_not_logged(bench: Bench, method: str) -> None:
    if method == "dpo":
        bench.method = method
        bench.rows = [pair(chat(q, a)) for q, a in ANSWERS.items()]
    options = {**WILD, "save_strategy": "no"}
    told = diverged(bench, options, n_epochs=4, batch_size=2, learning_rate=1e30)
    assert told.startswith("The loss is no finite number any more at step ")
    assert "loss nan, gradient norm nan" in told


def test_in_validation(bench: Bench) -> None:
    # One step: its loss is still that of the base model.
    bench.validation = bench.rows
    told = diverged(
        bench, {**WILD, "keep_best": True}, n_epochs=1, batch_size=4, learning_rate=1e30
    )
    assert told.startswith("The validation loss is no finite number any more at step 1 (nan).")


@pytest.mark.parametrize("save_strategy", ["no", "epoch"])
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_in_the_last_step(bench: Bench, tuning: str, save_strategy: str) -> None:
    # Its loss and its gradient are good, and what the optimizer makes of them is infinite.
    options = {**WILD, "tuning": tuning, "save_strategy": save_strategy}
    told = diverged(bench, options, n_epochs=1, batch_size=4, learning_rate=1e39)
    assert told.startswith("The trained weights are no finite numbers any more (")
    assert "so they are not saved" in told


def test_a_gradient_that_has_gone_is_warned_of(bench: Bench) -> None:
    run = bench.train(
        n_epochs=5, batch_size=2, learning_rate=1e6, dtype="bf16", options={"logging_steps": 50}
    )
    told = [e["message"] for e in run.directory.events() if e["level"] == "warning"]
    assert len(told) == 1
    assert told[0].startswith("The gradient was exactly 0 3 times in a row, now at step ")
    assert "learning_rate that is too high, now 1e+06" in told[0]
