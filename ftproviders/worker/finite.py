"""Whether a training still has numbers: loss, gradient norm and weights. Imports torch.

A number that is none spreads through every weight within a step or two, so it is looked for
wherever something is measured or saved, and not only where something is logged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ftproviders.worker.failures import WorkError

__all__ = ["KnowsNorm", "check_loss", "check_validation", "check_weights"]


class KnowsNorm:
    """Keeps the gradient norm of the last step, which the Trainer only logs now and then.

    Comes before the Trainer among the bases.
    """

    grad_norm: Any = None
    """Norm before clipping, a tensor or a number; None = no step was done yet."""

    def _get_grad_norm(self, *arguments: Any, **named: Any) -> Any:
        base: Any = super()
        self.grad_norm = base._get_grad_norm(*arguments, **named)
        return self.grad_norm


def check_loss(loss: float, norm: float | None, *, step: int, settings: Mapping[str, Any]) -> None:
    """Make sure that a training may go on.

    Args:
        loss: Training loss in nats per token.
        norm: Gradient norm; None = unknown.
        step: Optimizer steps that were done.
        settings: The job's resolved settings.

    Raises:
        WorkError: One of them is no finite number.
    """
    if math.isfinite(loss) and (norm is None or math.isfinite(norm)):
        return
    more = "" if norm is None else f", gradient norm {norm}"
    raise _diverged(
        f"The loss is no finite number any more at step {step} (loss {loss}{more})", settings
    )


def check_validation(loss: float, *, step: int, settings: Mapping[str, Any]) -> None:
    """Make sure that a validation loss is a number; arguments and error as of `check_loss`."""
    if not math.isfinite(loss):
        raise _diverged(
            f"The validation loss is no finite number any more at step {step} ({loss})", settings
        )


def check_weights(
    weights: Iterable[tuple[str, torch.Tensor]], *, settings: Mapping[str, Any]
) -> None:
    """Make sure that what is going to be saved are numbers.

    Args:
        weights: Names and trained weights. Each is read once and nothing is copied.
        settings: The job's resolved settings.

    Raises:
        WorkError: One of them has a number that is not finite.
    """
    for name, weight in weights:
        if not weight.numel() or not weight.is_floating_point():
            continue
        ends = torch.stack(torch.aminmax(weight.detach()))  # one that is no number is both ends
        if not bool(torch.isfinite(ends).all()):
            raise _diverged(
                f"The trained weights are no finite numbers any more ({name}), so they are not "
                "saved",
                settings,
            )


def _diverged(what: str, settings: Mapping[str, Any]) -> WorkError:
    rate = settings["learning_rate"]
    return WorkError(
        f"{what}. Lower learning_rate, now {rate:g}, or use option dtype=fp32.",
        code="diverged",
        param="learning_rate",
    )
