"""Pause, resume and cancel where they come too late or twice: how the job stands is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftproviders.errors import JobError, JobPausedError, StalledError
from ftproviders.schema.job import JobStatus
from tests.contract.openai_world import OpenAIWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OpenAIWorld]:
    made = OpenAIWorld(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("word", ["pausing", "resuming"])
def test_who_watches_stays_until_it_is_paused(world: OpenAIWorld, word: str) -> None:
    job = world.client().submit(world.spec())
    world.server.set_status(job.ref.id, word)
    seen: list[str] = []

    def look(snapshot: object, _events: object) -> None:
        seen.append(job.snapshot.raw_status)
        assert snapshot is job.snapshot
        if job.snapshot.raw_status == word:
            assert not job.snapshot.resumable
            world.server.set_status(job.ref.id, "paused")

    with pytest.raises(JobPausedError, match="is paused") as caught:
        job.wait(on_update=look)
    assert seen == [word, "paused"]
    assert "ftproviders resume" in caught.value.hint


def test_who_follows_stays_too(world: OpenAIWorld) -> None:
    job = world.client().submit(world.spec())
    world.server.set_status(job.ref.id, "pausing")
    told = []
    for event in job.follow():
        told.append(event.id)
        world.server.set_status(job.ref.id, None)
    assert job.status is JobStatus.SUCCEEDED
    assert len(told) > 2


def test_a_pause_that_never_comes_about_is_a_stall(world: OpenAIWorld) -> None:
    job = world.client().submit(world.spec())
    world.server.set_status(job.ref.id, "pausing")
    with pytest.raises(StalledError):
        job.wait()


def test_twice_is_as_good_as_once(world: OpenAIWorld) -> None:
    job = world.client().submit(world.spec())
    assert job.pause().status is JobStatus.PAUSED
    assert job.pause().status is JobStatus.PAUSED
    under_way = job.resume().status
    assert under_way is not JobStatus.PAUSED
    assert job.resume().status is under_way
    assert job.cancel().status is JobStatus.CANCELLED
    assert job.cancel().status is JobStatus.CANCELLED


@pytest.mark.parametrize("operation", ["pause", "resume"])
@pytest.mark.parametrize("end", ["succeeded", "cancelled"])
def test_what_has_ended_is_neither_paused_nor_resumed(
    world: OpenAIWorld, operation: str, end: str
) -> None:
    job = world.client().submit(world.spec())
    if end == "cancelled":
        job.cancel()
    else:
        job.wait()
    act: Callable[[], object] = getattr(job, operation)
    with pytest.raises(
        JobError, match=f"it is {end}, so there is nothing to {operation}"
    ) as caught:
        act()
    assert ("model" if end == "succeeded" else "--again") in caught.value.hint
    assert world.sent(f"{operation}FineTuningJob") == 0
    assert job.cancel().status.value == end


@pytest.mark.parametrize("operation", ["pause", "resume"])
def test_a_lost_answer_is_looked_up(world: OpenAIWorld, operation: str) -> None:
    job = world.client().submit(world.spec())
    if operation == "resume":
        job.pause()
    world.inject(f"{operation}FineTuningJob", "reset", when="after")
    act: Callable[[], object] = getattr(job, operation)
    act()
    assert (job.status is JobStatus.PAUSED) == (operation == "pause")
