"""Ours <-> the in-memory server's: pure functions, no server needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftproviders.errors import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    ModelRetiredError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
)
from ftproviders.provider import ProviderInfo
from ftproviders.schema.deployment import (
    ChatReply,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentStatus,
    Lease,
)
from ftproviders.schema.file import DataFile
from ftproviders.schema.job import (
    Checkpoint,
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
from ftproviders.testing.memory.options import MARKER, MemoryOptions

PROVIDER_NAME = "memory"

STATUS: Mapping[str, JobStatus] = {
    "validating": JobStatus.VALIDATING,
    "queued": JobStatus.QUEUED,
    "running": JobStatus.RUNNING,
    "paused": JobStatus.PAUSED,
    "cancelling": JobStatus.CANCELLING,
    "succeeded": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
}

_OUR_NAMES: Mapping[str, str] = {"rows_per_step": "batch_size"}

DEPLOYMENT_STATUS: Mapping[str, DeploymentStatus] = {
    "creating": DeploymentStatus.CREATING,
    "ready": DeploymentStatus.READY,
    "idle": DeploymentStatus.IDLE,
    "failed": DeploymentStatus.FAILED,
    "deleting": DeploymentStatus.DELETING,
}

ERRORS: Mapping[str, tuple[type[ProviderError], str]] = {
    "rate_limited": (RateLimitError, "Wait a little and try again."),
    "unavailable": (ProviderUnavailableError, "Try again later."),
    "server_error": (ProviderUnavailableError, "Try again later."),
    "unauthorized": (AuthenticationError, "Check FTPROVIDERS_MEMORY_API_KEY."),
    "forbidden": (PermissionDeniedError, "Check the account's rights."),
    "not_found": (NotFoundError, "Check the id and FTPROVIDERS_MEMORY_ACCOUNT."),
    "invalid": (InvalidRequestError, "Correct the request."),
    "conflict": (ConflictError, "Choose another name."),
    "quota_exceeded": (QuotaExceededError, "Ask for more quota."),
    "retired": (ModelRetiredError, "Choose a model of `ftproviders models`."),
}


def read_answer(text: str) -> dict[str, Any]:
    """Parse an answer.

    Raises:
        ValueError: It is not a JSON object.
    """
    answer = json.loads(text)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 - one class for all of it
    return answer


def create_body(
    info: ProviderInfo,
    spec: JobSpec,
    *,
    options: MemoryOptions,
    files: Sequence[FileRef],
    submission_id: str,
) -> dict[str, Any]:
    """Build the body of a create request: only what was stated, only what the provider takes."""
    knobs = {
        knob.sent_as or name: value
        for name, value in spec.hyperparameters.stated.items()
        if (knob := info.hyperparameter(name, spec.method)) is not None
    }
    by_purpose = {file.purpose: file.id for file in reversed(files)}
    body = {
        "model": spec.base_model,
        "method": spec.method.value,
        "training_file": by_purpose.get("training"),
        "validation_file": by_purpose.get("validation"),
        "hyperparameters": knobs,
        "seed": spec.seed,
        "suffix": spec.suffix,
        "metadata": {MARKER: submission_id},
        "priority": options.priority,
        "walk": list(options.walk) if options.walk else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def snapshot(job: Mapping[str, Any], *, account: str | None) -> JobSnapshot:
    """Read a job; a word that is not in `STATUS` is ``unknown``."""
    word = str(job["status"])
    status = STATUS.get(word, JobStatus.UNKNOWN)
    tuned = job.get("fine_tuned_model")
    error = job.get("error")
    return JobSnapshot(
        ref=JobRef(provider=PROVIDER_NAME, account=account, id=job["id"]),
        status=status,
        raw_status=word,
        base_model=job["model"],
        model=None if tuned is None else tuned_model(tuned, base_model=job["model"]),
        created_at=job["created_at"],
        finished_at=job.get("finished_at"),
        trained_tokens=job.get("trained_tokens"),
        error=JobFailure(message=error["message"], code=error["code"]) if error else None,
        resumable=status is JobStatus.PAUSED,
        submission_id=(job.get("metadata") or {}).get(MARKER),
        step=job.get("step"),
        total_steps=job.get("total_steps"),
        training_files=(job["training_file"], job["training_file_name"]),
        facts=_facts(job),
    )


def _facts(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings and files as they were sent: the server tells no defaults."""
    knobs = {_OUR_NAMES.get(name, name): v for name, v in (job["hyperparameters"] or {}).items()}
    told = {"method": job["method"], "seed": job["seed"], "suffix": job["suffix"], **knobs}
    training = {
        "purpose": "training", "id": job["training_file"], "name": job["training_file_name"]
    }  # fmt: skip
    files = [training]
    if job["validation_file"] is not None:
        files.append({"purpose": "validation", "name": job["validation_file"]})
    facts: dict[str, Any] = {
        "settings": {name: value for name, value in told.items() if value is not None},
        "files": files,
    }
    return facts | ({"options": {"priority": job["priority"]}} if job["priority"] else {})


def matched(query: SubmissionQuery, jobs: Sequence[JobSnapshot]) -> FindResult:
    """Decide over every job of the account, newest first: only the marker proves anything."""
    ours = [job for job in jobs if job.submission_id == query.submission_id]
    if ours:
        return Found(snapshot=ours[-1])
    similar = [
        job
        for job in jobs
        if job.submission_id is None
        and job.base_model == query.base_model
        and any(query.names_file(name) for name in job.training_files)
    ]
    return NotSeen(similar=tuple(similar))


def tuned_model(name: str, *, base_model: str | None = None) -> TunedModel:
    """Name a tuned model or a checkpoint of the server's."""
    return TunedModel(
        source=ModelSource.PROVIDER_MODEL,
        name=name,
        provider=PROVIDER_NAME,
        base_model=base_model,
    )


def file_ref(entry: Mapping[str, Any], *, sha256: str, size_bytes: int) -> FileRef:
    """Name a file; digest and size are those of the bytes that *we* sent or looked for."""
    return FileRef(
        provider=PROVIDER_NAME,
        id=entry["id"],
        name=entry["name"],
        sha256=sha256,
        bytes=size_bytes,
        purpose=entry["purpose"],
    )


def data_file(entry: Mapping[str, Any]) -> DataFile:
    """Read an entry of the list of files, whoever sent it."""
    return DataFile(
        provider=PROVIDER_NAME,
        id=entry["id"],
        name=entry["name"],
        bytes=entry["bytes"],
        created_at=entry.get("created_at"),
    )


def event(entry: Mapping[str, Any]) -> JobEvent:
    """Read an event."""
    return JobEvent(
        id=entry["id"],
        created_at=entry["created_at"],
        level=entry["level"],
        message=entry["message"],
        kind="metrics" if entry["metrics"] else "message",
        step=entry["step"],
        metrics=entry["metrics"],
    )


def checkpoint(entry: Mapping[str, Any]) -> Checkpoint:
    """Read a checkpoint."""
    return Checkpoint(
        id=entry["id"],
        created_at=entry["created_at"],
        step=entry["step"],
        model=tuned_model(entry["model"]),
        metrics=entry["metrics"],
    )


def chat_reply(answer: Mapping[str, Any], *, model: str) -> ChatReply:
    """Read a chat reply."""
    return ChatReply(
        text=answer["text"],
        model=model,
        finish_reason=answer["finish_reason"],
        prompt_tokens=answer["prompt_tokens"],
        completion_tokens=answer["completion_tokens"],
    )


def deployment(entry: Mapping[str, Any], *, account: str | None) -> DeploymentSnapshot:
    """Read a deployment and the lease in its tags."""
    tags = entry["tags"]
    lease = None
    if "lease_id" in tags:
        lease = Lease(
            id=tags["lease_id"], owner=tags["lease_owner"], expires_at=tags["lease_expires_at"]
        )
    return DeploymentSnapshot(
        ref=DeploymentRef(provider=PROVIDER_NAME, account=account, id=entry["id"]),
        status=DEPLOYMENT_STATUS.get(entry["status"], DeploymentStatus.UNKNOWN),
        raw_status=entry["status"],
        model=tuned_model(entry["model"]),
        created_at=entry["created_at"],
        lease=lease,
        url=f"memory://{account or 'default'}",
        model_name=entry["model"],
        error=JobFailure(message="the server said so") if entry["status"] == "failed" else None,
    )


def lease_tags(lease: Lease | None) -> dict[str, str | None]:
    """Write a lease as tags."""
    if lease is None:
        return {}
    expires = lease.expires_at.isoformat() if lease.expires_at else None
    return {"lease_id": lease.id, "lease_owner": lease.owner, "lease_expires_at": expires}
