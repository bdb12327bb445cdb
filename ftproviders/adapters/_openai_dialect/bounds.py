"""What this API lets be tuned, and within which bounds: those of OpenAI's description 2.3.0."""

from __future__ import annotations

from ftproviders.provider import HyperparameterInfo
from ftproviders.schema.hyperparameters import Method

__all__ = ["HYPERPARAMETERS", "JOB_SETTINGS"]

HYPERPARAMETERS = (
    HyperparameterInfo(name="n_epochs", minimum=1, maximum=50, auto=True),
    HyperparameterInfo(name="batch_size", minimum=1, maximum=256, auto=True),
    HyperparameterInfo(name="learning_rate_multiplier", auto=True),
    HyperparameterInfo(name="beta", maximum=2, auto=True, methods=frozenset({Method.DPO})),
)
JOB_SETTINGS = frozenset({"seed", "suffix", "validation_file"})
