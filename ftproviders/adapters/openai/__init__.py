"""Provider ``openai``: its data rules, as pure data.

Tuning there is not in this version yet.
"""

from __future__ import annotations

from ftproviders.provider import DataProfile, ModelData, ProviderInfo
from ftproviders.schema.hyperparameters import Method

__all__ = ["PROVIDER"]

_SFT, _DPO, _RFT = (
    frozenset({Method.SUPERVISED}),
    frozenset({Method.SUPERVISED, Method.DPO}),
    frozenset({Method.REINFORCEMENT}),
)
_TABLE = "the same models at Azure OpenAI (2026-03); OpenAI's own table was not read [J]"

_MODELS = (
    ModelData(pattern="gpt-4.1-nano*", methods=_DPO, source=_TABLE),
    ModelData(pattern="gpt-4.1-mini*", methods=_DPO, source=_TABLE),
    ModelData(pattern="gpt-4.1*", methods=_DPO, images=True, source=_TABLE),
    ModelData(pattern="gpt-4o-mini*", methods=_DPO, source=_TABLE),
    ModelData(pattern="gpt-4o*", methods=_DPO, images=True, source=_TABLE),
    ModelData(pattern="gpt-3.5-turbo*", methods=_SFT, source=_TABLE),
    ModelData(pattern="o4-mini*", methods=_RFT, source=_TABLE),
)
"""No limit of tokens a row is published for these models, so none is stated."""

PROVIDER = ProviderInfo(
    name="openai",
    summary="OpenAI's own service: supervised, DPO and reinforcement fine-tuning",
    methods=frozenset({Method.SUPERVISED, Method.DPO, Method.REINFORCEMENT}),
    job_settings=frozenset({"seed", "suffix", "validation_file"}),
    data=DataProfile(
        minimum_training_rows=10,
        maximum_bytes=8 * 1024**3,
        maximum_plain_bytes=512 * 1024**2,
        maximum_row_images=10,
        maximum_image_rows=50_000,
        needs_validation_file=frozenset({Method.REINFORCEMENT}),
        models=_MODELS,
        source="OpenAI API description 2.3.0: files of 512 MB, uploads of 8 GB in parts of 64 MB "
        "[S]; supervised guide: 10 rows [D]; vision guide: 10 images a row (not confirmed), 50,000 "
        "rows with images [D]; reinforcement guide: a validation file [D]",
    ),
    rules_only=True,
    docs="docs/providers/openai.md",
)
