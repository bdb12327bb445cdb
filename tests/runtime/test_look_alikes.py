"""Jobs that look like ours but carry no mark, refusals after lost answers, two accounts."""

from __future__ import annotations

import pytest

from ftproviders.errors import (
    ConfigurationError,
    JournalError,
    OutcomeUnknownError,
    QuotaExceededError,
)
from ftproviders.journal import Journal
from ftproviders.journal.database import Database
from ftproviders.schema.job import JobRef
from ftproviders.schema.submission import SubmissionState
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.faults import InjectedCrash
from ftproviders.testing.memory.options import MemorySettings
from tests.runtime.conftest import SETTLE_SECONDS, World


def lose_marked_and_answer(world: World) -> None:
    world.inject("create", "drop_metadata")
    world.inject("create", "reset", when="after")


def test_adopting_a_look_alike_does_not_let_the_submission_be_sent_again(world: World) -> None:
    lose_marked_and_answer(world)
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    world.client().adopt("memory:job-0001")
    with pytest.raises(OutcomeUnknownError, match="reconcile --adopt memory:job-0001"):
        world.client().submit(world.spec())
    assert world.tried("create") == 1
    world.client().reconcile(adopt="memory:job-0001")
    assert world.client().submit(world.spec()).ref.id == "job-0001"


def test_two_unresolved_submissions_are_settled_by_name(world: World) -> None:
    ids = []
    for seed in (1, 2):
        lose_marked_and_answer(world)
        with pytest.raises(OutcomeUnknownError) as caught:
            world.client().submit(world.spec(seed=seed))
        ids.append(caught.value.submission_id)
    with pytest.raises(ConfigurationError, match="fits more than one") as vague:
        world.client().reconcile(adopt="memory:job-0001")
    assert f"reconcile {ids[0]} --adopt memory:job-0001" in vague.value.hint
    for submission, job in zip(ids, ("job-0001", "job-0002"), strict=True):
        report = world.client().reconcile(adopt=f"memory:{job}", submission=submission)
        assert [str(r.ref) for r in report.resolved] == [f"memory:{job}"]
    assert world.client().submit(world.spec(seed=1)).ref.id == "job-0001"
    assert world.client().submit(world.spec(seed=2)).ref.id == "job-0002"
    assert len(world.server.jobs()) == 2


def test_a_job_of_one_submission_is_not_given_to_another(world: World) -> None:
    lose_marked_and_answer(world)
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec(seed=1))
    world.client().reconcile(adopt="memory:job-0001")
    lose_marked_and_answer(world)
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec(seed=2))
    with pytest.raises(ConfigurationError, match="is the job of submission ft"):
        world.client().reconcile(adopt="memory:job-0001")


def test_reconcile_adopt_wants_the_same_file_and_model(world: World) -> None:
    world.inject("create", "drop_metadata")
    other = world.spec(base_model="memory-large")
    world.client(home="colleague").submit(other)
    lose_marked_and_answer(world)
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    with pytest.raises(ConfigurationError, match="fits no unresolved submission"):
        world.client().reconcile(adopt="memory:job-0001")


def test_outcome_that_could_not_be_written_is_settled_as_its_hint_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.inject("create", "drop_metadata")
    client = world.client()

    def full(*_args: object, **_kwargs: object) -> None:
        raise JournalError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write_all", full)
        with pytest.raises(JournalError, match="was created"):
            client.submit(world.spec())
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    world.client().reconcile(adopt="memory:job-0001")
    assert world.client().submit(world.spec()).ref.id == "job-0001"
    assert len(world.server.jobs()) == 1


def test_refusal_of_a_second_request_does_not_forget_the_first(world: World) -> None:
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS * 3)
    lose_marked_and_answer(world)
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    world.inject("create", "quota")
    with pytest.raises(QuotaExceededError):
        world.client().submit(world.spec())
    assert len(world.journal().unresolved()) == 1
    world.clock.advance(SETTLE_SECONDS * 3)
    with pytest.raises(OutcomeUnknownError) as caught:
        world.client().submit(world.spec())
    assert [job.ref.id for job in caught.value.similar] == ["job-0001"]
    assert len(world.server.jobs()) == 1


def test_refusal_of_a_second_request_of_a_new_attempt(world: World) -> None:
    world.client().submit(world.spec())
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS * 3)
    world.inject("create", "reset", when="after")
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec(), again=True)
    world.inject("create", "quota")
    with pytest.raises(QuotaExceededError):
        world.client().submit(world.spec(), again=True)
    world.clock.advance(SETTLE_SECONDS * 3)
    job = world.client().submit(world.spec(), again=True)
    assert (job.ref.id, job.attempt) == ("job-0002", 2)
    assert len(world.server.jobs()) == 2


def test_window_counts_from_the_request_that_went_out_last(world: World) -> None:
    world.inject("create", "rate_limit", seconds=59, times=2)
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS - 10, nth=3)
    world.inject("create", "crash", when="after")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec())
    assert world.clock.monotonic() >= 118, "two refusals were waited out"
    job = world.client().submit(world.spec())
    assert job.ref.id == "job-0001"
    assert len(world.server.jobs()) == 1


def test_plan_of_another_account_is_not_submitted(world: World) -> None:
    plan = world.client().plan(world.spec())
    other = world.client(home="other")
    settings = MemorySettings(account="other")
    other._session._training["memory"] = MemoryAdapter(settings, server=world.server)
    with pytest.raises(ConfigurationError, match="The plan was made for default; memory is now"):
        other.submit(plan)
    assert world.tried("create") == 0


def test_lost_answer_that_cannot_be_written_is_still_an_unknown_outcome(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.inject("create", "reset", when="before")

    def full(*_args: object, **_kwargs: object) -> None:
        raise JournalError("The disk is full.")

    monkeypatch.setattr(Journal, "unknown", full)
    with pytest.raises(OutcomeUnknownError, match="The disk is full"):
        world.client().submit(world.spec())
    monkeypatch.undo()
    assert len(world.journal().unresolved()) == 1


def test_reconciled_job_counts_as_shown(world: World) -> None:
    world.inject("create", "crash", when="after")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec())
    assert [str(r.ref) for r in world.client().reconcile().resolved] == ["memory:job-0001"]
    assert world.client().submit(world.spec(), again=True).attempt == 2


def test_negative_retry_after_is_no_time(world: World) -> None:
    world.inject("create", "rate_limit", seconds=-5)
    assert world.client().submit(world.spec()).ref.id == "job-0001"
    assert all(seconds >= 0 for seconds in world.clock.slept)


def test_one_damaged_row_does_not_hide_the_others(world: World) -> None:
    client = world.client()
    client.submit(world.spec(seed=1))
    damaged = client.submit(world.spec(seed=2))
    database = client._session.journal._db
    for column, value in (("snapshot", "{"), ("snapshot", '{"ref": 1}')):
        database.write(f"UPDATE jobs SET {column} = ? WHERE ref = ?", (value, str(damaged.ref)))
        assert [str(r.ref) for r in client.jobs()] == ["memory:job-0001"]
    database.write("UPDATE submissions SET ref = 'x'")
    with pytest.raises(JournalError, match="is damaged"):
        client.submit(world.spec(seed=1))
    assert world.tried("create") == 2


def test_owner_is_the_submission_whose_job_it_is(world: World) -> None:
    job = world.client().submit(world.spec())
    assert world.journal().owner(job.ref) == job.submission_id
    assert world.journal().owner(JobRef(provider="memory", id="job-9")) is None
    row = world.journal().submission(str(job.submission_id))
    assert row is not None
    assert row.state is SubmissionState.CREATED


def test_commits_are_flushed_to_the_disk(world: World) -> None:
    rows = world.journal()._db.read("PRAGMA synchronous")
    assert rows[0][0] == 2, "FULL"
    assert world.journal()._db.read("PRAGMA journal_mode")[0][0] == "wal"
