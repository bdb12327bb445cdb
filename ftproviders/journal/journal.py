"""The notebook of what was asked of whom, and what came of it.

A row is written *before* a request that costs money and again after its answer. When it cannot be
written, nothing is sent.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from ftproviders.errors import JournalError
from ftproviders.journal.database import Database
from ftproviders.journal.deployments import DeploymentRows
from ftproviders.journal.rows import SubmissionRow
from ftproviders.journal.schema import MIGRATIONS
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot
from ftproviders.schema.submission import JobRecord, SubmissionState

__all__ = ["Journal"]

_Made = TypeVar("_Made")
_log = logging.getLogger("ftproviders")
_UPLOAD = "upload "
"""How `runtime.transfer` names the operation; the file's name follows."""


class Journal:
    """Submissions with their intents and outcomes, jobs as last seen, files.

    Args:
        path: The SQLite file, made when it is not there.

    Raises:
        JournalError: From every method, when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, MIGRATIONS)
        self.deployments = DeploymentRows(self._db)
        """Deployments that were asked for from here."""

    @property
    def path(self) -> Path:
        """Where the journal is."""
        return self._db.path

    def close(self) -> None:
        """Close the file; may be called again."""
        self._db.close()

    # --- submissions -------------------------------------------------------------------------

    def begin(self, row: SubmissionRow) -> None:
        """Write down an attempt before anything is sent for it.

        An attempt that was refused before is begun anew under the same id.
        """
        self._db.write(
            """
            INSERT INTO submissions (submission_id, series_id, attempt, provider, account,
                base_model, state, spec, identity, similar, note, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (submission_id) DO UPDATE SET
                state = excluded.state, similar = excluded.similar, sent_at = NULL, reason = NULL
            """,
            (
                row.submission_id,
                row.series_id,
                row.attempt,
                row.provider,
                row.account,
                row.base_model,
                row.state.value,
                row.spec,
                row.identity,
                json.dumps(row.similar),
                row.note,
                row.created_at.isoformat(),
            ),
        )

    def sending(self, submission_id: str, *, at: datetime, files: Sequence[str]) -> None:
        """Write down that the create request is about to go out."""
        self._db.write(
            "UPDATE submissions SET state = 'intent', sent_at = ?, files = ? "
            "WHERE submission_id = ?",
            (at.isoformat(), json.dumps(list(files)), submission_id),
        )

    def created(self, row: SubmissionRow, snapshot: JobSnapshot, *, at: datetime) -> None:
        """Write down that the submission has this job; adds the submission if it is not there."""
        self._db.write_all(
            [
                (
                    """
                    INSERT INTO submissions (submission_id, series_id, attempt, provider, account,
                        base_model, state, spec, identity, ref, note, created_at)
                    VALUES (?, ?, ?, ?, ?, ?, 'created', ?, ?, ?, ?, ?)
                    ON CONFLICT (submission_id) DO UPDATE SET state = 'created', ref = excluded.ref
                    """,
                    (
                        row.submission_id,
                        row.series_id,
                        row.attempt,
                        row.provider,
                        row.account,
                        row.base_model,
                        row.spec,
                        row.identity,
                        snapshot.ref.model_dump_json(),
                        row.note,
                        row.created_at.isoformat(),
                    ),
                ),
                _job_upsert(snapshot, account=row.account, submission_id=row.submission_id, at=at),
            ]
        )

    def unknown(self, submission_id: str, *, reason: str) -> None:
        """Write down that the outcome is not known and that the user is being told so."""
        self._set_state(submission_id, SubmissionState.UNKNOWN, reason)

    def refused(self, submission_id: str, *, reason: str) -> None:
        """Write down that there is no job: refused by the provider, or said to be absent."""
        self._set_state(submission_id, SubmissionState.REFUSED, reason)

    def shown(self, submission_id: str, *, at: datetime) -> None:
        """Write down that the user was given the job's ref."""
        self._db.write(
            "UPDATE submissions SET shown_at = COALESCE(shown_at, ?) WHERE submission_id = ?",
            (at.isoformat(), submission_id),
        )

    def _set_state(self, submission_id: str, state: SubmissionState, reason: str) -> None:
        self._db.write(
            "UPDATE submissions SET state = ?, reason = ? WHERE submission_id = ?",
            (state.value, reason, submission_id),
        )

    def submission(self, submission_id: str) -> SubmissionRow | None:
        """Return one attempt, or None."""
        rows = self._db.read("SELECT * FROM submissions WHERE submission_id = ?", (submission_id,))
        return self._sound(_submission, rows[0]) if rows else None

    def attempts(self, series_id: str) -> Sequence[SubmissionRow]:
        """Return all attempts of one submission, oldest first."""
        rows = self._db.read(
            "SELECT * FROM submissions WHERE series_id = ? ORDER BY attempt", (series_id,)
        )
        return [self._sound(_submission, row) for row in rows]

    def unresolved(self) -> Sequence[SubmissionRow]:
        """Return the attempts whose create request may have been carried out, oldest first."""
        rows = self._db.read(
            "SELECT * FROM submissions WHERE state = 'unknown' "
            "OR (state = 'intent' AND sent_at IS NOT NULL) ORDER BY created_at"
        )
        return [self._sound(_submission, row) for row in rows]

    def owner(self, ref: JobRef) -> str | None:
        """Return the id of the submission whose job this is, or None."""
        rows = self._db.read(
            "SELECT submission_id FROM submissions WHERE state = 'created' AND ref = ?",
            (ref.model_dump_json(),),
        )
        return str(rows[0]["submission_id"]) if rows else None

    # --- operations --------------------------------------------------------------------------

    def start(self, submission_id: str, operation: str, *, at: datetime) -> int:
        """Write down the intent of a request other than create; return its number."""
        self._db.write(
            "INSERT INTO operations (submission_id, operation, started_at) VALUES (?, ?, ?)",
            (submission_id, operation, at.isoformat()),
        )
        return int(self._db.read("SELECT MAX(id) FROM operations")[0][0])

    def finish(self, number: int, *, outcome: str, at: datetime) -> None:
        """Write down what came of the request `number`."""
        self._db.write(
            "UPDATE operations SET finished_at = ?, outcome = ? WHERE id = ?",
            (at.isoformat(), outcome, number),
        )

    # --- jobs --------------------------------------------------------------------------------

    def seen(
        self,
        snapshot: JobSnapshot,
        *,
        account: str,
        at: datetime,
        submission_id: str | None = None,
    ) -> None:
        """Keep the job's latest snapshot, whoever made the job."""
        statement, parameters = _job_upsert(
            snapshot, account=account, submission_id=submission_id, at=at
        )
        self._db.write(statement, parameters)

    def job(self, ref: JobRef) -> JobRecord | None:
        """Return the record of one job, or None."""
        rows = self._db.read(f"{_RECORDS} WHERE ref = ?", (str(ref),))
        return self._sound(_record, rows[0]) if rows else None

    def records(self) -> Sequence[JobRecord]:
        """Return every submission and every adopted job, newest first."""
        rows = self._db.read(f"{_RECORDS} ORDER BY began DESC, attempt DESC")
        found: list[JobRecord] = []
        for row in rows:
            try:
                found.append(self._sound(_record, row))
            except JournalError as error:
                _log.warning("%s", error)  # one damaged row must not hide the others
        return found

    def _sound(self, make: Callable[[sqlite3.Row], _Made], row: sqlite3.Row) -> _Made:
        try:
            return make(row)
        except ValueError as error:
            name = row["submission_id"] or row["ref"]
            raise JournalError(
                f"The row of {name} in the journal {self.path} is damaged.",
                operation="journal",
                hint="Nothing was sent. Move that file away; a new journal is started, and "
                "`ftproviders reconcile` brings the jobs of each provider back into it.",
            ) from error

    def matching(self, text: str, *, within: JobRef | None = None) -> Sequence[JobRef]:
        """Return the refs whose job id or submission id is `text` or begins with it.

        Args:
            text: An id, or its beginning.
            within: Only refs of this one's provider and, where it names one, account.
        """
        refs = [
            (record.ref, record.submission_id)
            for record in self.records()
            if record.ref is not None and (within is None or record.ref.beside(within))
        ]
        exact = [ref for ref, submission in refs if text in (ref.id, submission)]
        if exact:
            return exact
        return [ref for ref, sub in refs if ref.id.startswith(text) or (sub or "").startswith(text)]

    # --- files -------------------------------------------------------------------------------

    def uploaded(self, file: FileRef, *, account: str, at: datetime) -> None:
        """Keep a file that is at the provider."""
        self._db.write(
            "INSERT OR REPLACE INTO files (provider, account, file_id, file, created_at) "
            "VALUES (?, ?, ?, ?, ?)",
            (file.provider, account, file.id, file.model_dump_json(), at.isoformat()),
        )

    def files(self, provider: str, *, account: str) -> Sequence[FileRef]:
        """Return the files of ours at a provider, newest first."""
        rows = self._db.read(
            "SELECT file FROM files WHERE provider = ? AND account = ? ORDER BY created_at DESC",
            (provider, account),
        )
        return [FileRef.model_validate_json(row["file"]) for row in rows]

    def lost_uploads(self, provider: str, *, account: str) -> frozenset[str]:
        """Return the names under which a file may have gone up without an id that came back."""
        rows = self._db.read(
            "SELECT operation FROM operations JOIN submissions USING (submission_id) "
            "WHERE operation LIKE ? AND provider = ? AND account = ? "
            "AND (outcome IS NULL OR outcome NOT IN (SELECT file_id FROM files))",
            (f"{_UPLOAD}%", provider, account),
        )
        return frozenset(str(row["operation"]).removeprefix(_UPLOAD) for row in rows)

    def unsettled(self, provider: str, *, account: str) -> Sequence[SubmissionRow]:
        """Return the attempts without an outcome, sent or not, oldest first."""
        rows = self._db.read(
            "SELECT * FROM submissions WHERE state IN ('intent', 'unknown') "
            "AND provider = ? AND account = ? ORDER BY created_at",
            (provider, account),
        )
        return [self._sound(_submission, row) for row in rows]


# One row for each submission, with its job when there is one, and one for each job without any.
_RECORDS = """
    SELECT * FROM (
        SELECT s.submission_id, s.attempt, s.state, s.base_model, s.ref AS made,
               s.created_at AS began, COALESCE(s.note, j.note) AS note, s.provider, s.account,
               j.snapshot, j.ref
        FROM submissions s LEFT JOIN jobs j ON j.submission_id = s.submission_id
        UNION ALL
        SELECT NULL, NULL, 'created', NULL, NULL, first_seen_at, note, provider, account,
               snapshot, ref
        FROM jobs
        WHERE submission_id IS NULL
           OR submission_id NOT IN (SELECT submission_id FROM submissions)
    )
"""


def _job_upsert(
    snapshot: JobSnapshot, *, account: str, submission_id: str | None, at: datetime
) -> tuple[str, Sequence[object]]:
    statement = """
        INSERT INTO jobs (ref, provider, account, submission_id, snapshot, first_seen_at,
            last_seen_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (ref) DO UPDATE SET snapshot = excluded.snapshot,
            last_seen_at = excluded.last_seen_at,
            submission_id = COALESCE(jobs.submission_id, excluded.submission_id)
        """
    ref = snapshot.ref
    return statement, (
        str(ref),
        ref.provider,
        account,
        submission_id,
        snapshot.model_dump_json(),
        at.isoformat(),
        at.isoformat(),
    )


def _submission(row: sqlite3.Row) -> SubmissionRow:
    return SubmissionRow(
        submission_id=row["submission_id"],
        series_id=row["series_id"],
        attempt=row["attempt"],
        provider=row["provider"],
        account=row["account"],
        base_model=row["base_model"],
        state=SubmissionState(row["state"]),
        spec=row["spec"],
        identity=row["identity"],
        created_at=datetime.fromisoformat(row["created_at"]),
        similar=tuple(json.loads(row["similar"])),
        files=tuple(json.loads(row["files"])),
        ref=JobRef.model_validate_json(row["ref"]) if row["ref"] else None,
        reason=row["reason"],
        note=row["note"],
        sent_at=_moment(row["sent_at"]),
        shown_at=_moment(row["shown_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _record(row: sqlite3.Row) -> JobRecord:
    snapshot = JobSnapshot.model_validate_json(row["snapshot"]) if row["snapshot"] else None
    made = JobRef.model_validate_json(row["made"]) if row["made"] else None
    return JobRecord(
        provider=row["provider"],
        account=row["account"],
        base_model=row["base_model"] or (snapshot.base_model if snapshot else None),
        submission_id=row["submission_id"],
        attempt=row["attempt"],
        state=SubmissionState(row["state"]),
        # A submission has two jobs after it was sent again past a list that lagged: each is a row.
        ref=snapshot.ref if snapshot else made,
        snapshot=snapshot,
        created_at=datetime.fromisoformat(row["began"]),
        note=row["note"],
    )
