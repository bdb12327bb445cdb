"""What a page is made of: values that somebody else has gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.job import JobEvent, JobSnapshot, JobSpec

__all__ = ["DataFile", "JobReport", "SampleAnswer"]


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A data file of the job, as far as it is known."""

    purpose: str
    """``training`` or ``validation``."""
    name: str
    """Name without folders, or the provider's id of the file."""
    sha256: str | None = None
    """Digest of the bytes that were submitted."""
    bytes: int | None = None
    rows: int | None = None
    note: str = ""
    """Why something is not known, or what has happened to the file since."""


@dataclass(frozen=True, kw_only=True)
class SampleAnswer:
    """A question and what base and tuned model say to it."""

    messages: Sequence[ChatMessage]
    """The conversation that was sent."""
    expected: str | None = None
    """The row's own answer; None = it has none."""
    before: str | None = None
    """The base model's answer; None = there is none, see ``JobReport.answers_notes``."""
    after: str | None = None
    """The tuned model's answer; None likewise."""


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """Everything that a page shows. What is missing is said on the page, never made up."""

    snapshot: JobSnapshot
    account: str | None = None
    submission_id: str | None = None
    attempt: int | None = None
    spec: JobSpec | None = None
    """What was asked for; None = not known here."""
    metrics: Sequence[JobEvent] = ()
    """Events with numbers; of each step, the values that count."""
    events: Sequence[JobEvent] = ()
    """All events, oldest first."""
    events_note: str = ""
    """Why there are none."""
    files: Sequence[DataFile] = ()
    answers: Sequence[SampleAnswer] = ()
    answers_notes: Sequence[str] = ()
    """Who was asked what and how; why somebody did not answer."""
    version: str | None = None
    """Version of this package that wrote the report."""
    written_at: datetime

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the provider tells beyond the usual fields."""
        return self.snapshot.facts

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that were in force, in the provider's words; empty = not told."""
        return _mapping(self.facts.get("settings"))

    @property
    def stated(self) -> Mapping[str, Any]:
        """The settings that the user stated, own options of the provider included."""
        if self.spec is None:
            return {}
        own = self.spec.options.get(self.snapshot.ref.provider, {})
        seed = {} if self.spec.seed is None else {"seed": self.spec.seed}
        return {**self.spec.hyperparameters.stated, **seed, **own}

    @property
    def seed(self) -> int | None:
        """The random seed in force, stated or told by the provider."""
        if self.spec is not None and self.spec.seed is not None:
            return self.spec.seed
        told = self.settings.get("seed")
        return told if isinstance(told, int) and not isinstance(told, bool) else None

    @property
    def units(self) -> Mapping[str, str]:
        """Name of a metric -> its unit, as far as the provider tells."""
        return {name: str(unit) for name, unit in _mapping(self.facts.get("units")).items()}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
