"""New attempts: made only when somebody who knows the newest one asks."""

from __future__ import annotations

import pytest

from ftproviders.errors import (
    InvalidRequestError,
    JobCancelledError,
    JobFailedError,
)
from ftproviders.testing.memory.faults import InjectedCrash
from tests.runtime.conftest import World

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
