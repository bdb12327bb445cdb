"""From events to panels."""

from __future__ import annotations

import math

import pytest

from ftproviders.reports import panels
from ftproviders.reports.ticks import axis
from tests.unit.reports.cases import falling, number


def test_names_are_grouped_into_panels() -> None:
    events = [number(1, train_loss=2.0, learning_rate=1e-4, grad_norm=3.0, epoch=0.1),
              number(2, valid_loss=1.9, valid_mean_token_accuracy=0.4)]  # fmt: skip

    found = panels(events)

    assert [(p.title, [c.name for c in p.curves], p.main) for p in found] == [
        ("Loss", ["train_loss", "valid_loss"], True),
        ("Learning rate", ["learning_rate"], True),
        ("Accuracy", ["valid_mean_token_accuracy"], True),
        ("Gradient norm", ["grad_norm"], False),
    ]
    assert found[0].curves[1].points == [(2.0, 1.9)]
    assert {p.place for p in found} == {"step"}


def test_without_any_step_the_log_lines_are_counted() -> None:
    (panel,) = panels([number(None, loss=3.0), number(None, loss=2.0)])

    assert panel.place == "log line"
    assert panel.curves[0].points == [(1.0, 3.0), (2.0, 2.0)]


def test_numbers_without_a_step_have_no_place_beside_those_with_one() -> None:
    (panel,) = panels([number(None, loss=9.0), number(7, loss=2.0)])

    assert panel.curves[0].points == [(7.0, 2.0)]


def test_a_unit_is_shown_only_when_all_curves_of_a_panel_have_it() -> None:
    events = [number(1, train_loss=2.0, valid_loss=1.0)]

    assert panels(events, units={"train_loss": "nats"})[0].unit == ""
    both = {"train_loss": "nats", "valid_loss": "nats"}
    assert panels(events, units=both)[0].unit == "nats"


def test_no_number_no_panel() -> None:
    assert panels([]) == []
    assert panels([number(3, epoch=1.0)]) == []


def test_what_is_not_finite_is_told_apart() -> None:
    (panel,) = panels([*falling(2), number(3, train_loss=math.nan), number(4, train_loss=math.inf)])

    assert len(panel.curves[0].drawn) == 2
    assert panel.curves[0].lost == [3.0, 4.0]


@pytest.mark.parametrize(
    ("values", "whole", "labels"),
    [
        ([0.1, 2.4], False, ["0", "0.5", "1.0", "1.5", "2.0", "2.5"]),
        ([1.0, 60.0], True, ["10", "20", "30", "40", "50", "60"]),
        ([1e-5, 2e-4], False, ["0", "5e-5", "1.0e-4", "1.5e-4", "2.0e-4"]),
        ([-0.3, 0.2], False, ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2"]),
        ([3.0], True, ["2", "3", "4"]),
        ([0.0, 0.0], False, ["-1.0", "-0.5", "0", "0.5", "1.0"]),
        ([], False, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_marks_are_round_and_hold_the_values(
    values: list[float], whole: bool, labels: list[str]
) -> None:
    made = axis(values, whole=whole)

    assert list(made.labels) == labels
    assert all(made.low <= value <= made.high for value in values)


@pytest.mark.parametrize(
    "values",
    [[1e99, -1e99], [1e-300, 2e-300], [1.0, 1.0 + 1e-15], [1e15, 1e15 + 1], [-7.0], [5e-324]],
)
def test_no_size_of_numbers_breaks_an_axis(values: list[float]) -> None:
    for whole in (False, True):
        made = axis(values, whole=whole)
        assert len(made.marks) == len(made.labels) < 20
        assert all(-1e-6 <= made.share(value) <= 1 + 1e-6 for value in values)
