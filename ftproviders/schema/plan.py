"""What a submission would do and cost, to be looked at before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import Field

from ftproviders.schema.dataset import Dataset, ValidationReport
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobSpec
from ftproviders.schema.moved import MovedFrom
from ftproviders.schema.value import FrozenJson, JsonValue, Value

__all__ = ["Assessment", "CostEstimate", "IgnoredSetting", "JobPlan", "MappedSetting"]


class MappedSetting(Value):
    """A setting that the provider takes under another name or in another shape."""

    name: str
    value: JsonValue
    sent_as: str
    """Where the value goes in the provider's request."""


class IgnoredSetting(Value):
    """A setting that the provider does not have; nothing is sent for it."""

    name: str
    value: JsonValue
    reason: str


class CostEstimate(Value):
    """What the training will cost, or why that is not known. Unknown is never shown as 0."""

    usd: Annotated[float, Field(ge=0)] | None = None
    """Estimate in US dollars; None = unknown."""
    basis: str
    """The formula in words, or why the cost is unknown."""
    source: str | None = None
    """Where the price was read."""
    as_of: date | None = None
    """The day on which the price was read."""


class Assessment(Value):
    """An adapter's answer to a spec: what it would send, and what that means."""

    resolved: FrozenJson = {}
    """Every setting that will be in force, with the provider's defaults filled in."""
    defaults: tuple[str, ...] = ()
    """Names in `resolved` that nobody stated."""
    mapped: tuple[MappedSetting, ...] = ()
    ignored: tuple[IgnoredSetting, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Facts worth seeing that are no warnings, for instance the data type chosen."""
    cost: CostEstimate | None = None
    """None = the planner looks into the dated price tables."""
    duration_seconds: Annotated[float, Field(ge=0)] | None = None
    """How long training will take; None = unknown."""
    dated_tables: bool = True
    """False where another service than the provider's own is called: its prices and dates are not
    those of the tables."""
    model_ends_on: date | None = None
    """The day on which the base model and its tunes are shut down, as the provider tells it now;
    None = it does not say, and the dated table counts."""


class JobPlan(Value):
    """A submission that has been checked and resolved, but not sent."""

    spec: JobSpec
    provider: str
    account: str
    """The full account string of the provider (never a key)."""
    base_model: str
    """The base model as the user wrote it, for this provider."""
    method: Method
    submission_id: str
    """Id of attempt 1 of this submission; later attempts have ids of their own."""
    identity: FrozenJson
    """What the id was computed from, without the attempt number."""
    training: Dataset
    validation: Dataset | None = None
    report: ValidationReport
    validation_report: ValidationReport | None = None
    trained_tokens: Annotated[int, Field(ge=0)] | None = None
    """Estimated tokens x epochs; None when the epochs are not known."""
    resolved: FrozenJson = {}
    defaults: tuple[str, ...] = ()
    """Names in `resolved` that nobody stated."""
    mapped: tuple[MappedSetting, ...] = ()
    ignored: tuple[IgnoredSetting, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cost: CostEstimate
    duration_seconds: float | None = None
    needs_consent: bool
    """True when submitting costs, or may cost, money."""
    moved_from: MovedFrom | None = None
    """The job that it was made from; None = it was not made from one."""

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Purpose (``training``, ``validation``) -> data set."""
        pairs = {"training": self.training, "validation": self.validation}
        return {purpose: dataset for purpose, dataset in pairs.items() if dataset is not None}
