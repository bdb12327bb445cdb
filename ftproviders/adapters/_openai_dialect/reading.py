"""Theirs -> ours: jobs, checkpoints, models and files, however incomplete the answer is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ftproviders.adapters._openai_dialect.explaining import job_failure
from ftproviders.adapters._openai_dialect.options import MARKER, REINFORCEMENT_OPTIONS
from ftproviders.schema.file import DataFile
from ftproviders.schema.job import (
    Checkpoint,
    FileRef,
    JobRef,
    JobSnapshot,
    JobStatus,
    ModelSource,
    TunedModel,
)
from ftproviders.schema.value import JsonValue

__all__ = [
    "STATUS",
    "Owner",
    "checkpoint",
    "data_file",
    "file_ref",
    "is_tuned",
    "moment",
    "number",
    "snapshot",
]

_CHANGING = ("pausing", "resuming")
"""On the way into a pause and out of it; spelled so by the reference, and by guess at Azure."""
STATUS: Mapping[str, JobStatus] = {
    "created": JobStatus.PENDING,
    "pending": JobStatus.PENDING,
    "validating_files": JobStatus.VALIDATING,
    "queued": JobStatus.QUEUED,
    "running": JobStatus.RUNNING,
    "pausing": JobStatus.PAUSED,
    "paused": JobStatus.PAUSED,
    "resuming": JobStatus.PAUSED,
    "succeeded": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
    "canceled": JobStatus.CANCELLED,
}
"""The words of the API description, ``pausing`` and ``paused`` of its examples, and Azure's."""

_METADATA_LIMIT = 40
_NAME_PARTS = 5
"""Parts of a tuned model's name: ``ft:BASE:ORGANISATION:SUFFIX:ID``, and a step for checkpoints."""
_AZURE_SUFFIX = re.compile(r"\.ft-[0-9a-f]{32}-(.+)$")
"""``BASE.ft-ID-SUFFIX`` (microsoft-foundry/fine-tuning, recorded names)."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose jobs and files these are."""

    provider: str
    account: str | None
    """As refs write it."""

    def job(self, job_id: str) -> JobRef:
        """Name a job."""
        return JobRef(provider=self.provider, account=self.account, id=job_id)

    def model(self, name: str, *, base_model: str | None = None) -> TunedModel:
        """Name a tuned model, or a checkpoint of one."""
        return TunedModel(
            source=ModelSource.PROVIDER_MODEL,
            name=name,
            provider=self.provider,
            base_model=base_model,
        )


def snapshot(job: Mapping[str, Any], *, owner: Owner) -> JobSnapshot:
    """Read a job; a word that is not in `STATUS` is ``unknown``, and any field may be missing."""
    word = str(job.get("status") or "")
    status = STATUS.get(word, JobStatus.UNKNOWN)
    base = _text(job.get("model"))
    tuned = _text(job.get("fine_tuned_model"))
    ready = tuned is not None and status is JobStatus.SUCCEEDED
    metadata = job.get("metadata")
    marker = metadata.get(MARKER) if isinstance(metadata, Mapping) else None
    training = _text(job.get("training_file"))
    return JobSnapshot(
        ref=owner.job(str(job["id"])),
        status=status,
        raw_status=word,
        base_model=base,
        model=owner.model(tuned, base_model=base) if ready and tuned else None,
        created_at=moment(job.get("created_at")),
        finished_at=moment(job.get("finished_at")) if status.terminal else None,
        trained_tokens=_count(job.get("trained_tokens")),
        error=job_failure(job.get("error"), provider=owner.provider),
        resumable=status is JobStatus.PAUSED and word not in _CHANGING,
        changing=word in _CHANGING,
        submission_id=_text(marker),
        training_files=() if training is None else (training,),
        facts=_facts(job),
    )


def _facts(job: Mapping[str, Any]) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {"settings": _settings(job)}
    names = {"training": job.get("training_file"), "validation": job.get("validation_file")}
    facts["files"] = [
        {"purpose": purpose, "name": str(name)} for purpose, name in names.items() if name
    ]
    finish = moment(job.get("estimated_finish"))
    if finish is not None:
        facts["estimated_finish"] = finish.isoformat()
    results = job.get("result_files")
    if isinstance(results, Sequence) and not isinstance(results, str) and results:
        facts["result_files"] = [str(item) for item in results]
    facts["options"] = _options(job)
    return {name: value for name, value in facts.items() if value}


def _settings(job: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the settings in force, wherever this server writes them."""
    kind, own = _method(job)
    found = {**_scalars(job.get("hyperparameters")), **_scalars(own.get("hyperparameters"))}
    if kind is not None:
        found["method"] = kind
    return found | _scalars({"seed": job.get("seed"), "suffix": _suffix(job)})


def _method(job: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """Return the name of the method, and what stands under it."""
    method = job.get("method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    if not isinstance(method, Mapping) or not isinstance(kind, str):
        return None, {}
    own = method.get(kind)
    return kind, own if isinstance(own, Mapping) else {}


def _suffix(job: Mapping[str, Any]) -> str | None:
    """Return the suffix; OpenAI tells it in the tuned model's name alone."""
    told = _text(job.get("suffix"))
    if told is not None:
        return told
    tuned = _text(job.get("fine_tuned_model")) or ""
    parts = tuned.split(":")
    if parts[0] == "ft":
        return parts[3] or None if len(parts) >= _NAME_PARTS else None
    found = _AZURE_SUFFIX.search(tuned)
    return found[1] if found else None


def _options(job: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return what was asked for beside the settings, by the names of `DialectOptions`."""
    _, own = _method(job)
    knobs = _scalars(own.get("hyperparameters"))
    found: dict[str, JsonValue] = {n: knobs[n] for n in REINFORCEMENT_OPTIONS if n in knobs}
    if isinstance(own.get("grader"), Mapping):
        found["grader"] = _without_nulls(own["grader"])
    integrations = job.get("integrations")
    for entry in integrations if isinstance(integrations, list) else []:
        if isinstance(entry, Mapping) and isinstance(entry.get("wandb"), Mapping):
            found["wandb"] = _without_nulls(entry["wandb"])
    metadata = job.get("metadata")
    if isinstance(metadata, Mapping) and set(metadata) - {MARKER}:
        kept = [pair for pair in metadata.items() if pair[0] != MARKER][:_METADATA_LIMIT]
        found["metadata"] = {str(name): str(value) for name, value in kept}
    return found


def _without_nulls(value: Any) -> JsonValue:
    """Leave out what services write as null: it was not stated."""
    if isinstance(value, Mapping):
        return {str(k): _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else None


def _scalars(value: object) -> dict[str, JsonValue]:
    if not isinstance(value, Mapping):
        return {}
    return {str(k): v for k, v in value.items() if isinstance(v, str | int | float)}


def checkpoint(entry: Mapping[str, Any], *, owner: Owner) -> Checkpoint:
    """Read a checkpoint."""
    step = _count(entry.get("step_number"))
    numbers = entry.get("metrics") if isinstance(entry.get("metrics"), Mapping) else {}
    return Checkpoint(
        id=str(entry["id"]),
        created_at=moment(entry.get("created_at")),
        step=step,
        model=owner.model(str(entry["fine_tuned_model_checkpoint"])),
        metrics={
            str(name): value
            for name, told in (numbers or {}).items()
            if name != "step" and (value := number(told)) is not None
        },
    )


def file_ref(
    entry: Mapping[str, Any], *, provider: str, sha256: str, size_bytes: int, purpose: str
) -> FileRef:
    """Name a file; digest and size are those of the bytes that *we* sent or looked for."""
    return FileRef(
        provider=provider,
        id=str(entry["id"]),
        name=str(entry.get("filename") or ""),
        sha256=sha256,
        bytes=size_bytes,
        purpose=purpose,
        expires_at=moment(entry.get("expires_at")),
        # Servers that do not say how a file stands are taken to be done with it.
        ready=entry.get("status") in (None, "processed"),
    )


def data_file(entry: Mapping[str, Any], *, provider: str) -> DataFile:
    """Read an entry of the list of files, whoever sent it."""
    return DataFile(
        provider=provider,
        id=str(entry["id"]),
        name=str(entry.get("filename") or ""),
        bytes=_count(entry.get("bytes")),
        status=_text(entry.get("status")),
        created_at=moment(entry.get("created_at")),
        expires_at=moment(entry.get("expires_at")),
    )


def is_tuned(name: str) -> bool:
    """Say whether a model's name is that of a tuned one: ``ft:...``, or Azure's ``....ft-...``."""
    return name.startswith("ft:") or ".ft-" in name


def number(value: object) -> float | None:
    """Read a number of any size, NaN included; whatever else it is, None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def moment(value: object) -> datetime | None:
    """Read seconds since 1970; whatever else it is, None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # JSON of some servers has NaN and Infinity.
    return int(value) if 0 <= value < math.inf else None
