"""Provider ``autotrain``: its data rules, as pure data.

Tuning there is not in this version yet.
"""

from __future__ import annotations

from ftproviders.provider import DataProfile, ProviderInfo
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = ["PROVIDER"]

_PAIRS = frozenset({Method.DPO, Method.ORPO, Method.REWARD})

PROVIDER = ProviderInfo(
    name="autotrain",
    summary="Hugging Face AutoTrain: SFT, DPO, ORPO and reward models in a Space or here",
    methods=frozenset({Method.SUPERVISED}) | _PAIRS,
    job_settings=frozenset({"seed", "validation_file"}),
    data=DataProfile(
        row_shapes=frozenset({"messages", "text", "chosen-rejected"}),
        maximum_image_rows=0,
        severities={
            "message.special_token": Severity.WARNING,
            "row.unknown_key": Severity.INFO,
            "message.weight": Severity.WARNING,
        },
        source="autotrain-advanced 0.8.36: column_mapping takes text_column (messages or text) for "
        "SFT; prompt, chosen and rejected columns for DPO and ORPO [S]",
    ),
    rules_only=True,
    docs="docs/providers/autotrain.md",
)
