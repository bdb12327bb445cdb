"""Cross-entropy over a large vocabulary, in pieces that fit into the processor's cache.

Imports torch. The usual way writes the logits four times over in fp32 (cast, log-softmax, its
gradient, cast back); here a few rows at a time go from logits to loss and gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from typing_extensions import override

from ftproviders.worker.encoding import IGNORED

__all__ = ["summed_cross_entropy"]

_PIECE_ELEMENTS = 1 << 19
"""Logits that are worked on at once: 2 MiB in fp32."""


def summed_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the sum of the cross-entropies at all positions that have a target, in fp32.

    Args:
        logits: Floats of shape (positions, vocabulary).
        targets: int64 of shape (positions,); `IGNORED` = no target.
    """
    return _CrossEntropy.apply(logits, targets)


class _CrossEntropy(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy
    @staticmethod
    @override
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        wanted = ctx.needs_input_grad[0]
        gradient = torch.empty_like(logits) if wanted else None
        size = max(1, _PIECE_ELEMENTS // logits.shape[-1])
        total = torch.zeros((), dtype=torch.float32, device=logits.device)
        for start in range(0, len(logits), size):
            piece = logits[start : start + size].float()
            target = targets[start : start + size, None]
            learned = target != IGNORED
            target = target.clamp(min=0)
            normaliser = piece.logsumexp(dim=1, keepdim=True)
            total += ((normaliser - piece.gather(1, target)) * learned).sum()
            if gradient is None:
                continue
            # Softmax minus one at the target.
            share = (piece - normaliser).exp_()
            share.scatter_add_(1, target, share.new_full((), -1.0).expand(target.shape))
            gradient[start : start + size] = share.mul_(learned)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @override
    def backward(ctx: Any, *factors: torch.Tensor) -> Any:
        (gradient,), (factor,) = ctx.saved_tensors, factors
        return gradient * factor.to(gradient.dtype), None
