"""What a provider is, as data: before any SDK is imported and before any key is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from ftproviders.provider.options import ProviderOptions, ProviderSettings
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import ModelSource

__all__ = [
    "DataProfile",
    "Feature",
    "HostingFeature",
    "HyperparameterInfo",
    "ModelData",
    "ProviderInfo",
]


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
    FILES = "files"
    FIND_FILE = "find_file"
    DOWNLOAD_FILE = "download_file"
    DELETE_FILE = "delete_file"
    DELETE_MODEL = "delete_model"
    EXPORT = "export"


class HostingFeature(StrEnum):
    """Something a host may have: the names of the adapter's methods.

    The first four come together or not at all; `EXTEND` only beside them.
    """

    DEPLOY = "deploy"
    DEPLOYMENT = "deployment"
    DEPLOYMENTS = "deployments"
    UNDEPLOY = "undeploy"
    EXTEND = "extend"


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


def _nothing() -> dict[Any, Any]:
    return {}  # a plain one, so that profiles can be sent to worker processes


@dataclass(frozen=True, kw_only=True)
class ModelData:
    """What one base model, or a family of them, makes of data. Unknown stays None."""

    pattern: str
    """Shell-style pattern of the model's name, small letters; the first that fits counts."""
    methods: frozenset[Method] | None = None
    """Methods that the model can be tuned with here."""
    row_tokens: int | None = None
    """Most tokens of a row."""
    images: bool | None = None
    """Whether rows may have images."""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class DataProfile:
    """What a provider wants of a data file. The rules themselves stand in ``ftproviders.data``."""

    minimum_training_rows: int = 1
    minimum_validation_rows: int = 1
    maximum_bytes: int | None = None
    maximum_plain_bytes: int | None = None
    """Largest file that goes up in one request; a larger one takes another way."""
    maximum_row_images: int | None = None
    maximum_image_rows: int | None = None
    """Most rows with images in a file; 0 = none are taken."""
    maximum_row_tokens: int | None = None
    row_shapes: frozenset[str] = frozenset({"messages", "preference"})
    """Shapes of rows that are taken: messages, preference, chosen-rejected, prompt-completion,
    text."""
    needs_validation_file: frozenset[Method] = frozenset()
    """Methods that are refused without a validation file."""
    methods: frozenset[Method] | None = None
    """Methods that can be used; None = not known here."""
    severities: Mapping[str, Severity | None] = field(default_factory=_nothing)
    """Rule id -> severity where it differs from the rule's own; None switches the rule off."""
    method_severities: Mapping[Method, Mapping[str, Severity | None]] = field(
        default_factory=_nothing
    )
    """The same for single methods; it goes before `severities`."""
    models: tuple[ModelData, ...] = ()
    """What single base models change."""
    source: str = ""
    """Where these numbers were read."""

    def severity(self, rule_id: str, method: Method, default: Severity | None) -> Severity | None:
        """Return how bad a rule is here, given how bad it is by itself."""
        own = self.method_severities.get(method, {})
        return own[rule_id] if rule_id in own else self.severities.get(rule_id, default)

    def for_model(self, model: str | None) -> DataProfile:
        """Return the profile with what is known about one base model."""
        name = (model or "").lower()
        known = next((one for one in self.models if fnmatchcase(name, one.pattern)), None)
        if not name or known is None:
            return self
        methods = self.methods
        if known.methods is not None:
            methods = known.methods if methods is None else methods & known.methods
        return replace(
            self,
            methods=methods,
            maximum_row_tokens=known.row_tokens or self.maximum_row_tokens,
            maximum_image_rows=0 if known.images is False else self.maximum_image_rows,
        )


@dataclass(frozen=True, kw_only=True)
class ProviderInfo:
    """A provider. Built-in and third-party packages describe themselves with one of these."""

    name: str
    """Name users write, with dashes."""
    summary: str
    """One line for ``ftproviders providers``."""
    training: str | None = None
    """``module:Class`` of the TrainingAdapter; None = hosts only, or see `rules_only`."""
    hosting: str | None = None
    """``module:Class`` of the HostingAdapter; None = trains only."""
    measuring: str | None = None
    """``module:function`` that measures the tuning methods there; None = nothing to measure. It
    takes the settings, then by name ``base_model``, ``training_file``, ``held_out_file``,
    ``steps``, ``batch_size`` and ``on_progress``, and returns `MethodMeasurements`."""
    extra: str | None = None
    """Extra of this package, or name of the package, that brings the SDK; None = nothing needed."""
    install: str | None = None
    """Install line; default ``pip install 'ftproviders[<extra>]'``."""
    modules: tuple[str, ...] = ()
    """Top-level modules that must be importable."""
    optional_modules: Mapping[str, str] = field(default_factory=_nothing)
    """Extra that brings a part not everybody needs -> a module by which it is recognised."""
    settings_type: type[ProviderSettings] = ProviderSettings
    options_type: type[ProviderOptions] = ProviderOptions
    deployment_options_type: type[ProviderOptions] = ProviderOptions
    """What a deployment here can be told (``deploy -o key=value``); its host checks them."""
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
    late_event_looks: int = 0
    """How often to look for further events of a job that has ended: some come after the end."""
    docs: str = ""
    """Path of the documentation page."""
    needs_deployment: bool = False
    """True when a tuned model of this provider answers only once it is deployed."""
    rules_only: bool = False
    """True when this version knows the provider's data rules and cannot yet tune or host there."""

    def data_profile(self, model: str | None = None) -> DataProfile:
        """Return what the provider, and one base model of it, want of a data file."""
        return replace(self.data, methods=self.data.methods or self.methods).for_model(model)

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
