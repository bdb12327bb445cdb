"""Provider ``azureml-serverless``: its data rules, as pure data.

Tuning there is not in this version yet.
"""

from __future__ import annotations

from ftproviders.provider import DataProfile, ProviderInfo
from ftproviders.schema.hyperparameters import Method

__all__ = ["PROVIDER"]

PROVIDER = ProviderInfo(
    name="azureml-serverless",
    summary="Azure ML serverless jobs (MaaS) for open models: chat or text completion",
    methods=frozenset({Method.SUPERVISED}),
    job_settings=frozenset({"validation_file"}),
    data=DataProfile(
        row_shapes=frozenset({"messages", "prompt-completion"}),
        needs_validation_file=frozenset({Method.SUPERVISED}),
        maximum_image_rows=0,
        source="azure-ai-ml 1.35.2: a job without validation data fails inside the SDK [S]; "
        "Azure ML fine-tuning samples: messages, or prompt and completion [D]",
    ),
    rules_only=True,
    docs="docs/providers/azureml-serverless.md",
)
