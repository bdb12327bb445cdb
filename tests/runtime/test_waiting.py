"""Waiting: through faults, to every end, without hammering and without lying."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ftproviders.errors import (
    ConfigurationError,
    JobCancelledError,
    JobError,
    JobFailedError,
    JobPausedError,
    JournalError,
    NotFoundError,
    ProviderUnavailableError,
    RateLimitError,
    StalledError,
    WaitTimeoutError,
)
from ftproviders.journal import Journal
from ftproviders.runtime import Session, reconcile
from ftproviders.schema.job import JobEvent, JobRef, JobSnapshot, JobStatus
from tests.runtime.conftest import World


def test_wait_returns_on_success_and_tells_each_change(world: World) -> None:
    job = world.client().submit(world.spec())
    seen: list[tuple[JobStatus, int]] = []
    told: list[str] = []

    def update(snapshot: JobSnapshot, events: Sequence[JobEvent]) -> None:
        seen.append((snapshot.status, len(events)))
        told.extend(event.id for event in events)

    done = job.wait(on_update=update)
    assert done.status is JobStatus.SUCCEEDED
    assert [status for status, _ in seen] == sorted({s for s, _ in seen}, key=list(JobStatus).index)
    assert told == [event.id for event in job.events()], "each event once, in order"
    assert job.status is JobStatus.SUCCEEDED
    assert job.model is not None


@pytest.mark.parametrize(
    ("word", "error"),
    [("failed", JobFailedError), ("cancelled", JobCancelledError), ("paused", JobPausedError)],
)
def test_wait_raises_for_every_other_end(world: World, word: str, error: type[JobError]) -> None:
    job = world.client().submit(world.spec())
    world.server.set_walk(job.ref.id, "running", word)
    with pytest.raises(error) as caught:
        job.wait()
    assert caught.value.ref == job.ref
    assert caught.value.snapshot.raw_status == word
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["unavailable", "reset", "timeout", "malformed", "rate_limit"])
@pytest.mark.parametrize("operation", ["retrieve", "events"])
def test_wait_survives_a_long_outage(world: World, kind: str, operation: str) -> None:
    job = world.client().submit(world.spec())
    world.inject(operation, kind, nth=2, times=25)
    assert job.wait().status is JobStatus.SUCCEEDED
    assert len(world.server.firings()) == 25


def test_wait_gives_up_after_half_an_hour_without_an_answer(world: World) -> None:
    job = world.client(poll_seconds=30).submit(world.spec())
    world.inject("retrieve", "unavailable", times=None)
    with pytest.raises(ProviderUnavailableError):
        job.wait()
    assert 1800 < world.clock.monotonic() < 2400


def test_wait_does_not_retry_what_cannot_pass(world: World) -> None:
    job = world.client().submit(world.spec())
    world.inject("retrieve", "not_found", times=None)
    with pytest.raises(NotFoundError):
        job.wait()
    assert len(world.server.firings()) == 1


def test_wait_times_out_and_leaves_the_job_alone(world: World) -> None:
    job = world.client().submit(world.spec())
    world.server.set_walk(job.ref.id, *["running"] * 1000, "succeeded")
    with pytest.raises(WaitTimeoutError, match="goes on") as caught:
        job.wait(timeout_seconds=30)
    assert f"ftproviders watch {job.ref}" in caught.value.hint
    assert world.tried("cancel") == 0
    assert world.clock.monotonic() == pytest.approx(30, abs=1)


def test_unknown_words_are_waited_through(world: World) -> None:
    job = world.client().submit(world.spec())
    world.server.set_walk(job.ref.id, "reticulating", "splines", "succeeded")
    assert job.wait().status is JobStatus.SUCCEEDED


def test_running_without_change_is_a_stall(world: World) -> None:
    job = world.client(poll_seconds=30).submit(world.spec())
    world.server.set_walk(job.ref.id, "running")
    with pytest.raises(StalledError, match="has not changed"):
        job.wait()
    assert 1800 < world.clock.monotonic() < 2000


def test_a_job_that_changes_seldom_stalls_only_after_five_usual_gaps(world: World) -> None:
    job = world.client(poll_seconds=1200).submit(world.spec())
    # One gap of 20 minutes, then nothing: 100 minutes are still no stall, whatever came before.
    world.server.set_walk(job.ref.id, "queued", "queued", "running")
    changed: list[float] = []
    with pytest.raises(StalledError):
        job.wait(on_update=lambda _snapshot, _events: changed.append(world.clock.monotonic()))
    assert changed[1:] == [changed[0] + 1200]
    assert world.clock.monotonic() - changed[-1] == 7200


def test_retry_after_is_kept_to_while_waiting(world: World) -> None:
    job = world.client(poll_seconds=1).submit(world.spec())
    world.inject("retrieve", "rate_limit", seconds=250)
    assert job.wait().status is JobStatus.SUCCEEDED
    assert 250 in world.clock.slept
    again = world.client(poll_seconds=1).submit(world.spec(seed=2))
    world.inject("retrieve", "rate_limit", seconds=900)
    before = len(world.clock.slept)
    assert again.wait().status is JobStatus.SUCCEEDED
    assert world.clock.slept[before] == 900


def test_who_asks_for_a_longer_pause_than_we_take_is_not_asked_too_early(world: World) -> None:
    client = world.client()
    world.inject("create", "rate_limit", seconds=900)
    with pytest.raises(RateLimitError):
        client.submit(world.spec())
    assert world.tried("create") == 1
    assert client.submit(world.spec()).status is not JobStatus.FAILED


def test_queued_never_stalls(world: World) -> None:
    job = world.client(poll_seconds=30).submit(world.spec())
    # One word only: each look at a walk with more to come makes an event, which is a change.
    world.server.set_walk(job.ref.id, "queued")
    changes: list[JobStatus] = []
    with pytest.raises(WaitTimeoutError):
        job.wait(
            timeout_seconds=100_000, on_update=lambda seen, _events: changes.append(seen.status)
        )
    assert changes == [JobStatus.QUEUED]


def test_polls_slow_down_with_time(world: World) -> None:
    job = world.client().submit(world.spec())
    world.server.set_walk(job.ref.id, *["queued"] * 500)
    before = len(world.clock.slept)
    with pytest.raises(WaitTimeoutError):
        job.wait(timeout_seconds=20)
    pauses = world.clock.slept[before:]
    assert pauses[0] < pauses[len(pauses) // 2]
    # memory's shortest pause is 0.01 s; 24 times that, with jitter, is the longest.
    assert max(pauses) <= 0.01 * 24 * 1.1


def test_follow_yields_every_event_once(world: World) -> None:
    job = world.client().submit(world.spec())
    ids = [event.id for event in job.follow()]
    assert ids == [event.id for event in job.events()]
    assert len(ids) == len(set(ids)) > 3
    assert [event.id for event in job.metrics()] == [e.id for e in job.events() if e.metrics]


def test_chat_before_the_model_is_ready_says_so(world: World) -> None:
    job = world.client().submit(world.spec())
    with pytest.raises(JobError, match="has no model: it is queued"):
        job.chat("hello")


def test_chat_answers_like_the_training_file(world: World) -> None:
    job = world.client().submit(world.spec())
    job.wait()
    assert job.chat("my kettle leaks again").text == "answer to my kettle leaks"
    with pytest.raises(ConfigurationError, match="Not a chat message"):
        job.chat([{"role": "narrator", "content": "x"}])


def test_cancel_whose_answer_is_lost_is_looked_at(world: World) -> None:
    job = world.client().submit(world.spec())
    world.inject("cancel", "reset", when="after")
    assert job.cancel().status in (JobStatus.CANCELLED, JobStatus.CANCELLING)


def test_cancel_of_an_ended_job_changes_nothing(world: World) -> None:
    job = world.client().submit(world.spec())
    job.wait()
    assert job.cancel().status is JobStatus.SUCCEEDED
    assert world.tried("cancel") == 0


def test_job_is_taken_up_by_its_text_alone(world: World) -> None:
    ref = str(world.client().submit(world.spec()).ref)
    other = world.client(home="elsewhere").job(ref)
    assert other.snapshot.status is not JobStatus.UNKNOWN
    assert repr(other).startswith(f"<FineTuneJob {ref}")


def test_short_forms_are_taken_where_the_journal_makes_them_unique(world: World) -> None:
    client = world.client()
    one, two = client.submit(world.spec()), client.submit(world.spec(seed=1))
    assert client.job(one.ref.id).ref == one.ref
    assert client.job(str(two.submission_id)).ref == two.ref
    with pytest.raises(ConfigurationError, match="more than one job"):
        client.job("job-")
    with pytest.raises(ConfigurationError, match="No job 'nothing'"):
        client.job("nothing")
    with pytest.raises(ConfigurationError, match="not a job ref"):
        client.job("memory:")
    with pytest.raises(ConfigurationError, match="no provider 'memroy'"):
        client.job("memroy:job-1")


def test_ref_of_another_account_names_both(world: World) -> None:
    client = world.client()
    with pytest.raises(ConfigurationError, match="belongs to other-machine"):
        client.job("memory:other-machine/job-1").refresh()


def test_remote_jobs_walk_over_every_page(world: World) -> None:
    client = world.client()
    refs = [client.submit(world.spec(seed=n)).ref for n in range(7)]
    assert [job.ref for job in client.remote_jobs("memory")] == refs[::-1]


def test_models_of_all_providers_and_of_one(world: World) -> None:
    client = world.client()
    job = client.submit(world.spec())
    job.wait()
    names = {model.name for model in client.models("memory")}
    assert {"memory-small", "memory-large", str(job.model)} <= names
    assert names <= {model.name for model in client.models()}


def test_doctor_looks_at_everything(world: World) -> None:
    results = {result.name: result for result in world.client().doctor()}
    assert {"python", "configuration", "journal", "disk", "provider memory"} <= set(results)
    assert results["provider memory"].ok
    world.inject("models", "unauthorized", times=None)
    broken = {result.name: result for result in world.client().doctor()}
    assert not broken["provider memory"].ok
    assert broken["provider memory"].hint


def test_options_for_an_unknown_provider_are_refused_not_dropped(world: World) -> None:
    with pytest.raises(ConfigurationError, match="no provider 'memroy'") as caught:
        world.client().plan(world.spec(options={"memroy": {"priority": "high"}}))
    assert "Did you mean 'memory'" in caught.value.hint


def test_profile_of_an_unknown_provider_is_told(world: World) -> None:
    client = world.client()
    config = client.config.model_copy(update={"providers": {"memroy": {"paid": True}}})
    client._session.config = config
    assert "memroy" in client.plan(world.spec()).warnings[0]
    results = {result.name: result for result in client.doctor()}
    assert not results["configuration"].ok


def test_misspelled_base_model_is_told_before_anything_is_sent(world: World) -> None:
    with pytest.raises(ConfigurationError, match="no model 'memory-smal'") as caught:
        world.client().plan(world.spec(base_model="memory-smal"))
    assert "Did you mean 'memory-small'" in caught.value.hint


def test_errors_about_a_job_name_it(world: World) -> None:
    with pytest.raises(NotFoundError) as caught:
        world.client().job("memory:job-9999").refresh()
    assert str(caught.value.ref) == "memory:job-9999"


@pytest.mark.parametrize(
    ("word", "hint"), [("failed", "never have one"), ("paused", "can be resumed")]
)
def test_chat_with_a_job_that_stopped_says_what_can_be_done(
    world: World, word: str, hint: str
) -> None:
    job = world.client().submit(world.spec())
    world.server.set_walk(job.ref.id, word)
    job.refresh()
    with pytest.raises(JobError, match=hint):
        job.chat("hello")


def test_a_beginning_is_enough_with_the_provider_named(world: World) -> None:
    client = world.client()
    first = client.submit(world.spec())
    assert client.job("memory:job-0").ref == first.ref
    assert client.job(f"memory:{str(first.submission_id)[:9]}").ref == first.ref
    second = client.submit(world.spec(seed=1))
    with pytest.raises(ConfigurationError, match="more than one job") as told:
        client.job("memory:job-")
    assert str(first.ref) in told.value.message
    assert str(second.ref) in told.value.message
    assert client.job(str(second.ref)).ref == second.ref
    with pytest.raises(NotFoundError):
        client.job("memory:nothing").refresh()


def test_a_beginning_never_hides_a_job_of_just_that_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = world.client().submit(world.spec())
    found: list[str] = []
    monkeypatch.setattr(Session, "retrieve", lambda _session, ref: found.append(str(ref)))
    short = JobRef(provider="memory", id=mine.ref.id[:-1])
    assert reconcile.resolve_ref(world.client()._session, str(short)) == short
    assert found == [str(short)]


def test_a_whole_ref_needs_no_journal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = world.client().submit(world.spec()).ref

    def broken(*_: object, **__: object) -> None:
        raise JournalError("broken")

    monkeypatch.setattr(Journal, "matching", broken)
    assert world.client().job(str(ref)).ref == ref


def test_what_is_no_ref_is_told_of_both_forms(world: World) -> None:
    with pytest.raises(ConfigurationError) as told:
        world.client().job("foo")
    assert "provider:id" in told.value.hint
    assert "beginning of an id" in told.value.hint
