"""The rows that a provider complains of, quoted from the file that was sent, if it is at hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ftproviders.data.secrets import find_secrets
from ftproviders.errors import JournalError, ProviderError
from ftproviders.runtime.session import Session
from ftproviders.schema.job import JobSnapshot, JobSpec
from ftproviders.schema.plan import JobPlan

__all__ = ["quote_rows", "with_rows"]

_SHOWN_ROWS = 3
_SHOWN_BYTES = 160


def quote_rows(error: ProviderError, plan: JobPlan) -> None:
    """Add to a refusal's hint what stands in the rows that it names."""
    purpose = _purpose(error.code, error.param)
    dataset = plan.datasets.get(purpose)
    if error.rows and dataset is not None:
        error.hint = f"{error.hint} {_quoted(dataset.path, error.rows)}".strip()


def with_rows(session: Session, snapshot: JobSnapshot) -> JobSnapshot:
    """Return a failed job whose hint quotes the rows that its error names.

    Nothing is added for jobs that others made, and when the file is gone or was changed since.
    """
    failure = snapshot.error
    if failure is None or not failure.rows:
        return snapshot
    file = _sent(session, snapshot, _purpose(failure.code, failure.param))
    text = "" if file is None else _quoted(file, failure.rows)
    if not text:
        return snapshot
    told = failure.model_copy(update={"hint": f"{failure.hint} {text}".strip()})
    return snapshot.model_copy(update={"error": told})


def _purpose(*words: str | None) -> str:
    return "validation" if any("validation_file" in (word or "") for word in words) else "training"


def _sent(session: Session, snapshot: JobSnapshot, purpose: str) -> Path | None:
    """Return the file that the job was made with, if it is still what it was then."""
    try:
        owner = session.journal.owner(snapshot.ref)
        row = None if owner is None else session.journal.submission(owner)
    except JournalError:
        return None  # the job has failed, whatever the journal says
    if row is None:
        return None
    spec = JobSpec.model_validate_json(row.spec)
    name = spec.training_file if purpose == "training" else spec.validation_file
    digest = json.loads(row.identity).get(f"{purpose}_file")
    try:
        with Path(name or "").open("rb") as content:
            same = hashlib.file_digest(content, "sha256").hexdigest() == digest
    except OSError:
        return None
    return Path(name or "") if same else None


def _quoted(path: Path, rows: Sequence[int]) -> str:
    wanted = sorted(row for row in set(rows) if row > 0)[:_SHOWN_ROWS]
    told: list[str] = []
    done = 0
    try:
        with path.open("rb") as file:
            for row in wanted:
                line = next(islice(file, row - 1 - done, None), None)
                done = row
                if line is None:
                    break
                told.append(f"{path.name}:{row}: {_excerpt(line)}")
    except OSError:
        return ""
    return f"[{' | '.join(told)}]" if told else ""


def _excerpt(line: bytes) -> str:
    """Return the beginning of a row, without what looks like a key."""
    text = line.strip()
    for secret in reversed(find_secrets(text)):
        text = text[: secret.start] + b"***" + text[secret.end :]
    shown = text[:_SHOWN_BYTES].decode("utf-8", "ignore")
    plain = "".join(c if c.isprintable() else " " for c in shown)
    return plain + (" ..." if len(text) > _SHOWN_BYTES else "")
