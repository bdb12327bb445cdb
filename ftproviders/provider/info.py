"""What a provider is, as data: before any SDK is imported and before any key is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from ftproviders.provider.options import ProviderOptions, ProviderSettings
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import ModelSource

__all__ = ["DataProfile", "Feature", "HostingFeature", "HyperparameterInfo", "ProviderInfo"]


class Feature(StrEnum):
    """Something a training provider may have. The value is the adapter's method name.

    A feature is declared in `ProviderInfo.features` if, and only if, the adapter overrides the
    method of that name: the contract suite holds the two equal.
    """

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    EVENTS = "events"
    CHECKPOINTS = "checkpoints"
    JOBS = "jobs"
    MODELS = "models"
    FIND_FILE = "find_file"
    DELETE_FILE = "delete_file"


class HostingFeature(StrEnum):
    """Something a host may have: the names of the adapter's methods, all four or none."""

    DEPLOY = "deploy"
    DEPLOYMENT = "deployment"
    DEPLOYMENTS = "deployments"
    UNDEPLOY = "undeploy"


@dataclass(frozen=True, kw_only=True)
class HyperparameterInfo:
    """One tuning knob that a provider takes, with its bounds."""

    name: str
    """Field name in `Hyperparameters`."""
    minimum: float | None = None
    maximum: float | None = None
    auto: bool = False
    """True when the provider takes ``"auto"`` (or decides when nothing is sent)."""
    default: str = "the provider decides"
    """What holds when the user does not say, in words."""
    methods: frozenset[Method] = frozenset(Method)
    """Methods for which the knob exists."""
    sent_as: str | None = None
    """Name in the provider's request where it differs; it is then reported as mapped."""


@dataclass(frozen=True, kw_only=True)
class DataProfile:
    """What a provider wants of a data file. The rules themselves stand in ``ftproviders.data``."""

    minimum_training_rows: int = 1
    minimum_validation_rows: int = 1
    maximum_bytes: int | None = None
    severities: Mapping[str, Severity | None] = field(default_factory=lambda: MappingProxyType({}))
    """Rule id -> severity where it differs from the rule's own; None switches the rule off."""
    source: str = ""
    """Where these numbers were read."""


@dataclass(frozen=True, kw_only=True)
class ProviderInfo:
    """A provider. Built-in and third-party packages describe themselves with one of these."""

    name: str
    """Name users write, with dashes."""
    summary: str
    """One line for ``ftproviders providers``."""
    training: str | None = None
    """``module:Class`` of the TrainingAdapter; None = hosts only."""
    hosting: str | None = None
    """``module:Class`` of the HostingAdapter; None = trains only."""
    extra: str | None = None
    """Extra of this package, or name of the package, that brings the SDK; None = nothing needed."""
    install: str | None = None
    """Install line; default ``pip install 'ftproviders[<extra>]'``."""
    modules: tuple[str, ...] = ()
    """Top-level modules that must be importable."""
    settings_type: type[ProviderSettings] = ProviderSettings
    options_type: type[ProviderOptions] = ProviderOptions
    methods: frozenset[Method] = frozenset({Method.SUPERVISED})
    features: frozenset[Feature] = frozenset()
    hosting_features: frozenset[HostingFeature] = frozenset()
    hyperparameters: tuple[HyperparameterInfo, ...] = ()
    job_settings: frozenset[str] = frozenset()
    """Which of ``seed``, ``suffix`` and ``validation_file`` the provider takes."""
    accepts: frozenset[ModelSource] = frozenset()
    """Model sources that the host takes."""
    produces: ModelSource = ModelSource.PROVIDER_MODEL
    """What a successful training job leaves behind."""
    data: DataProfile = DataProfile()
    free: bool = False
    """True when nothing here ever costs money."""
    reads_own_writes: bool = False
    """True when ``find`` may answer Absent: the provider lists what it has just made."""
    poll_seconds: float = 5.0
    """Shortest sensible time between two looks at a job."""
    docs: str = ""
    """Path of the documentation page."""

    @property
    def install_line(self) -> str | None:
        """The command that brings what is missing, or None when nothing is needed."""
        if self.install:
            return self.install
        return f"pip install 'ftproviders[{self.extra}]'" if self.extra else None

    def hyperparameter(self, name: str, method: Method) -> HyperparameterInfo | None:
        """Return the knob `name` for `method`, or None when the provider does not have it."""
        for knob in self.hyperparameters:
            if knob.name == name and method in knob.methods:
                return knob
        return None
