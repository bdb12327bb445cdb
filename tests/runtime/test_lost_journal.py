"""The journal deleted, read-only, full; jobs taken in from elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from ftproviders.errors import (
    ConfigurationError,
    JobCancelledError,
    JournalError,
    OutcomeUnknownError,
)
from ftproviders.journal.database import Database
from ftproviders.schema.job import JobStatus
from ftproviders.schema.submission import SubmissionState
from ftproviders.testing.memory.faults import InjectedCrash
from tests.runtime.conftest import SETTLE_SECONDS, World, only_job

# --- the journal ---------------------------------------------------------------------------------


def test_deleted_journal_finds_the_job_by_its_mark(world: World) -> None:
    first = world.client().submit(world.spec())
    again = world.client(home="empty").submit(world.spec())
    assert again.ref == first.ref
    assert again.reused
    only_job(world)


def test_deleted_journal_finds_the_newest_attempt(world: World) -> None:
    client = world.client()
    first = client.submit(world.spec())
    world.server.set_walk(first.ref.id, "failed")
    second = client.submit(world.spec(), again=True)
    assert second.attempt == 2
    found = world.client(home="empty").submit(world.spec())
    assert (found.ref, found.attempt) == (second.ref, 2)


def test_deleted_journal_finds_the_newest_attempt_after_a_success_too(world: World) -> None:
    client = world.client()
    client.submit(world.spec()).wait()
    second = client.submit(world.spec(), again=True)
    found = world.client(home="empty").submit(world.spec())
    assert (found.ref, found.attempt) == (second.ref, 2)


def test_unknown_attempt_stays_unknown_until_it_is_really_sent_once_more(world: World) -> None:
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS * 10)
    world.inject("create", "reset", when="after")
    with pytest.raises(OutcomeUnknownError) as caught:
        world.client().submit(world.spec())
    world.inject("files", "crash")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec())
    row = world.journal().submission(caught.value.submission_id)
    assert row is not None
    assert row.state is SubmissionState.UNKNOWN, "the first request may still have made a job"
    assert [r.submission_id for r in world.journal().unresolved()] == [row.submission_id]


@pytest.mark.parametrize(
    "pragma", ["PRAGMA query_only=ON", "PRAGMA max_page_count=1"], ids=["read-only", "disk full"]
)
def test_journal_that_cannot_be_written_sends_nothing(world: World, pragma: str) -> None:
    client = world.client()
    client.plan(world.spec())
    database = client._session.journal._db
    filler = "x" * 100_000
    if "page_count" in pragma:
        database.write("CREATE TABLE filler (text TEXT)")
    database._connection.execute(pragma)
    spec = world.spec(note=filler)
    with pytest.raises(JournalError, match="cannot be written"):
        client.submit(spec)
    assert (world.tried("upload"), world.tried("create")) == (0, 0)


def test_outcome_that_cannot_be_written_names_the_job(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = world.client()
    journal = client._session.journal
    real = Database.write_all

    def full(self: Database, changes: Any) -> None:
        self._connection.execute("PRAGMA query_only=ON")
        real(self, changes)

    monkeypatch.setattr(Database, "write_all", full)
    with pytest.raises(JournalError) as caught:
        client.submit(world.spec())
    job_id = only_job(world)["id"]
    assert str(caught.value.ref) == f"memory:{job_id}"
    assert f"ftproviders reconcile --adopt memory:{job_id}" in caught.value.hint
    monkeypatch.undo()
    journal._db._connection.execute("PRAGMA query_only=OFF")
    assert world.client().submit(world.spec()).ref.id == job_id


def test_home_that_cannot_be_made_sends_nothing(world: World) -> None:
    (world.folder / "blocked").write_text("a file, not a folder")
    client = world.client(home="blocked")
    with pytest.raises(JournalError):
        client.submit(world.spec())
    assert world.tried("create") == 0


def test_journaled_job_that_is_not_shown_to_these_credentials_is_not_made_again(
    world: World,
) -> None:
    world.client().submit(world.spec())
    world.inject("retrieve", "not_found", times=None)
    with pytest.raises(ConfigurationError, match="does not show it"):
        world.client().submit(world.spec())
    assert world.tried("create") == 1


def test_journaled_job_that_was_deleted_there_can_be_made_again_by_will(world: World) -> None:
    world.client().submit(world.spec(), acknowledge=False)
    world.inject("retrieve", "not_found", times=1)
    with pytest.raises(ConfigurationError, match="does not show it"):
        world.client().submit(world.spec(), again=True)
    assert world.client().submit(world.spec(), again=True).attempt == 2


# --- adoption ------------------------------------------------------------------------------------


def test_adopt_takes_a_foreign_job_into_the_journal(world: World) -> None:
    theirs = world.client(home="theirs").submit(world.spec())
    mine = world.client(home="mine")
    assert mine.jobs() == []
    job = mine.adopt(str(theirs.ref))
    assert job.ref == theirs.ref
    assert [str(record.ref) for record in mine.jobs()] == [str(theirs.ref)]


def test_reconcile_brings_marked_jobs_into_an_empty_journal(world: World) -> None:
    first = world.client().submit(world.spec())
    second = world.client().submit(world.spec(seed=1))
    empty = world.client(home="empty")
    report = empty.reconcile()
    assert {str(r.ref) for r in report.imported} == {str(first.ref), str(second.ref)}
    assert {str(r.ref) for r in empty.jobs()} == {str(first.ref), str(second.ref)}
    assert empty.submit(world.spec()).ref == first.ref
    assert len(empty.jobs()) == 2


def test_reconcile_refuses_a_job_that_fits_no_submission(world: World) -> None:
    job = world.client().submit(world.spec())
    with pytest.raises(ConfigurationError, match="fits no unresolved submission"):
        world.client().reconcile(adopt=str(job.ref))


def test_reconcile_does_not_undo_what_a_submit_settles_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.inject("create", "crash", when="after")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec())
    world.clock.advance(SETTLE_SECONDS)
    reconciling = world.client()
    stale = reconciling._session.journal.unresolved()
    job = world.client().submit(world.spec())
    # The list was read before the submit; the provider does not list the job to this reader.
    monkeypatch.setattr(reconciling._session.journal, "unresolved", lambda: stale)
    world.server.lag_seconds = 10_000
    report = reconciling.reconcile(assume_absent=True)
    assert [str(r.ref) for r in report.resolved] == [str(job.ref)]
    assert report.resolved[0].state is SubmissionState.CREATED


def test_reconcile_does_not_give_one_submissions_job_to_another(world: World) -> None:
    other = world.client().submit(world.spec(seed=5))
    world.inject("create", "reset", when="before")
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    with pytest.raises(ConfigurationError, match="fits no unresolved submission"):
        world.client().reconcile(adopt=str(other.ref))


def test_cancelled_job_is_terminal_for_the_same_submission(world: World) -> None:
    client = world.client()
    job = client.submit(world.spec())
    assert job.cancel().status in (JobStatus.CANCELLED, JobStatus.CANCELLING)
    with pytest.raises(JobCancelledError):
        client.submit(world.spec())
