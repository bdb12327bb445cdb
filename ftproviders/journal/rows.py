"""Rows of the journal as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ftproviders.schema.job import JobRef
from ftproviders.schema.submission import SubmissionState

__all__ = ["SubmissionRow"]


@dataclass(frozen=True, kw_only=True)
class SubmissionRow:
    """One attempt of a submission, as it is written down."""

    submission_id: str
    series_id: str
    """Id of attempt 1: the same for all attempts of one submission."""
    attempt: int
    provider: str
    account: str
    base_model: str
    state: SubmissionState
    spec: str
    """The user's JobSpec as JSON."""
    identity: str
    """What the id was computed from, as JSON."""
    created_at: datetime
    similar: tuple[str, ...] = ()
    """Refs of look-alikes that were listed before anything was sent."""
    files: tuple[str, ...] = ()
    """Ids of the files at the provider that the create request names."""
    ref: JobRef | None = None
    reason: str | None = None
    """Why the provider refused."""
    note: str | None = None
    sent_at: datetime | None = None
    """Written just before the create request goes out; None = it never went out."""
    shown_at: datetime | None = None
    """When the user was given the job's ref; None = never."""

    @property
    def maybe_sent(self) -> bool:
        """True when a create request may have reached the provider without a known outcome."""
        if self.state is SubmissionState.UNKNOWN:
            return True
        return self.state is SubmissionState.INTENT and self.sent_at is not None
