"""Answers that are lost, lists that lag, marks that are dropped, clocks that are wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ftproviders.errors import (
    OutcomeUnknownError,
    ProviderError,
)
from ftproviders.schema.submission import SubmissionState
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.faults import InjectedCrash
from tests.runtime.conftest import SETTLE_SECONDS, World, only_job

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


def test_both_jobs_of_a_submission_sent_past_a_lag_are_in_the_journal(world: World) -> None:
    world.inject("create", "list_lag", seconds=SETTLE_SECONDS * 3)
    world.inject("create", "reset", when="after")
    with pytest.raises(OutcomeUnknownError):
        world.client().submit(world.spec())
    second = world.client().submit(world.spec())
    world.clock.advance(SETTLE_SECONDS * 3)
    report = world.client().reconcile()
    first, last = (job["id"] for job in world.server.jobs())
    assert second.ref.id == last
    assert [record.ref and record.ref.id for record in report.imported] == [first]
    known = [record.ref and record.ref.id for record in world.client().jobs()]
    assert sorted(map(str, known)) == sorted([first, last])
    assert world.client().submit(world.spec()).ref == second.ref


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
