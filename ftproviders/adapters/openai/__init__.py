"""Provider ``openai``: OpenAI's own service, and every server that speaks its fine-tuning API.

Pure data. Bounds are those of the OpenAI API description 2.3.0.
"""

from __future__ import annotations

from ftproviders.adapters._openai_dialect.bounds import HYPERPARAMETERS, JOB_SETTINGS
from ftproviders.adapters.openai.options import OpenAIOptions, OpenAISettings
from ftproviders.provider import (
    DataProfile,
    Feature,
    ModelData,
    ProviderInfo,
)
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import ModelSource

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
    summary="OpenAI's service and servers like it: supervised, DPO, reinforcement fine-tuning",
    training="ftproviders.adapters.openai.adapter:OpenAIAdapter",
    hosting="ftproviders.adapters.openai.adapter:OpenAIHosting",
    extra="openai",
    modules=("openai",),
    settings_type=OpenAISettings,
    options_type=OpenAIOptions,
    methods=frozenset({Method.SUPERVISED, Method.DPO, Method.REINFORCEMENT}),
    features=frozenset(Feature) - {Feature.EXPORT},
    hyperparameters=HYPERPARAMETERS,
    job_settings=JOB_SETTINGS,
    accepts=frozenset({ModelSource.PROVIDER_MODEL}),
    produces=ModelSource.PROVIDER_MODEL,
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
    late_event_looks=3,
    docs="docs/providers/openai.md",
)
