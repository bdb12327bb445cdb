"""Provider ``hf-jobs``: its data rules, as pure data.

Tuning there is not in this version yet.
"""

from __future__ import annotations

from ftproviders.provider import DataProfile, ProviderInfo
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = ["PROVIDER"]

_PAIRS = frozenset({Method.DPO, Method.ORPO, Method.REWARD})

PROVIDER = ProviderInfo(
    name="hf-jobs",
    summary="Hugging Face Jobs: TRL trainers on rented hardware",
    methods=frozenset({Method.SUPERVISED}) | _PAIRS,
    job_settings=frozenset({"seed", "validation_file"}),
    data=DataProfile(
        row_shapes=frozenset({"messages", "prompt-completion", "text", "chosen-rejected"}),
        maximum_image_rows=0,
        severities={
            "message.special_token": Severity.WARNING,
            "row.unknown_key": Severity.INFO,
            "message.weight": Severity.WARNING,
        },
        source="TRL dataset formats: language modeling, prompt-completion and preference, standard "
        "or conversational [D]",
    ),
    rules_only=True,
    docs="docs/providers/hf-jobs.md",
)
