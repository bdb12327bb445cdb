"""Curves in the terminal."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import pytest

from ftproviders.errors import MissingDependencyError
from ftproviders.reports import panels, plot
from tests.unit.reports.cases import falling, number


def test_a_falling_curve_falls() -> None:
    lines = plot(panels(falling(60)), width=60, height=16).splitlines()
    inside = [line.partition("│")[2] or line.partition("┤")[2] for line in lines]
    body = [line for line in inside if any("\u2800" < sign <= "\u28ff" for sign in line)]
    firsts = [next(i for i, sign in enumerate(line) if sign > "\u2800") for line in body]

    assert lines[:2] == ["Loss", "⠒ train_loss"]
    assert len(firsts) > 5
    assert firsts == sorted(firsts)
    assert "step" in lines[-1]
    assert max(len(line) for line in lines) <= 60


def test_panels_stand_below_each_other_with_their_units() -> None:
    events = [number(s, train_loss=3 - s, valid_loss=4 - s, learning_rate=s / 10) for s in (1, 2)]
    text = plot(panels(events, units={"train_loss": "nats", "valid_loss": "nats"}))

    assert "Loss (nats)\n⠒ train_loss   o valid_loss\n" in text
    assert "\n\nLearning rate\n" in text


def test_colours_only_when_wished() -> None:
    assert "\x1b[" not in plot(panels(falling()))
    assert "\x1b[38" in plot(panels(falling()), color=True)


def test_without_unicode_the_plot_is_ascii() -> None:
    text = plot(panels(falling()), encoding="ANSI_X3.4-1968")

    assert text.isascii()
    assert "* train_loss" in text


@pytest.mark.parametrize(
    "values",
    [[1.0], [1.0, 1.0, 1.0], [0.0], [math.nan, 2.0, math.inf, 1.0], [-1e99, 1e99], [1e-310, 0.0]],
)
def test_no_value_breaks_the_plot(values: list[float]) -> None:
    events = [number(step, loss=value) for step, value in enumerate(values, start=1)]
    text = plot(panels(events), width=40)

    lost = sum(not math.isfinite(value) for value in values)
    assert (f"({lost} not finite)" in text) is bool(lost)
    assert any("\u2800" < sign <= "\u28ff" for sign in text.split("\n", 2)[2])


def test_nothing_finite_is_said() -> None:
    assert plot(panels([number(1, loss=math.nan)])) == "Loss: no finite value"


def test_names_cannot_steer_the_terminal() -> None:
    text = plot(panels([number(1, **{"loss\x1b]0;title\x07": 1.0})]))

    assert "\x1b" not in text
    assert "loss]0;title" in text


def test_without_plotext_the_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == "plotext" else find(name, *rest)

    monkeypatch.setattr("ftproviders.reports.terminal.find_spec", without)
    with pytest.raises(MissingDependencyError) as caught:
        plot(panels(falling()))
    assert caught.value.hint == "pip install 'ftproviders[plot]'"
