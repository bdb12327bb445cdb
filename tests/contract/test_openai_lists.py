"""Lists of servers that say less than OpenAI's: every page is read, and none for ever."""

from __future__ import annotations

import pytest

from ftproviders.errors import OutcomeUnknownError, UnexpectedResponseError
from tests.contract.openai_world import Make, OpenAIWorld

JOBS = 5


def submitted(world: OpenAIWorld, count: int = JOBS) -> list[str]:
    client = world.client()
    return [client.submit(world.spec(seed=seed)).ref.id for seed in range(count)][::-1]


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize("page_size", [1, 2, 5, 100])
def test_every_job_is_listed_once(make: Make, says: bool, page_size: int) -> None:
    world = make(says_has_more=says, page_size=page_size)
    made = submitted(world)
    listed = [snapshot.ref.id for snapshot in world.client().remote_jobs("openai")]
    assert listed == made


def test_the_oldest_job_is_found_behind_short_pages(make: Make) -> None:
    world = make(says_has_more=False, page_size=2)
    world.inject("createFineTuningJob", "reset", when="after")
    first = world.client().submit(world.spec(seed=99))
    submitted(world)
    (world.folder / "home" / "journal.db").rename(world.folder / "lost.db")
    again = world.client().submit(world.spec(seed=99))
    assert (again.ref, again.reused) == (first.ref, True)
    assert world.sent("createFineTuningJob") == JOBS + 1


def test_events_checkpoints_and_files_are_read_to_the_end(make: Make) -> None:
    told = []
    for says in (True, False):
        world = make(says_has_more=says, page_size=2)
        client = world.client()
        job = client.submit(world.spec())
        job.wait()
        events = [event.message for event in job.events()]
        assert len(events) > 4
        told.append((events, [one.step for one in job.checkpoints()], len(client.files("openai"))))
        (world.folder / "home" / "journal.db").rename(world.folder / f"{says}.db")
    assert told[0] == told[1]


def test_a_server_that_ignores_after_gives_one_page(make: Make) -> None:
    world = make(says_has_more=False, heeds_after=False, page_size=3)
    made = submitted(world, 3)
    client = world.client()
    assert [snapshot.ref.id for snapshot in client.remote_jobs("openai")] == made
    assert len(client.job(f"openai:{made[0]}").events()) == 2


def test_a_list_without_an_end_is_an_error(make: Make) -> None:
    world = make(heeds_after=False, page_size=2)
    client = world.client()
    for seed in range(3):
        client.submit(world.spec(seed=seed))
    with pytest.raises(UnexpectedResponseError, match="has no end"):
        list(client.remote_jobs("openai"))
    world.inject("createFineTuningJob", "reset", when="after")
    with pytest.raises((UnexpectedResponseError, OutcomeUnknownError)):
        client.submit(world.spec(seed=9))
