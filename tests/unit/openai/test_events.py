"""Events: order, cursors, and the numbers in texts and data."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftproviders.adapters._openai_dialect.events import (
    after_cursor,
    ordered,
    read_event,
    text_metrics,
)
from ftproviders.client.numbers import last_values
from ftproviders.schema.job import EventLevel


def entry(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"ftevent-{number}",
        "object": "fine_tuning.job.event",
        "created_at": 1_760_000_000 + number,
        "level": "info",
        "message": f"message {number}",
        "type": "message",
        "data": {},
        **fields,
    }


@pytest.mark.parametrize(
    ("text", "step", "total", "numbers"),
    [
        ("Step 12/300: training loss=0.25", 12, 300, {"train_loss": 0.25}),
        (
            "Step 131/303: training loss=0.25, validation loss=0.37",
            131,
            303,
            {"train_loss": 0.25, "valid_loss": 0.37},
        ),
        (
            "Step 303/303: training loss=0.00, full validation loss=0.33",
            303,
            303,
            {"train_loss": 0.0, "full_valid_loss": 0.33},
        ),
        ("Step 4: training loss=nan", 4, None, {"train_loss": math.nan}),
        (
            "step 4 of 8: training loss=1e-05, reward=-.5",
            4,
            8,
            {"train_loss": 1e-5, "reward": -0.5},
        ),
        ("Checkpoint created at step 101", None, None, {}),
        ("Step 7/9: halfway there", 7, 9, {}),
        ("Created fine-tuning job: ftjob-1=2", None, None, {}),
    ],
)
def test_numbers_are_read_out_of_texts(
    text: str, step: int | None, total: int | None, numbers: dict[str, float]
) -> None:
    found = text_metrics(text)
    assert found[:2] == (step, total)
    assert repr(found[2]) == repr(numbers)  # NaN equals nothing, itself included


def test_data_go_before_the_rounded_text() -> None:
    text = "Step 3/9: training loss=0.25, validation loss=0.40"
    data = {"step": 3, "train_loss": 0.2512, "total_steps": 9, "train_mean_token_accuracy": 0.9}
    event = read_event(entry(1, type="metrics", message=text, data=data))
    assert dict(event.metrics) == {
        "train_loss": 0.2512, "valid_loss": 0.4, "train_mean_token_accuracy": 0.9
    }  # fmt: skip
    assert (event.kind, event.step, event.total_steps) == ("metrics", 3, 9)


def test_a_message_about_a_step_belongs_to_no_step() -> None:
    event = read_event(entry(1, message="Step 7/9: halfway there", level="warn"))
    assert (event.kind, event.step, event.level) == ("message", None, EventLevel.WARNING)


@pytest.mark.parametrize(
    "changes",
    [
        {"message": None, "level": None, "type": None, "data": None},
        {"created_at": None},
        {"created_at": "yesterday", "data": [1, 2], "level": "shouting"},
        {"data": {"step": None, "train_loss": None, "note": "x", "flag": True}},
    ],
)
def test_nothing_but_the_id_is_needed(changes: dict[str, Any]) -> None:
    event = read_event(entry(1, **changes))
    assert event.id == "ftevent-1"
    assert event.kind == "message"
    assert event.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "-4", "1" + "0" * 400])
def test_a_step_or_number_that_is_none_is_survived(number: str) -> None:
    value = json.loads(number)
    event = read_event(entry(1, data={"step": value, "total_steps": value, "train_loss": 0.5}))
    assert (event.step, event.total_steps) == (None, None)
    assert event.metrics["train_loss"] == 0.5
    read_event(entry(1, data={"step": 1, "train_loss": value}))
    read_event(entry(1, message=f"Step {'9' * 5000}/{'9' * 5000}: training loss=1"))


def test_newest_first_becomes_oldest_first_and_ties_keep_their_order() -> None:
    same = [entry(n, created_at=1_760_000_000) for n in (3, 2, 1)]
    assert [e.id for e in ordered(same)] == ["ftevent-1", "ftevent-2", "ftevent-3"]
    assert [e.id for e in ordered([entry(2), entry(1)])] == ["ftevent-1", "ftevent-2"]


def test_a_server_that_lists_oldest_first_is_understood() -> None:
    listed = [entry(1), entry(2, created_at=1_760_000_001), entry(3)]
    assert [e.id for e in ordered(listed)] == ["ftevent-1", "ftevent-2", "ftevent-3"]


def test_an_event_that_is_on_two_pages_is_told_once() -> None:
    assert [e.id for e in ordered([entry(2), entry(1), entry(1)])] == ["ftevent-1", "ftevent-2"]


def test_an_event_without_time_stays_behind_the_one_before() -> None:
    listed = [entry(3), entry(2, created_at=None), entry(1)]
    assert [e.id for e in ordered(listed)] == ["ftevent-1", "ftevent-2", "ftevent-3"]


@given(st.permutations(range(8)), st.integers(0, 7))
def test_a_cursor_gives_exactly_what_is_behind_it(places: list[int], cut: int) -> None:
    events = ordered([entry(n) for n in places])
    assert [e.id for e in events] == [f"ftevent-{n}" for n in range(8)]
    rest = after_cursor(events, events[cut].id)
    assert [e.id for e in rest] == [e.id for e in events[cut + 1 :]]


def test_a_cursor_that_is_gone_gives_everything() -> None:
    events = ordered([entry(2), entry(1)])
    assert after_cursor(events, "ftevent-99") == events
    assert after_cursor(events, None) == events


def test_text_and_data_of_a_step_are_one_point_of_the_curve() -> None:
    told = entry(1, message="Step 1/2: training loss=0.25")
    data = {"step": 1, "train_loss": 0.2512}
    more = entry(2, type="metrics", message="Step 1/2: training loss=0.25", data=data)
    (point,) = last_values(ordered([more, told]))
    assert (point.step, dict(point.metrics)) == (1, {"train_loss": 0.2512})
