"""Section 7 of the plan, case by case: no job is lost, none is made twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ftproviders.client import FineTuneClient, FineTuneJob
from ftproviders.errors import (
    DatasetError,
    OutcomeUnknownError,
    ProviderError,
    RateLimitError,
)
from ftproviders.journal.database import Database
from ftproviders.testing.memory.faults import InjectedCrash
from tests.runtime.conftest import World, only_job

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
