"""What the journal and the runtime tell about submissions, set-up and reconciliation."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ftproviders.schema.job import JobRef, JobSnapshot
from ftproviders.schema.value import UtcDatetime, Value

__all__ = ["CheckResult", "JobRecord", "ReconcileReport", "SubmissionState", "Unresolved"]


class SubmissionState(StrEnum):
    """What we know of a submission's create request."""

    INTENT = "intent"
    """About to be sent, or sent; no outcome was written down."""
    UNKNOWN = "unknown"
    """Sent, answer lost, not found within the settle window; the user was told."""
    CREATED = "created"
    """The job is known."""
    REFUSED = "refused"
    """The provider refused, or the user said it is absent: it may be sent again."""


class JobRecord(Value):
    """A row of the journal: a submission, or a job that was adopted without one."""

    provider: str
    account: str
    base_model: str | None = None
    submission_id: str | None = None
    """None for a job that was not made by a submission of ours."""
    attempt: Annotated[int, Field(ge=1)] | None = None
    state: SubmissionState
    ref: JobRef | None = None
    """None as long as the outcome is not known."""
    snapshot: JobSnapshot | None = None
    """The job as it was last seen."""
    created_at: UtcDatetime
    """When the row was written."""
    note: str | None = None


class Unresolved(Value):
    """A submission whose outcome is still not known."""

    record: JobRecord
    similar: tuple[JobSnapshot, ...] = ()
    """Jobs with the same file and model but without the marker."""
    detail: str
    """What was looked at and what to do next."""


class ReconcileReport(Value):
    """What `reconcile` found."""

    resolved: tuple[JobRecord, ...] = ()
    """Submissions whose outcome is known now."""
    unresolved: tuple[Unresolved, ...] = ()
    imported: tuple[JobRecord, ...] = ()
    """Jobs with our marker that the provider lists and the journal did not have."""
    problems: tuple[str, ...] = ()
    """Providers that could not be asked, and why."""


class CheckResult(Value):
    """One line of ``doctor``."""

    name: str
    """What was looked at: ``journal``, ``provider local`` ..."""
    ok: bool
    detail: str
    hint: str = ""
    """What to do when it is not ok."""
