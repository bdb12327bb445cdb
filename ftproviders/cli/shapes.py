"""The JSON shapes of the commands, as written down in ``docs/cli.md``; others rely on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from ftproviders.client import FineTuneJob
    from ftproviders.schema.dataset import Dataset, Issue, ValidationReport
    from ftproviders.schema.deployment import DeploymentCost, DeploymentRecord, DeploymentSnapshot
    from ftproviders.schema.file import KeptFile
    from ftproviders.schema.job import BaseModelInfo, Checkpoint, JobEvent, JobRef, JobSnapshot
    from ftproviders.schema.plan import JobPlan
    from ftproviders.schema.submission import JobRecord

__all__ = [
    "checkpoint",
    "deployment",
    "deployment_record",
    "event",
    "issue_line",
    "job",
    "kept_file",
    "metrics_point",
    "model",
    "moment",
    "plan",
    "record",
    "snapshot",
    "validation",
]


def moment(value: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def job(found: FineTuneJob) -> dict[str, Any]:
    """Return the ``job`` shape of a job."""
    return snapshot(
        found.snapshot,
        account=found.account,
        submission_id=found.submission_id,
        attempt=found.attempt,
        reused=found.reused,
    )


def snapshot(
    seen: JobSnapshot,
    *,
    account: str | None = None,
    submission_id: str | None = None,
    attempt: int | None = None,
    reused: bool = True,
) -> dict[str, Any]:
    """Return the ``job`` shape of a snapshot."""
    body = _unseen(seen.ref, account)
    return body | {
        "submission_id": submission_id or seen.submission_id,
        "attempt": attempt,
        "status": seen.status.value,
        "raw_status": seen.raw_status,
        "base_model": seen.base_model,
        "model": None if seen.model is None else str(seen.model),
        "created_at": moment(seen.created_at),
        "finished_at": moment(seen.finished_at),
        "trained_tokens": seen.trained_tokens,
        "error": None if seen.error is None else seen.error.model_dump(mode="json"),
        "reused": reused,
        "resumable": seen.resumable,
    }


def _unseen(ref: JobRef | None, account: str | None) -> dict[str, Any]:
    return {
        "ref": None if ref is None else str(ref),
        "provider": None if ref is None else ref.provider,
        "account": account or (None if ref is None else ref.account),
        "id": None if ref is None else ref.id,
        "submission_id": None,
        "attempt": None,
        "status": "unknown",
        "raw_status": "",
        "base_model": None,
        "model": None,
        "created_at": None,
        "finished_at": None,
        "trained_tokens": None,
        "error": None,
        "reused": True,
        "resumable": False,
    }


def record(row: JobRecord) -> dict[str, Any]:
    """Return a row of the journal: the ``job`` shape, and ``state`` and ``note`` of the row."""
    if row.snapshot is not None:
        body = snapshot(
            row.snapshot,
            account=row.account,
            submission_id=row.submission_id,
            attempt=row.attempt,
        )
    else:
        body = _unseen(row.ref, row.account) | {
            "provider": row.provider,
            "submission_id": row.submission_id,
            "attempt": row.attempt,
            "base_model": row.base_model,
            "created_at": moment(row.created_at),
        }
    return body | {"state": row.state.value, "note": row.note}


def event(happened: JobEvent) -> dict[str, Any]:
    """Return one event."""
    return {
        "id": happened.id,
        "created_at": moment(happened.created_at),
        "level": happened.level.value,
        "message": happened.message,
        "kind": happened.kind,
        "step": happened.step,
        "metrics": dict(happened.metrics),
    }


def metrics_point(happened: JobEvent) -> dict[str, Any]:
    """Return the numbers of one step."""
    return {
        "step": happened.step,
        "created_at": moment(happened.created_at),
        "values": dict(happened.metrics),
    }


def checkpoint(kept: Checkpoint) -> dict[str, Any]:
    """Return one checkpoint."""
    return {
        "id": kept.id,
        "created_at": moment(kept.created_at),
        "step": kept.step,
        "model": str(kept.model),
        "metrics": dict(kept.metrics),
    }


def kept_file(one: KeptFile) -> dict[str, Any]:
    """Return one data file at a provider."""
    return {
        "provider": one.file.provider,
        "id": one.file.id,
        "name": one.file.name,
        "bytes": one.file.bytes,
        "status": one.file.status,
        "created_at": moment(one.file.created_at),
        "expires_at": moment(one.file.expires_at),
        "ours": one.ours,
        "jobs": [str(ref) for ref in one.jobs],
        "unused": one.unused,
        "needed": one.needed or None,
    }


def deployment(
    seen: DeploymentSnapshot,
    *,
    account: str | None = None,
    cost: DeploymentCost | None = None,
    reused: bool = True,
) -> dict[str, Any]:
    """Return the ``deployment`` shape; it names the file of a token, never the token."""
    lease = seen.lease
    return {
        "ref": str(seen.ref),
        "provider": seen.ref.provider,
        "account": account or seen.ref.account,
        "id": seen.ref.id,
        "status": seen.status.value,
        "raw_status": seen.raw_status,
        "model": str(seen.model),
        "url": seen.url,
        "model_name": seen.model_name,
        "key_file": seen.key_file,
        "log": seen.log,
        "tier": seen.tier,
        "created_at": moment(seen.created_at),
        "removed_at": moment(seen.removed_at),
        "cost": None if cost is None else cost.model_dump(mode="json"),
        "owner": None if lease is None else lease.owner,
        "expires_at": None if lease is None else moment(lease.expires_at),
        "error": None if seen.error is None else seen.error.model_dump(mode="json"),
        "reused": reused,
    }


def deployment_record(row: DeploymentRecord) -> dict[str, Any]:
    """Return the ``deployment`` shape of one that no host has shown yet."""
    return {
        "ref": f"{row.provider}:{row.name}",
        "provider": row.provider,
        "account": row.account,
        "id": row.name,
        "status": "unknown",
        "raw_status": "",
        "model": str(row.model),
        "url": None,
        "model_name": None,
        "key_file": None,
        "log": None,
        "tier": None,
        "created_at": moment(row.created_at),
        "removed_at": None,
        "cost": None,
        "owner": None,
        "expires_at": None,
        "error": None,
        "reused": True,
    }


def validation(report: ValidationReport) -> dict[str, Any]:
    """Return the ``validation`` shape."""
    return {
        "file": report.file,
        "rows": report.rows,
        "bytes": report.bytes,
        "verdicts": {
            name: {"ok": v.ok, "errors": v.errors, "warnings": v.warnings}
            for name, v in report.verdicts.items()
        },
        "issues": [issue.model_dump(mode="json") for issue in report.issues],
        "issues_truncated": report.issues_truncated,
        "statistics": report.statistics.model_dump(mode="json"),
        "tokens": report.tokens.model_dump(mode="json"),
        "template": None if report.template is None else report.template.model_dump(mode="json"),
    }


def issue_line(file: str, issue: Issue) -> str:
    """Return one issue as ``file:line:column: severity rule (path): message. Fix: ...``."""
    place = file
    if issue.line:
        place += f":{issue.line}" + (f":{issue.column}" if issue.column else "")
    path = f" ({issue.path})" if issue.path else ""
    who = f" [{', '.join(issue.providers)}]" if issue.providers else ""
    message = issue.message if issue.message.endswith((".", "!", "?")) else f"{issue.message}."
    fix = f" Fix: {issue.fix}" if issue.fix else ""
    return f"{place}: {issue.severity.value} {issue.rule}{path}: {message}{fix}{who}"


def plan(made: JobPlan) -> dict[str, Any]:
    """Return the ``plan`` shape."""
    return {
        "provider": made.provider,
        "account": made.account,
        "base_model": made.base_model,
        "method": made.method.value,
        "submission_id": made.submission_id,
        "training": _dataset(made.training, made.report),
        "validation": None
        if made.validation is None
        else _dataset(made.validation, made.validation_report),
        "trained_tokens": made.trained_tokens,
        "resolved": dict(made.resolved),
        "defaults": list(made.defaults),
        "options": dict(made.spec.options.get(made.provider, {})),
        "mapped": [setting.model_dump(mode="json") for setting in made.mapped],
        "ignored": [setting.model_dump(mode="json") for setting in made.ignored],
        "warnings": list(made.warnings),
        "notes": list(made.notes),
        "cost": made.cost.model_dump(mode="json"),
        "duration_seconds": made.duration_seconds,
        "needs_consent": made.needs_consent,
        "moved_from": None if made.moved_from is None else made.moved_from.model_dump(mode="json"),
    }


def _dataset(data: Dataset, report: ValidationReport | None) -> dict[str, Any]:
    return {
        "path": str(data.path),
        "sha256": data.sha256,
        "bytes": data.bytes,
        "rows": data.rows,
        "tokens": None if report is None else report.tokens.model_dump(mode="json"),
    }


def model(found: BaseModelInfo) -> dict[str, Any]:
    """Return one model of the ``models`` shape."""
    return found.model_dump(mode="json")
