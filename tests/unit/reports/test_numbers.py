"""Of repeated steps the last values count."""

from __future__ import annotations

from ftproviders.client.numbers import last_values
from ftproviders.schema.job import JobEvent
from tests.unit.reports.cases import WHEN, number


def test_a_resumed_job_reports_a_step_again_and_the_last_value_counts() -> None:
    before = [number(step, train_loss=9.0) for step in (1, 2, 3)]
    after = [number(step, train_loss=float(step)) for step in (2, 3, 4)]

    found = last_values([*before, *after])

    assert [(e.step, e.metrics["train_loss"]) for e in found] == [
        (1, 9.0), (2, 2.0), (3, 3.0), (4, 4.0),
    ]  # fmt: skip


def test_steps_that_were_undone_stay_in_their_places_until_they_are_done_again() -> None:
    found = last_values([number(5, loss=5.0), number(7, loss=7.0), number(6, loss=6.0)])

    assert [event.step for event in found] == [5, 6, 7]


def test_a_step_that_is_reported_twice_is_one_event_with_all_its_numbers() -> None:
    after = number(4, valid_loss=2.0, epoch=1.0)
    found = last_values([number(4, train_loss=1.0), after, number(5, train_loss=0.5)])

    assert [(e.step, dict(e.metrics)) for e in found] == [
        (4, {"train_loss": 1.0, "valid_loss": 2.0, "epoch": 1.0}),
        (5, {"train_loss": 0.5}),
    ]
    assert (found[0].id, found[0].created_at) == (after.id, after.created_at)


def test_only_the_repeated_name_is_replaced() -> None:
    found = last_values([number(4, train_loss=1.0, speed=10.0), number(4, train_loss=0.5)])

    assert [dict(e.metrics) for e in found] == [{"speed": 10.0, "train_loss": 0.5}]


def test_messages_are_no_numbers_and_numbers_without_step_stay_behind_their_step() -> None:
    message = JobEvent(id="1", created_at=WHEN, message="hello")
    events = [message, number(1, loss=3.0), number(None, cost=1.0), number(2, loss=2.0)]

    assert [event.step for event in last_values(events)] == [1, None, 2]
    assert last_values([message]) == []
