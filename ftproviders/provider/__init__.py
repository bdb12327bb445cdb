"""What a provider is and what it writes: data (`ProviderInfo`) and two adapter classes."""

from ftproviders.provider.hosting import HostingAdapter
from ftproviders.provider.info import (
    DataProfile,
    Feature,
    HostingFeature,
    HyperparameterInfo,
    ModelData,
    ProviderInfo,
)
from ftproviders.provider.options import ProviderOptions, ProviderSettings
from ftproviders.provider.training import TrainingAdapter, missing_modules

__all__ = [
    "DataProfile",
    "Feature",
    "HostingAdapter",
    "HostingFeature",
    "HyperparameterInfo",
    "ModelData",
    "ProviderInfo",
    "ProviderOptions",
    "ProviderSettings",
    "TrainingAdapter",
    "missing_modules",
]
