"""Tuning methods in numbers: a provider measures them, the table is held against what it found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ftproviders import registry
from ftproviders.planning.methods import measurement_plan, method_table, verdicts
from ftproviders.runtime.session import Session
from ftproviders.schema.methods import MethodMeasurements

__all__ = ["measure", "method_table"]


def measure(
    session: Session,
    *,
    base_model: str | None,
    steps: int | None,
    batch_size: int | None,
    on_progress: Callable[[str], None],
) -> MethodMeasurements:
    """Measure, and say for each cell of the table whether the numbers agree.

    Args:
        session: Settings and folders.
        base_model: As users write it; None = the small one that is always there.
        steps: Optimizer steps of each training; None = a few.
        batch_size: Rows of a step; None = two, so that not the rows fill the memory.
        on_progress: Told what is being measured.

    Raises:
        ConfigurationError: The provider that measures is not set up.
        JobFailedError: A training failed.
    """
    plan = measurement_plan()
    adapter = session.training(plan.provider)
    function = registry.measuring(plan.provider)
    with tempfile.TemporaryDirectory(prefix="ftproviders-rows-") as folder:
        training, held_out = Path(folder, "train.jsonl"), Path(folder, "held-out.jsonl")
        for path, lines in zip((training, held_out), plan.rows(), strict=True):
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        measured = session.call(
            adapter,
            "measure",
            lambda: function(
                adapter.settings,
                base_model=base_model or plan.base_model,
                training_file=training,
                held_out_file=held_out,
                steps=steps or plan.steps,
                batch_size=batch_size or plan.batch_size,
                on_progress=on_progress,
            ),
            retry=lambda _error: False,
        )
    return measured.model_copy(update={"verdicts": verdicts(measured)})
