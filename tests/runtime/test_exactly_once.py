"""Section 7 of the plan, case by case: no job is lost, none is made twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ftproviders.client import FineTuneClient, FineTuneJob
from ftproviders.errors import (
    ConfigurationError,
    DatasetError,
    InvalidRequestError,
    JobCancelledError,
    JobFailedError,
    JournalError,
    OutcomeUnknownError,
    ProviderError,
    RateLimitError,
)
from ftproviders.journal.database import Database
from ftproviders.schema.job import JobStatus
from ftproviders.schema.submission import SubmissionState
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.faults import InjectedCrash
from tests.runtime.conftest import SETTLE_SECONDS, World


def only_job(world: World) -> dict[str, Any]:
    jobs = world.server.jobs()
    assert len(jobs) == 1, [job["id"] for job in jobs]
    return jobs[0]


# --- the plain road ----------------------------------------------------------------------------


def test_same_submission_returns_its_job(world: World) -> None:
    first = world.client().submit(world.spec())
    second = world.client().submit(world.spec())
    assert second.ref == first.ref
    assert (first.reused, second.reused) == (False, True)
    assert (first.attempt, second.attempt) == (1, 1)
    assert world.sent("create") == 1
    assert world.sent("upload") == 1


def test_another_setting_is_another_submission(world: World) -> None:
    client = world.client()
    first = client.submit(world.spec())
    second = client.submit(world.spec(seed=1))
    assert first.ref != second.ref
    assert first.submission_id != second.submission_id
    assert world.sent("upload") == 1, "equal bytes are uploaded once"


def test_moved_file_note_and_cost_limit_do_not_make_another_submission(world: World) -> None:
    first = world.client().submit(world.spec())
    moved = world.folder / "elsewhere.jsonl"
    world.training_file.rename(moved)
    again = world.client().submit(
        world.spec(training_file=str(moved), note="second try", max_cost_usd=5.0)
    )
    assert again.ref == first.ref
    assert world.sent("create") == 1


def test_provider_is_asked_before_anything_is_sent(world: World) -> None:
    world.client().submit(world.spec())
    order = [request.operation for request in world.server.requests()]
    assert order.index("find") < order.index("upload") < order.index("create")


def test_file_that_changed_after_the_plan_stops_before_create(world: World) -> None:
    client = world.client()
    plan = client.plan(world.spec())
    world.write_rows(["something else", "entirely"])
    with pytest.raises(DatasetError, match="changed while it was being submitted"):
        client.submit(plan)
    assert world.tried("create") == 0


def test_file_that_vanished_after_the_plan_stops_before_create(world: World) -> None:
    client = world.client()
    plan = client.plan(world.spec())
    world.training_file.unlink()
    with pytest.raises(DatasetError):
        client.submit(plan)
    assert world.tried("create") == 0


# --- answers that are lost ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset", "timeout", "server_error", "truncated", "malformed"])
def test_answer_lost_after_the_server_acted_is_found_again(world: World, kind: str) -> None:
    world.inject("create", kind, when="after")
    job = world.client().submit(world.spec())
    assert job.ref.id == only_job(world)["id"]
    assert world.tried("create") == 1
    assert world.client().submit(world.spec()).ref == job.ref


def test_list_that_lags_less_than_the_window_is_waited_for(world: World) -> None:
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS / 2)
    world.inject("create", "reset", when="after")
    job = world.client().submit(world.spec())
    assert job.ref.id == only_job(world)["id"]
    assert world.clock.monotonic() >= SETTLE_SECONDS / 2
    assert world.tried("create") == 1


def test_list_that_lags_more_than_the_window_is_an_unknown_outcome_and_reconcile_adopts(
    world: World,
) -> None:
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS * 3)
    world.inject("create", "reset", when="after")
    with pytest.raises(OutcomeUnknownError, match="ftproviders reconcile") as caught:
        world.client().submit(world.spec())
    assert world.tried("create") == 1
    assert world.clock.monotonic() >= SETTLE_SECONDS
    early = world.client().reconcile()
    assert [u.record.submission_id for u in early.unresolved] == [caught.value.submission_id]
    world.clock.advance(SETTLE_SECONDS * 3)
    report = world.client().reconcile()
    assert [str(r.ref) for r in report.resolved] == [f"memory:{only_job(world)['id']}"]
    assert report.unresolved == ()
    assert world.client().submit(world.spec()).ref.id == only_job(world)["id"]
    assert world.tried("create") == 1


def test_lost_answer_of_a_request_that_was_never_carried_out(world: World) -> None:
    world.inject("create", "reset", when="before")
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    # The user was told and asks again: once more, after the window, it may be sent.
    job = world.client().submit(world.spec())
    assert job.ref.id == only_job(world)["id"]
    assert job.attempt == 1
    assert world.tried("create") == 2


def test_new_command_within_the_window_waits_for_it_to_pass(world: World) -> None:
    world.inject("create", "crash", when="before")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec())
    before = world.clock.monotonic()
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    assert world.clock.monotonic() - before >= SETTLE_SECONDS - 1
    assert world.tried("create") == 1


def test_provider_down_while_looking_is_an_unknown_outcome(world: World) -> None:
    world.inject("create", "reset", when="after")
    world.inject("find", "unavailable", nth=2, times=None)
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    world.server.clear_faults()
    assert world.client().submit(world.spec()).ref.id == only_job(world)["id"]


def test_provider_down_at_the_first_look_sends_nothing(world: World) -> None:
    world.inject("find", "unavailable", times=None)
    with pytest.raises(ProviderError):
        world.client().submit(world.spec())
    assert (world.tried("upload"), world.tried("create")) == (0, 0)


def test_provider_down_when_the_unknown_outcome_is_looked_at_again_sends_nothing(
    world: World,
) -> None:
    world.inject("create", "reset", when="before")
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    world.inject("find", "unavailable", times=None)
    with pytest.raises(ProviderError):
        world.client().submit(world.spec())
    assert world.tried("create") == 1


def test_lost_answer_of_an_upload_is_found_by_digest(world: World) -> None:
    world.inject("upload", "reset", when="after")
    world.client().submit(world.spec())
    assert world.sent("upload") == 1
    only_job(world)


# --- refusals: nothing was carried out ----------------------------------------------------------


def test_rate_limit_is_waited_for_and_sent_again(world: World) -> None:
    world.inject("create", "rate_limit", seconds=7, times=2)
    job = world.client().submit(world.spec())
    assert job.ref.id == only_job(world)["id"]
    assert world.tried("create") == 3
    assert world.clock.slept.count(7.0) == 2


def test_rate_limit_without_end_is_told_and_may_be_sent_again(world: World) -> None:
    world.inject("create", "rate_limit", times=None)
    with pytest.raises(RateLimitError):
        world.client().submit(world.spec())
    world.server.clear_faults()
    assert world.client().submit(world.spec()).attempt == 1
    only_job(world)


@pytest.mark.parametrize("kind", ["invalid", "unauthorized", "forbidden", "quota", "retired"])
def test_refusal_is_told_once_and_the_same_command_tries_again(world: World, kind: str) -> None:
    world.inject("create", kind)
    with pytest.raises(ProviderError) as caught:
        world.client().submit(world.spec())
    assert not caught.value.maybe_executed
    assert world.tried("create") == 1
    assert world.client().submit(world.spec()).ref.id == only_job(world)["id"]


# --- what the provider forgets, confuses, or has from others --------------------------------------


def test_metadata_dropped_and_answer_lost_is_ambiguous_never_adopted(world: World) -> None:
    world.inject("create", "drop_metadata")
    world.inject("create", "reset", when="after")
    with pytest.raises(OutcomeUnknownError) as caught:
        world.client().submit(world.spec())
    job_id = only_job(world)["id"]
    assert [job.ref.id for job in caught.value.similar] == [job_id]
    assert f"reconcile --adopt memory:{job_id}" in caught.value.hint
    # However often it is asked for: a look-alike that may be ours is never sent past.
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError):
            world.client().submit(world.spec())
    assert world.tried("create") == 1
    report = world.client().reconcile(adopt=f"memory:{job_id}")
    assert [str(r.ref) for r in report.resolved] == [f"memory:{job_id}"]
    assert world.client().submit(world.spec()).ref.id == job_id


def test_assume_absent_lets_it_be_sent_again_but_not_within_the_window(world: World) -> None:
    world.inject("create", "drop_metadata")
    world.inject("create", "crash", when="after")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec())
    early = world.client().reconcile(assume_absent=True)
    assert len(early.unresolved) == 1
    world.clock.advance(SETTLE_SECONDS)
    late = world.client().reconcile(assume_absent=True)
    assert (len(late.resolved), len(late.unresolved)) == (1, 0)
    assert late.resolved[0].state is SubmissionState.REFUSED
    world.client().submit(world.spec())
    assert len(world.server.jobs()) == 2, "the user said that the first one does not exist"


def test_metadata_dropped_with_a_good_answer_loses_nothing(world: World) -> None:
    world.inject("create", "drop_metadata")
    first = world.client().submit(world.spec())
    assert world.client().submit(world.spec()).ref == first.ref
    only_job(world)


def test_filter_that_lies_is_not_believed(world: World) -> None:
    client = world.client()
    other = client.submit(world.spec(seed=7))
    world.inject("find", "lying_filter", times=None)
    mine = client.submit(world.spec())
    assert mine.ref != other.ref
    assert len(world.server.jobs()) == 2


def test_foreign_job_with_the_same_file_is_not_adopted(world: World) -> None:
    # A colleague without our marker: same bytes, same model.
    world.inject("create", "drop_metadata")
    colleague = world.client(home="colleague").submit(world.spec())
    mine = world.client(home="mine").submit(world.spec())
    assert mine.ref != colleague.ref
    assert len(world.server.jobs()) == 2


def test_foreign_job_that_was_there_before_does_not_block_after_a_lost_answer(
    world: World,
) -> None:
    world.inject("create", "drop_metadata")
    world.client(home="colleague").submit(world.spec())
    world.inject("create", "reset", when="before", nth=1)
    with pytest.raises(OutcomeUnknownError) as caught:
        world.client(home="mine").submit(world.spec())
    assert caught.value.similar == ()
    mine = world.client(home="mine").submit(world.spec())
    assert len(world.server.jobs()) == 2
    assert mine.ref.id == world.server.jobs()[-1]["id"]


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


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-1, 1])
def test_clock_of_the_server_does_not_matter(world: World, days: int) -> None:
    world.inject("create", "clock_skew", seconds=days * 86_400)
    world.inject("create", "reset", when="after")
    job = world.client().submit(world.spec())
    assert job.ref.id == only_job(world)["id"]


@pytest.mark.parametrize("days", [-1, 1])
def test_look_alike_is_seen_whatever_the_servers_clock_says(world: World, days: int) -> None:
    world.inject("create", "clock_skew", seconds=days * 86_400)
    world.inject("create", "drop_metadata")
    world.inject("create", "reset", when="after")
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError) as caught:
            world.client().submit(world.spec())
        assert len(caught.value.similar) == 1
    assert world.tried("create") == 1


def test_own_clock_set_back_counts_as_no_time_passed(world: World) -> None:
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS / 2)
    world.inject("create", "crash", when="after")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec())
    earlier = FakeClock(start=world.clock.now() - timedelta(days=1))

    class Both(FakeClock):
        """A clock a day behind; the server's own time passes along with it."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            world.clock.advance(seconds)

    behind = Both(start=earlier.now())
    job = world.client(clock=behind).submit(world.spec())
    assert job.ref.id == only_job(world)["id"]
    assert world.tried("create") == 1


# --- attempts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "error"), [("failed", JobFailedError), ("cancelled", JobCancelledError)]
)
def test_dead_job_is_told_and_again_makes_a_new_attempt(
    world: World, word: str, error: type[JobFailedError | JobCancelledError]
) -> None:
    client = world.client()
    first = client.submit(world.spec())
    world.server.set_walk(first.ref.id, word)
    with pytest.raises(error, match="--again") as caught:
        client.submit(world.spec())
    assert caught.value.ref == first.ref
    assert world.tried("create") == 1
    second = client.submit(world.spec(), again=True)
    assert (second.attempt, second.reused) == (2, False)
    assert client.submit(world.spec()).ref == second.ref
    assert len(world.server.jobs()) == 2


def test_again_after_success_makes_a_new_attempt(world: World) -> None:
    client = world.client()
    first = client.submit(world.spec())
    first.wait()
    second = client.submit(world.spec(), again=True)
    assert second.ref != first.ref
    assert second.attempt == 2
    assert second.submission_id != first.submission_id


def test_again_returns_an_attempt_that_was_never_shown(world: World) -> None:
    world.client().submit(world.spec())
    hidden = world.client().submit(world.spec(), again=True, acknowledge=False)
    found = world.client().submit(world.spec(), again=True)
    assert (found.ref, found.attempt) == (hidden.ref, 2)
    assert len(world.server.jobs()) == 2


def test_again_resolves_an_attempt_whose_answer_was_lost(world: World) -> None:
    world.client().submit(world.spec())
    world.inject("create", "crash", when="after")
    with pytest.raises(InjectedCrash):
        world.client().submit(world.spec(), again=True)
    found = world.client().submit(world.spec(), again=True)
    assert found.attempt == 2
    assert len(world.server.jobs()) == 2


def test_again_on_a_first_submission_is_attempt_one(world: World) -> None:
    assert world.client().submit(world.spec(), again=True).attempt == 1


def test_again_with_a_lost_journal_returns_what_is_there(world: World) -> None:
    first = world.client().submit(world.spec())
    found = world.client(home="empty").submit(world.spec(), again=True)
    assert found.ref == first.ref
    assert world.client(home="empty").submit(world.spec(), again=True).attempt == 2


def test_new_attempt_of_another_machine_is_found_instead_of_made(world: World) -> None:
    one, two = world.client(home="one"), world.client(home="two")
    first = one.submit(world.spec())
    assert two.submit(world.spec()).ref == first.ref
    world.server.set_walk(first.ref.id, "failed")
    second = one.submit(world.spec(), again=True)
    assert two.submit(world.spec()).ref == second.ref
    assert two.submit(world.spec(), again=True).attempt == 3
    assert len(world.server.jobs()) == 3


def test_refused_new_attempt_does_not_come_back_without_again(world: World) -> None:
    client = world.client()
    first = client.submit(world.spec())
    world.server.set_walk(first.ref.id, "failed")
    world.inject("create", "invalid")
    with pytest.raises(InvalidRequestError):
        client.submit(world.spec(), again=True)
    with pytest.raises(JobFailedError):
        client.submit(world.spec())
    assert len(world.server.jobs()) == 1
    assert client.submit(world.spec(), again=True).attempt == 2


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


# --- two at once, and killed at each step --------------------------------------------------------


def test_two_submitters_at_once_make_one_job(world: World) -> None:
    clients = [world.client() for _ in range(4)]
    jobs: list[FineTuneJob] = []
    start = threading.Barrier(len(clients))

    def run(client: FineTuneClient) -> None:
        start.wait()
        jobs.append(client.submit(world.spec()))

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.ref for job in jobs}) == 1
    assert sorted(job.reused for job in jobs) == [False, True, True, True]
    only_job(world)


class Steps:
    """Counts every request and every journal write of a client; crashes at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
        self.count = 0
        self.crash_at: int | None = None
        self.after = False
        monkeypatch.setattr(world.server, "request", self._wrap(world.server.request))
        for name in ("write", "write_all"):
            real = getattr(Database, name)
            monkeypatch.setattr(Database, name, self._wrap(real))

    def _wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            here = self.count == self.crash_at
            if here and not self.after:
                raise InjectedCrash(f"before step {self.count}")
            result = real(*args, **kwargs)
            if here:
                raise InjectedCrash(f"after step {self.count}")
            return result

        return stepped


def clean_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> int:
    with monkeypatch.context() as patch:
        steps = Steps(patch, world)
        world.client(home="rehearsal").submit(world.spec(seed=99))
        return steps.count


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_each_step_the_same_command_finds_or_makes_one_job(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool, again: bool
) -> None:
    total = clean_steps(world, monkeypatch)
    assert total >= 10, "a submission is more than a handful of steps"
    for step in range(1, total + 1):
        spec = world.spec(seed=step)
        if again:
            world.client().submit(spec)
        with monkeypatch.context() as patch:
            steps = Steps(patch, world)
            steps.crash_at, steps.after = step, after
            try:
                world.client().submit(spec, again=again)
                crashed = False
            except InjectedCrash:
                crashed = True
        assert crashed or again, f"step {step} was not reached"
        resumes = 0
        while True:
            resumes += 1
            try:
                job = world.client().submit(spec, again=again)
                break
            except OutcomeUnknownError:
                assert resumes <= 3
        made = world.server.jobs_of(str(job.submission_id))
        assert [entry["id"] for entry in made] == [job.ref.id], f"step {step}"
        expected = 2 if again else 1
        assert job.attempt == (expected if crashed else 3)
