"""The journal's rows of deployments: intents before the request, outcomes after its answer."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from ftproviders.errors import JournalError
from ftproviders.journal.database import Database
from ftproviders.schema.deployment import DeploymentRecord, DeploymentRef, DeploymentState

__all__ = ["DeploymentRows"]

_log = logging.getLogger("ftproviders")


class DeploymentRows:
    """Deployments by provider, account and name.

    Args:
        db: The journal's file.

    Raises:
        JournalError: From every method, when the file cannot be read or written.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(self, record: DeploymentRecord) -> None:
        """Write down what is wanted before anything is sent for it; an earlier row is replaced."""
        self._db.write(
            """
            INSERT INTO deployments (provider, account, name, state, record, created_at)
            VALUES (?, ?, ?, 'intent', ?, ?)
            ON CONFLICT (provider, account, name) DO UPDATE SET state = 'intent',
                record = excluded.record, ref = NULL, sent_at = NULL, reason = NULL,
                created_at = excluded.created_at
            """,
            (*_key(record), record.model_dump_json(), record.created_at.isoformat()),
        )

    def sending(self, record: DeploymentRecord, *, at: datetime) -> None:
        """Write down that the request is about to go out."""
        self._db.write(
            "UPDATE deployments SET state = 'intent', sent_at = ? "
            "WHERE provider = ? AND account = ? AND name = ?",
            (at.isoformat(), *_key(record)),
        )

    def created(self, record: DeploymentRecord, ref: DeploymentRef) -> None:
        """Write down that the deployment is there; adds the row if it is not there."""
        self._db.write(
            """
            INSERT INTO deployments (provider, account, name, state, ref, record, created_at)
            VALUES (?, ?, ?, 'created', ?, ?, ?)
            ON CONFLICT (provider, account, name) DO UPDATE SET state = 'created',
                ref = excluded.ref, reason = NULL,
                record = CASE deployments.state WHEN 'created' THEN deployments.record
                                                ELSE excluded.record END
            """,
            (
                *_key(record),
                ref.model_dump_json(),
                record.model_dump_json(),
                record.created_at.isoformat(),
            ),
        )

    def settle(self, record: DeploymentRecord, state: DeploymentState, *, reason: str) -> None:
        """Write down that there is none, or that nobody can say."""
        self._db.write(
            "UPDATE deployments SET state = ?, reason = ? "
            "WHERE provider = ? AND account = ? AND name = ?",
            (state.value, reason, *_key(record)),
        )

    def gone(self, ref: DeploymentRef) -> None:
        """Write down that a deployment is not there any more; unknown ones are passed over."""
        self._db.write(
            "UPDATE deployments SET state = 'deleted', reason = NULL WHERE ref = ?",
            (ref.model_dump_json(),),
        )

    def row(self, provider: str, *, account: str, name: str) -> DeploymentRecord | None:
        """Return one row, or None."""
        rows = self._db.read(
            "SELECT * FROM deployments WHERE provider = ? AND account = ? AND name = ?",
            (provider, account, name),
        )
        return self._record(rows[0]) if rows else None

    def rows(self) -> Sequence[DeploymentRecord]:
        """Return every row, newest first."""
        rows = self._db.read("SELECT * FROM deployments ORDER BY created_at DESC, name")
        found: list[DeploymentRecord] = []
        for row in rows:
            try:
                found.append(self._record(row))
            except JournalError as error:
                _log.warning("%s", error)  # one damaged row must not hide the others
        return found

    def matching(
        self, text: str, *, within: DeploymentRef | None = None
    ) -> Sequence[DeploymentRef]:
        """Return the refs of those that are there and whose id is `text` or begins with it.

        Args:
            text: A name, or its beginning.
            within: Only refs of this one's provider and, where it names one, account.
        """
        refs = [row.ref for row in self.rows() if row.state is DeploymentState.CREATED]
        known = [ref for ref in refs if ref and (within is None or ref.beside(within))]
        return [ref for ref in known if ref.id == text] or [
            ref for ref in known if ref.id.startswith(text)
        ]

    def _record(self, row: sqlite3.Row) -> DeploymentRecord:
        try:
            written = DeploymentRecord.model_validate_json(row["record"])
            ref = DeploymentRef.model_validate_json(row["ref"]) if row["ref"] else None
            now = {
                "state": DeploymentState(row["state"]),
                "ref": ref,
                "sent_at": datetime.fromisoformat(row["sent_at"]) if row["sent_at"] else None,
                "reason": row["reason"],
            }
        except ValueError as error:
            raise JournalError(
                f"The row of deployment {row['name']} in the journal {self._db.path} is damaged.",
                operation="journal",
                hint="Nothing was sent. Move that file away; a new journal is started, and "
                "`ftproviders deployments` shows what the hosts have.",
            ) from error
        return written.model_copy(update=now)


def _key(record: DeploymentRecord) -> tuple[str, str, str]:
    return record.provider, record.account, record.name
