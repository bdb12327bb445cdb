"""What a training tells while it runs: metrics, progress, and when it must not go on."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback
from typing_extensions import override

from ftproviders.worker.distributed import summed
from ftproviders.worker.failures import WorkError
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.trainer import ChatTrainer

__all__ = ["Reporter"]


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
        self.run.check()

    @override
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise WorkError(
                f"The loss is no finite number any more at step {state.global_step} (loss {loss}, "
                f"gradient norm {norm}). "
                f"Lower learning_rate, now {args.learning_rate:g}, or use option dtype=fp32.",
                code="diverged",
                param="learning_rate",
            )
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

    def _speed(self) -> float:
        moment, tokens = time.monotonic(), summed(self.trainer.trained_tokens)[0]
        speed = (tokens - self._tokens) / max(moment - self._since, 1e-6)
        self._since, self._tokens = moment, tokens
        return round(speed, 1)


def _preference_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return what TRL logs of preferences, under names without a slash."""
    names = {"rewards/margins": "reward_margin", "rewards/accuracies": "reward_accuracy"}
    return {ours: float(logs[theirs]) for theirs, ours in names.items() if theirs in logs}
