"""Provider ``azure-openai``: its data rules, as pure data.

Tuning there is not in this version yet.
"""

from __future__ import annotations

from ftproviders.provider import DataProfile, ModelData, ProviderInfo
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = ["PROVIDER"]

_SFT, _DPO, _RFT = (
    frozenset({Method.SUPERVISED}),
    frozenset({Method.SUPERVISED, Method.DPO}),
    frozenset({Method.REINFORCEMENT}),
)
_TABLE = "azure-ai-docs articles/foundry/fine-tuning/overview.md (2026-10-06)"
_TOKENS = 65_536
_LIMIT = f"{_TABLE}; Azure OpenAI quotas and limits: 65,536 tokens an example, 4o family"

_MODELS = (
    ModelData(pattern="gpt-4.1-mini*", methods=_DPO, images=False, source=_TABLE),
    ModelData(pattern="gpt-4.1-nano*", methods=_DPO, images=False, source=_TABLE),
    ModelData(pattern="gpt-4.1*", methods=_DPO, images=True, source=_TABLE),
    ModelData(
        pattern="gpt-4o-mini*", methods=_SFT, images=False, row_tokens=_TOKENS, source=_LIMIT
    ),
    ModelData(pattern="gpt-4o*", methods=_DPO, images=True, row_tokens=_TOKENS, source=_LIMIT),
    ModelData(pattern="o4-mini*", methods=_RFT, source=_TABLE),
    ModelData(pattern="gpt-5*", methods=_RFT, source=_TABLE),
    ModelData(pattern="gpt-oss-20b*", methods=_SFT, images=False, source=_TABLE),
    ModelData(pattern="ministral-3b*", methods=_SFT, images=False, source=_TABLE),
    ModelData(pattern="llama-3.3-70b*", methods=_SFT, images=False, source=_TABLE),
    ModelData(pattern="mai-code-1.1-flash*", methods=_RFT, source=_TABLE),
)

PROVIDER = ProviderInfo(
    name="azure-openai",
    summary="Azure OpenAI and Microsoft Foundry: supervised, DPO and reinforcement fine-tuning",
    methods=frozenset({Method.SUPERVISED, Method.DPO, Method.REINFORCEMENT}),
    job_settings=frozenset({"seed", "suffix", "validation_file"}),
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
        models=_MODELS,
        source="Azure OpenAI quotas and limits (2026-02): 512 MB [D]; microsoft/azure-skills: "
        "plain upload fails above about 150 MB, 64 images a row, 50,000 rows with images [D]; "
        "reinforcement how-to (2026-03): validation file [D]; how-to (2025-09) asks for a byte "
        "order mark, Microsoft's own samples have none [D]; microsoft-foundry/fine-tuning issue "
        "23: consecutive assistant messages [D]",
    ),
    rules_only=True,
    docs="docs/providers/azure-openai.md",
)
