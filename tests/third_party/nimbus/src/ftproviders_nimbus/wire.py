"""Ours <-> Nimbus's: pure functions, tested without any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftproviders.provider import ProviderInfo
from ftproviders.schema.job import (
    FileRef,
    FindResult,
    Found,
    JobEvent,
    JobFailure,
    JobRef,
    JobSnapshot,
    JobSpec,
    JobStatus,
    ModelSource,
    NotSeen,
    SubmissionQuery,
    TunedModel,
)
from ftproviders_nimbus.options import NimbusOptions

LABEL = "ftproviders-submission"

STATES: Mapping[str, JobStatus] = {
    "PREPARING": JobStatus.PENDING,
    "TRAINING": JobStatus.RUNNING,
    "STOPPING": JobStatus.CANCELLING,
    "STOPPED": JobStatus.CANCELLED,
    "DONE": JobStatus.SUCCEEDED,
    "BROKEN": JobStatus.FAILED,
}


def tuning_body(
    info: ProviderInfo,
    spec: JobSpec,
    *,
    options: NimbusOptions,
    files: Sequence[FileRef],
    submission_id: str,
) -> dict[str, Any]:
    """Build the body of ``POST /v1/tunings``."""
    config = {
        knob.sent_as or name: value
        for name, value in spec.hyperparameters.stated.items()
        if (knob := info.hyperparameter(name, spec.method)) is not None
    }
    body = {
        "model": spec.base_model,
        "file": files[0].id,
        "config": config,
        "labels": {LABEL: submission_id},
        "seed": spec.seed,
        "region": options.region,
    }
    return {name: value for name, value in body.items() if value is not None}


def snapshot(tuning: Mapping[str, Any], *, account: str | None) -> JobSnapshot:
    """Read a tuning."""
    model = tuning["result"]
    error = tuning["error"]
    return JobSnapshot(
        ref=JobRef(provider="nimbus", account=account, id=tuning["id"]),
        status=STATES.get(tuning["state"], JobStatus.UNKNOWN),
        raw_status=tuning["state"],
        base_model=tuning["model"],
        model=tuned_model(model) if model else None,
        created_at=tuning["created"],
        finished_at=tuning["ended"],
        error=JobFailure(message=error) if error else None,
        submission_id=tuning["labels"].get(LABEL),
        training_files=(tuning["file"], tuning["filename"]),
    )


def tuned_model(name: str) -> TunedModel:
    """Name a tuned model."""
    return TunedModel(source=ModelSource.PROVIDER_MODEL, name=name, provider="nimbus")


def event(line: Mapping[str, Any]) -> JobEvent:
    """Read a line of a tuning's log."""
    loss = line.get("loss")
    return JobEvent(
        id=str(line["number"]),
        created_at=line["at"],
        message=line["text"],
        kind="message" if loss is None else "metrics",
        step=line.get("step"),
        metrics={} if loss is None else {"train_loss": loss},
    )


def matched(query: SubmissionQuery, jobs: Sequence[JobSnapshot]) -> FindResult:
    """Decide over every tuning of the account; only the label proves anything."""
    for job in jobs:
        if job.submission_id == query.submission_id:
            return Found(snapshot=job)
    similar = [
        job
        for job in jobs
        if job.submission_id is None
        and job.base_model == query.base_model
        and any(query.names_file(name) for name in job.training_files)
    ]
    return NotSeen(similar=tuple(similar))
