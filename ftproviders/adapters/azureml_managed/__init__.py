"""Provider ``azureml-managed``: its data rules, as pure data.

Tuning there is not in this version yet.
"""

from __future__ import annotations

from ftproviders.provider import DataProfile, ProviderInfo
from ftproviders.schema.hyperparameters import Method

__all__ = ["PROVIDER"]

PROVIDER = ProviderInfo(
    name="azureml-managed",
    summary="Azure ML jobs on own compute (MaaP) for catalogue models: chat or text completion",
    methods=frozenset({Method.SUPERVISED}),
    job_settings=frozenset({"validation_file"}),
    data=DataProfile(
        row_shapes=frozenset({"messages", "prompt-completion"}),
        maximum_image_rows=0,
        source="Azure/azureml-examples, standalone fine-tuning jobs and the chat completion "
        "pipeline: messages, or prompt and completion [D]",
    ),
    rules_only=True,
    docs="docs/providers/azureml-managed.md",
)
