"""What happens at the end of an epoch: a checkpoint. Imports torch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback
from typing_extensions import override

from ftproviders.worker.evaluating import Evaluation
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.saving import Saver

__all__ = ["EpochEnd"]


class EpochEnd(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Keeps a checkpoint at the end of every epoch, with the validation loss if there is one."""

    def __init__(self, run: Run, saver: Saver, evaluation: Evaluation) -> None:
        self.run = run
        self.saver = saver
        self.evaluation = evaluation

    @override
    def on_epoch_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        metrics: dict[str, float] = {"epoch": round(float(state.epoch), 4)}
        latest = self.evaluation.latest
        if latest is not None and latest[0] == state.global_step:
            metrics["validation_loss"] = latest[1]
        self._keep(model, state.global_step, metrics)
        self.run.check()

    def _keep(self, model: Any, step: int, metrics: Mapping[str, float]) -> None:
        count = self.run.job["settings"]["checkpoints"]
        if count == 0:
            return
        folder = self.run.directory.checkpoints
        folder.mkdir(mode=0o700, exist_ok=True)
        self.saver.save(model, folder / f"step-{step:08d}", step=step, metrics=dict(metrics))
        for old in sorted(folder.glob("step-*"))[:-count]:
            shutil.rmtree(old)
