"""Pure functions: a spec -> ``job.json``, a run's files -> our values. No disk, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import nan
from typing import Any

from ftproviders.schema.job import (
    Checkpoint,
    EventLevel,
    FileRef,
    JobEvent,
    JobFailure,
    JobRef,
    JobSnapshot,
    JobSpec,
    JobStatus,
    ModelSource,
    TunedModel,
)

__all__ = ["SCHEMA", "job_document", "to_checkpoint", "to_event", "to_snapshot"]

SCHEMA = "ftproviders.local-run/1"

_TOLD = (
    "settings",
    "versions",
    "hardware",
    "dtype",
    "device",
    "parameters",
    "files",
    "chat_template",
    "assistant_tokens_by",
    "machine",
    "spec",
)
"""Entries of ``job.json`` that a snapshot carries as facts."""

_WORDS = {word: JobStatus(word) for word in ("pending", "validating", "running")} | {
    word: JobStatus(word) for word in ("succeeded", "failed", "cancelled")
}
_WORDS |= {"paused": JobStatus.PAUSED, "disk_full": JobStatus.PAUSED}


def job_document(
    spec: JobSpec,
    *,
    base_model: str,
    settings: Mapping[str, Any],
    chat_template: str | None,
    files: Sequence[FileRef],
    submission_id: str,
) -> dict[str, Any]:
    """Return ``job.json`` as far as it is known before the worker starts.

    Args:
        spec: What the user asked for.
        base_model: Alias, absolute folder, or name on the Hub.
        settings: What `settings.resolve` returned.
        chat_template: Text of the user's own template.
        files: Uploaded files.
        submission_id: Our marker.
    """
    return {
        "schema": SCHEMA,
        "submission_id": submission_id,
        "base_model": base_model,
        "method": spec.method.value,
        "suffix": spec.suffix,
        "spec": spec.model_dump(mode="json", exclude_none=True),
        "settings": dict(settings),
        "chat_template": chat_template,
        "files": [
            {"purpose": f.purpose, "id": f.id, "name": f.name, "sha256": f.sha256, "bytes": f.bytes}
            for f in files
        ],
    }


def to_snapshot(
    ref: JobRef,
    *,
    job: Mapping[str, Any],
    status: Mapping[str, Any],
    alive: bool,
    cancelling: bool,
    checkpoint_step: int | None,
    adapter: str,
    log: str,
) -> JobSnapshot:
    """Return a run as a snapshot.

    Args:
        ref: Its name.
        job: ``job.json``.
        status: ``status.json``, read after `alive` was found out.
        alive: Whether the worker lives.
        cancelling: Whether somebody asked to cancel.
        checkpoint_step: Step of the checkpoint to go on from; None = there is none.
        adapter: Path of the adapter's folder.
        log: Path of the worker's log.
    """
    raw = str(status.get("status", ""))
    word = _WORDS.get(raw, JobStatus.UNKNOWN)
    error = _failure(status.get("error"))
    if not word.terminal and word not in (JobStatus.UNKNOWN, JobStatus.PAUSED):
        if not alive:
            word, raw = JobStatus.PAUSED, "interrupted"
            error = _interrupted(status, checkpoint_step, log)
        elif cancelling:
            word, raw = JobStatus.CANCELLING, "cancelling"
    base_model = _base_model(job)
    model = TunedModel(
        source=ModelSource.LOCAL_PATH, name=adapter, provider=ref.provider, base_model=base_model
    )
    return JobSnapshot(
        ref=ref,
        status=word,
        raw_status=raw,
        base_model=base_model,
        model=model if word is JobStatus.SUCCEEDED else None,
        created_at=_moment(job.get("created_at")),
        finished_at=_moment(status.get("finished_at")),
        trained_tokens=status.get("trained_tokens"),
        error=error,
        resumable=word is JobStatus.PAUSED,
        submission_id=job.get("submission_id"),
        step=status.get("step"),
        total_steps=status.get("total_steps"),
        training_files=tuple(f["id"] for f in job.get("files", []) if f["purpose"] == "training"),
        facts=_facts(job),
    )


def _facts(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what reports show of ``job.json``, as far as it is there."""
    facts = {name: job[name] for name in _TOLD if job.get(name) is not None}
    if job.get("method") == "supervised":
        facts["units"] = dict.fromkeys(("train_loss", "validation_loss"), "nats per token")
    return facts


def to_event(line: Mapping[str, Any]) -> JobEvent:
    """Return one line of ``events.jsonl`` as an event."""
    return JobEvent(
        id=str(line["id"]),
        created_at=datetime.fromisoformat(line["at"]),
        level=EventLevel(line.get("level", "info")),
        message=line["message"],
        kind=line.get("kind", "message"),
        step=line.get("step"),
        # What was no finite number was written as null.
        metrics={n: nan if v is None else v for n, v in (line.get("metrics") or {}).items()},
    )


def to_checkpoint(folder: str, card: Mapping[str, Any], base_model: str | None) -> Checkpoint:
    """Return a checkpoint.

    Args:
        folder: Its adapter's folder.
        card: ``ftproviders.json`` in that folder.
        base_model: As the user wrote it.
    """
    return Checkpoint(
        id=folder.rpartition("/")[2],
        created_at=_moment(card.get("created_at")),
        step=card.get("step"),
        model=TunedModel(
            source=ModelSource.LOCAL_PATH, name=folder, provider="local", base_model=base_model
        ),
        metrics=card.get("metrics") or {},
    )


def _base_model(job: Mapping[str, Any]) -> str | None:
    """Return the base model as the user wrote it."""
    written = job.get("spec", {}).get("base_model", job.get("base_model"))
    return written if isinstance(written, str) else job.get("base_model")


def _failure(error: object) -> JobFailure | None:
    return JobFailure.model_validate(error) if isinstance(error, dict) else None


def _interrupted(status: Mapping[str, Any], checkpoint_step: int | None, log: str) -> JobFailure:
    step, total = status.get("step"), status.get("total_steps")
    where = f" at step {step} of {total}" if step is not None else " before its first step"
    resumed = (
        "Resumed, it starts over, which gives the same result: there is no checkpoint yet."
        if checkpoint_step is None
        else f"Resumed, it goes on from step {checkpoint_step}."
    )
    return JobFailure(
        message=f"The training process ended{where} without a verdict: it was killed, ran out of "
        f"memory, or the machine was restarted. {resumed} Its log: {log}.",
        code="interrupted",
    )


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
