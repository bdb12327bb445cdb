"""Validation while training: loss by epoch or steps, the best model, when to stop early.

Imports torch.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from typing_extensions import override

from ftproviders.worker.finite import check_validation
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.loading import MODEL_CARD
from ftproviders.worker.rundir import read_json
from ftproviders.worker.saving import Saver

__all__ = ["Evaluation"]


class Evaluation(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Computes the validation loss and acts on it.

    What a resumed training must know of validations before it stands in the run's events and in
    the folder of the best model, so nothing has to be in a checkpoint.

    Args:
        run: The run.
        measure: Returns the validation loss of the model; None = there is no validation file.
        saver: Saves the best model.
        trackers: Gets the loss too, as a Trainer's ``log`` does.

    Attributes:
        latest: The newest validation loss and its step.
    """

    def __init__(
        self,
        run: Run,
        *,
        measure: Callable[[Any], float] | None,
        saver: Saver,
        trackers: Callable[[dict[str, float]], None],
    ) -> None:
        self.run = run
        self.measure = measure
        self.saver = saver
        self.trackers = trackers
        self.latest: tuple[int, float] | None = None
        settings = run.job["settings"]
        self.strategy: str = settings["eval_strategy"] if measure else "no"
        self.every: int = settings["eval_steps"] or 0
        self.patience: int | None = settings["early_stopping_patience"]
        self.threshold: float = settings["early_stopping_threshold"]
        self.keep_best: bool = settings["keep_best"]
        self._stale, self._reference = 0, float("inf")
        self._lowest = float("inf")

    @property
    def best(self) -> Path | None:
        """Folder of the best model so far; None = there is none yet."""
        return self.best_of(self.run.directory.path)

    @staticmethod
    def best_of(folder: Path) -> Path | None:
        """Return where the best model of the run in `folder` is; None = the last one counts."""
        found = {path: _loss_of(path) for path in folder.glob("best-*")}
        return min(found, key=found.__getitem__, default=None)

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        seen = {
            event["step"]: event["metrics"]["validation_loss"]
            for event in self.run.directory.events()
            if (event.get("metrics") or {}).get("validation_loss") is not None
        }
        for step in sorted(step for step in seen if step <= state.global_step):
            self._count(seen[step])
            self.latest = (step, seen[step])
        self._lowest = _loss_of(self.best) if self.best else float("inf")

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if self.strategy == "steps" and state.global_step % self.every == 0:
            self._validate(model, state, control)

    @override
    def on_epoch_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        if self.strategy == "epoch":
            self._validate(model, state, control)

    @override
    def on_train_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        # With steps, the last model has been looked at too: it may be the best.
        last = self.latest[0] if self.latest else -1
        if self.strategy == "steps" and last != state.global_step:
            self._validate(model, state, control)

    def _validate(self, model: Any, state: Any, control: Any) -> None:
        if self.measure is None:
            return
        step, epoch = state.global_step, round(float(state.epoch), 4)
        loss = self.measure(model)
        check_validation(loss, step=step, settings=self.run.job["settings"])
        self.latest = (step, loss)
        self.run.metrics(
            f"Epoch {epoch:g}: validation loss {loss:.4f}",
            step=step,
            metrics={"validation_loss": loss, "epoch": epoch},
        )
        self.trackers({"eval_loss": loss})
        if self.keep_best and loss < self._lowest:
            self._keep(model, step, loss)
        self._count(loss)
        if self.patience is not None and self._stale >= self.patience:
            self.run.event(
                f"Stopping early at step {step}: no better validation loss than "
                f"{self._reference:.4f} in the last {self._stale} validations."
            )
            control.should_training_stop = True
        self.run.check()

    def _count(self, loss: float) -> None:
        """Count validations in a row that are not better than the best one before them."""
        if loss < self._reference - self.threshold:
            self._stale, self._reference = 0, loss
        else:
            self._stale += 1

    def _keep(self, model: Any, step: int, loss: float) -> None:
        self._lowest = loss
        folder = self.run.directory.path / f"best-{step:08d}"
        shutil.rmtree(folder, ignore_errors=True)
        self.saver.save(model, folder, step=step, validation_loss=loss)
        for other in self.run.directory.path.glob("best-*"):
            if other != folder:
                shutil.rmtree(other)


def _loss_of(folder: Path) -> float:
    return float(read_json(folder / MODEL_CARD).get("validation_loss", "inf"))
