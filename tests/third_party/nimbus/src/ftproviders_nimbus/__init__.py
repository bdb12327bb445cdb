"""Nimbus as a provider of ftproviders: what it is, as data. No SDK is imported here."""

from __future__ import annotations

from ftproviders.provider import Feature, HyperparameterInfo, ProviderInfo
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import ModelSource
from ftproviders_nimbus.options import NimbusOptions, NimbusSettings

__all__ = ["PROVIDER"]

PROVIDER = ProviderInfo(
    name="nimbus",
    summary="Nimbus tuning service (invented, for tests)",
    training="ftproviders_nimbus.adapter:NimbusAdapter",
    hosting="ftproviders_nimbus.adapter:NimbusHosting",
    extra="ftproviders-nimbus",
    install="pip install ftproviders-nimbus",
    modules=("httpx2",),
    settings_type=NimbusSettings,
    options_type=NimbusOptions,
    methods=frozenset({Method.SUPERVISED}),
    features=frozenset({Feature.CANCEL, Feature.EVENTS, Feature.JOBS}),
    hyperparameters=(
        HyperparameterInfo(name="n_epochs", minimum=1, maximum=20, default="1", sent_as="epochs"),
        HyperparameterInfo(name="learning_rate", minimum=1e-6, maximum=0.01),
        HyperparameterInfo(name="lora_r", minimum=1, maximum=64, default="8", sent_as="rank"),
    ),
    job_settings=frozenset({"seed"}),
    accepts=frozenset({ModelSource.PROVIDER_MODEL}),
)
