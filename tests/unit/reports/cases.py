"""Events and reports that the tests of this room are about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ftproviders.reports import JobReport
from ftproviders.schema.job import JobEvent, JobRef, JobSnapshot, JobStatus

WHEN = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def number(step: int | None, **metrics: float) -> JobEvent:
    return JobEvent(
        id=f"m{step}", created_at=WHEN, message="", kind="metrics", step=step, metrics=metrics
    )


def falling(steps: int = 5, name: str = "train_loss") -> list[JobEvent]:
    return [number(step, **{name: 3.0 - step / 10}) for step in range(1, steps + 1)]


def report(**parts: Any) -> JobReport:
    facts = parts.pop("facts", {})
    seen = JobSnapshot(
        ref=JobRef(provider="elsewhere", id="job-1"),
        status=JobStatus.SUCCEEDED,
        raw_status="done",
        base_model="small",
        facts=facts,
        **parts.pop("seen", {}),
    )
    return JobReport(snapshot=seen, written_at=WHEN, **parts)
