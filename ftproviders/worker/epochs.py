"""What happens at the end of an epoch: validation loss and a checkpoint. Imports torch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback
from typing_extensions import override

from ftproviders.worker.encoding import Encoded
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.saving import Saver
from ftproviders.worker.trainer import mean_loss

__all__ = ["EpochEnd"]


class EpochEnd(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Computes the validation loss and keeps a checkpoint at the end of every epoch."""

    def __init__(self, run: Run, validation: Encoded | None, pad_id: int, saver: Saver) -> None:
        self.run = run
        self.validation = validation
        self.pad_id = pad_id
        self.saver = saver

    @override
    def on_epoch_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        metrics: dict[str, float] = {"epoch": round(float(state.epoch), 4)}
        if self.validation is not None:
            size = args.per_device_train_batch_size
            metrics["validation_loss"] = mean_loss(
                model, self.validation.rows, batch_size=size, pad_id=self.pad_id
            )
            self.run.metrics(
                f"Epoch {metrics['epoch']:g}: validation loss {metrics['validation_loss']:.4f}",
                step=state.global_step,
                metrics=metrics,
            )
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
