"""What a training tells while it runs: metrics, progress, and when it must not go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback
from typing_extensions import override

from ftproviders.worker.distributed import summed
from ftproviders.worker.finite import check_loss
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.trainer import ChatTrainer

__all__ = ["Reporter"]

_STILL_STEPS = 3
"""After so many steps with a gradient of exactly 0 nothing is learned any more."""


class Reporter(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Writes metrics, looks for a request to cancel, and ends a training whose loss is no number.

    Args:
        run: The run to report to.
        trainer: The trainer, for its token count.
    """

    def __init__(self, run: Run, trainer: ChatTrainer) -> None:
        self.run = run
        self.trainer = trainer
        self._since = time.monotonic()
        self._tokens = 0.0
        self._still = 0

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # What earlier workers of this run have done is no speed of this one.
        self._since, self._tokens = time.monotonic(), summed(self.trainer.trained_tokens)[0]
        self.run.progress(step=state.global_step, total_steps=state.max_steps)

    @override
    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.run.check()

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.run.progress(step=state.global_step, total_steps=state.max_steps)
        if self._free_to_look:
            norm = self.trainer.grad_norm
            self._look(state, self._pending(state), None if norm is None else float(norm))
        self.run.check()

    @override
    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Steps after the last line of the log; their loss is in no metric.
        check_loss(
            self._pending(state), None, step=state.global_step, settings=self.run.job["settings"]
        )

    @override
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        if not self._free_to_look:
            self._look(state, loss, norm if "grad_norm" in logs else None)
        check_loss(loss, norm, step=state.global_step, settings=self.run.job["settings"])
        self.run.metrics(
            f"Step {state.global_step} of {state.max_steps}: loss {loss:.4f}",
            step=state.global_step,
            metrics={
                "train_loss": loss,
                "learning_rate": float(logs["learning_rate"]),
                "grad_norm": norm,
                "epoch": round(float(state.epoch), 4),
                "tokens_per_second": self._speed(),
                **_preference_metrics(logs),
            },
        )

    @property
    def _free_to_look(self) -> bool:
        """Say whether a number can be read without waiting for a device."""
        return bool(self.trainer._tr_loss.device.type == "cpu")

    def _pending(self, state: Any) -> float:
        """Return the mean loss of the steps since the last line of the log."""
        steps = int(state.global_step - self.trainer._globalstep_last_logged)
        return float(self.trainer._tr_loss) / max(steps, 1)

    def _look(self, state: Any, loss: float, norm: float | None) -> None:
        settings, step = self.run.job["settings"], state.global_step
        check_loss(loss, norm, step=step, settings=settings)
        self._still = self._still + 1 if norm == 0 else 0
        if self._still == _STILL_STEPS:
            self.run.event(
                f"The gradient was exactly 0 {_STILL_STEPS} times in a row, now at step {step}: "
                "nothing is learned any more. Most often that is a learning_rate that is too "
                f"high, now {settings['learning_rate']:g}; lower it and submit again.",
                level="warning",
            )

    def _speed(self) -> float:
        moment, tokens = time.monotonic(), summed(self.trainer.trained_tokens)[0]
        speed = (tokens - self._tokens) / max(moment - self._since, 1e-6)
        self._since, self._tokens = moment, tokens
        return round(speed, 1)


def _preference_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return what TRL logs of preferences, under names without a slash."""
    names = {"rewards/margins": "reward_margin", "rewards/accuracies": "reward_accuracy"}
    return {ours: float(logs[theirs]) for theirs, ours in names.items() if theirs in logs}
