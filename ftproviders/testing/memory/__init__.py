"""The in-memory provider: complete, free, with scripted faults. For tests, docs and users' tests.

Its server lives in this process (pass a `MemoryServer` to the adapter) or, made from the registry,
in a folder, so that several processes see the same jobs. A tuned model really answers: it knows
its training file by heart.
"""

from __future__ import annotations

from ftproviders.provider import (
    DataProfile,
    Feature,
    HostingFeature,
    HyperparameterInfo,
    ProviderInfo,
)
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import ModelSource
from ftproviders.testing.memory.options import MemoryOptions, MemorySettings

__all__ = ["PROVIDER"]

PROVIDER = ProviderInfo(
    name="memory",
    summary="in-memory provider for tests and docs: nothing leaves this machine",
    training="ftproviders.testing.memory.adapter:MemoryAdapter",
    hosting="ftproviders.testing.memory.hosting:MemoryHosting",
    settings_type=MemorySettings,
    options_type=MemoryOptions,
    methods=frozenset({Method.SUPERVISED, Method.DPO}),
    # Its models are rows of a training file; they go with the folder.
    features=frozenset(Feature) - {Feature.DELETE_MODEL},
    hosting_features=frozenset(HostingFeature),
    hyperparameters=(
        HyperparameterInfo(name="n_epochs", minimum=1, maximum=50, auto=True, default="3"),
        HyperparameterInfo(
            name="batch_size", minimum=1, maximum=256, auto=True, sent_as="rows_per_step"
        ),
        HyperparameterInfo(name="learning_rate_multiplier", minimum=0.01, maximum=10, auto=True),
        HyperparameterInfo(
            name="beta", minimum=0.01, maximum=2, auto=True, methods=frozenset({Method.DPO})
        ),
    ),
    job_settings=frozenset({"seed", "suffix", "validation_file"}),
    accepts=frozenset({ModelSource.PROVIDER_MODEL}),
    produces=ModelSource.PROVIDER_MODEL,
    data=DataProfile(minimum_training_rows=1, source="ftproviders.testing.memory"),
    free=True,
    poll_seconds=0.01,
    docs="docs/providers/memory.md",
)
