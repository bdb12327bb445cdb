"""Provider ``azure-openai``: Azure OpenAI and Microsoft Foundry, by OpenAI's fine-tuning API.

Pure data. Bounds are those of the API description 2.3.0; Azure's own differs in other places.
"""

from __future__ import annotations

from ftproviders.adapters._openai_dialect.bounds import HYPERPARAMETERS, JOB_SETTINGS
from ftproviders.adapters.azure_openai.deploying import DeployOptions
from ftproviders.adapters.azure_openai.families import FAMILIES
from ftproviders.adapters.azure_openai.options import AzureOpenAIOptions, AzureOpenAISettings
from ftproviders.provider import (
    DataProfile,
    Feature,
    HostingFeature,
    ProviderInfo,
)
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import ModelSource

__all__ = ["PROVIDER"]

PROVIDER = ProviderInfo(
    name="azure-openai",
    summary="Azure OpenAI and Microsoft Foundry: supervised, DPO and reinforcement fine-tuning",
    training="ftproviders.adapters.azure_openai.adapter:AzureOpenAIAdapter",
    hosting="ftproviders.adapters.azure_openai.hosting:AzureOpenAIHosting",
    extra="azure-openai",
    modules=("openai",),
    settings_type=AzureOpenAISettings,
    options_type=AzureOpenAIOptions,
    deployment_options_type=DeployOptions,
    methods=frozenset({Method.SUPERVISED, Method.DPO, Method.REINFORCEMENT}),
    features=frozenset(Feature) - {Feature.EXPORT},
    hyperparameters=HYPERPARAMETERS,
    job_settings=JOB_SETTINGS,
    hosting_features=frozenset(HostingFeature),
    accepts=frozenset({ModelSource.PROVIDER_MODEL}),
    produces=ModelSource.PROVIDER_MODEL,
    data=DataProfile(
        minimum_training_rows=10,
        maximum_bytes=512 * 1024**2,
        maximum_plain_bytes=150_000_000,
        maximum_row_images=64,
        maximum_image_rows=50_000,
        needs_validation_file=frozenset({Method.REINFORCEMENT}),
        severities={
            "file.bom": None,
            "row.consecutive_assistant": Severity.WARNING,
        },
        models=tuple(family.data for family in FAMILIES),
        source="Azure OpenAI quotas and limits (2026-02): 512 MB [D]; microsoft/azure-skills: "
        "plain upload fails above about 150 MB, 64 images a row, 50,000 rows with images [D]; "
        "reinforcement how-to (2026-03): validation file [D]; how-to (2025-09) asks for a byte "
        "order mark, Microsoft's own samples have none [D]; microsoft-foundry/fine-tuning issue "
        "23: consecutive assistant messages [D]",
    ),
    late_event_looks=3,
    needs_deployment=True,
    docs="docs/providers/azure-openai.md",
)
