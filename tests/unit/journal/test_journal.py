"""The journal survives what happens to it."""

from __future__ import annotations

import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ftproviders.errors import JournalError
from ftproviders.journal import Journal, SubmissionRow
from ftproviders.schema.job import JobRef, JobSnapshot, JobStatus
from ftproviders.schema.submission import SubmissionState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(name: str = "ftone", attempt: int = 1) -> SubmissionRow:
    return SubmissionRow(
        submission_id=name,
        series_id="ftseries",
        attempt=attempt,
        provider="memory",
        account="acct",
        base_model="m",
        state=SubmissionState.INTENT,
        spec="{}",
        identity="{}",
        created_at=NOW,
        similar=("memory:job-9",),
        note="mine",
    )


def snapshot(job_id: str = "job-1", status: JobStatus = JobStatus.RUNNING) -> JobSnapshot:
    return JobSnapshot(
        ref=JobRef(provider="memory", id=job_id), status=status, raw_status=status.value
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "home" / "journal.db")


def test_files_are_for_the_owner_only(journal: Journal) -> None:
    journal.begin(row())
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    beside = [p for p in journal.path.parent.iterdir() if p != journal.path]
    assert beside, "the write-ahead log is there while the journal is open"
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in beside)


def test_a_submission_walks_through_its_states(journal: Journal) -> None:
    journal.begin(row())
    begun = journal.submission("ftone")
    assert begun == row()
    assert not begun.maybe_sent
    journal.sending("ftone", at=NOW, files=["file-1"])
    sent = journal.submission("ftone")
    assert sent is not None
    assert (sent.maybe_sent, sent.files, sent.sent_at) == (True, ("file-1",), NOW)
    assert [r.submission_id for r in journal.unresolved()] == ["ftone"]
    journal.unknown("ftone", reason="lost")
    unknown = journal.submission("ftone")
    assert unknown is not None
    assert unknown.maybe_sent
    journal.created(row(), snapshot(), at=NOW)
    made = journal.submission("ftone")
    assert made is not None
    assert (made.state, str(made.ref)) == (SubmissionState.CREATED, "memory:job-1")
    assert journal.unresolved() == []
    journal.shown("ftone", at=NOW)
    journal.shown("ftone", at=datetime(2027, 1, 1, tzinfo=UTC))
    shown = journal.submission("ftone")
    assert shown is not None
    assert shown.shown_at == NOW, "the first time counts"


def test_refused_attempt_begins_anew(journal: Journal) -> None:
    journal.begin(row())
    journal.sending("ftone", at=NOW, files=[])
    journal.refused("ftone", reason="no quota")
    refused = journal.submission("ftone")
    assert refused is not None
    assert (refused.reason, refused.maybe_sent) == ("no quota", False)
    journal.begin(row())
    again = journal.submission("ftone")
    assert again is not None
    assert (again.state, again.sent_at, again.reason) == (SubmissionState.INTENT, None, None)


def test_records_join_submissions_and_jobs(journal: Journal) -> None:
    journal.created(row(), snapshot("job-1"), at=NOW)
    journal.begin(row("fttwo", attempt=2))
    journal.seen(snapshot("job-7"), account="acct", at=NOW)
    journal.seen(snapshot("job-8"), account="acct", at=NOW, submission_id="ftelsewhere")
    records = {str(r.ref): r for r in journal.records()}
    assert set(records) == {"memory:job-1", "None", "memory:job-7", "memory:job-8"}
    assert records["memory:job-1"].submission_id == "ftone"
    assert records["memory:job-1"].note == "mine"
    assert records["memory:job-7"].submission_id is None
    journal.seen(snapshot("job-1", JobStatus.SUCCEEDED), account="acct", at=NOW)
    found = journal.job(JobRef(provider="memory", id="job-1"))
    assert found is not None
    assert found.snapshot is not None
    assert found.snapshot.status is JobStatus.SUCCEEDED
    assert found.submission_id == "ftone", "a later look does not forget whose job it is"


def test_short_names_match_exactly_before_beginnings(journal: Journal) -> None:
    journal.created(row("ftone"), snapshot("job-1"), at=NOW)
    journal.created(row("fttwo", attempt=2), snapshot("job-12"), at=NOW)
    assert [r.id for r in journal.matching("job-1")] == ["job-1"]
    assert [r.id for r in journal.matching("ftt")] == ["job-12"]
    assert len(journal.matching("job")) == 2
    assert journal.matching("nothing") == []


def test_opens_again_with_its_content(journal: Journal) -> None:
    journal.begin(row())
    journal.close()
    assert Journal(journal.path).submission("ftone") == row()


def test_a_newer_journal_is_refused(journal: Journal) -> None:
    path = journal.path
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(JournalError, match="newer ftproviders"):
        Journal(path)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(JournalError, match="reconcile") as caught:
        Journal(path)
    assert "Move that file away" in caught.value.hint
    assert path.read_bytes().startswith(b"this is not"), "nothing of the user's is destroyed"
