"""From events with numbers to curves, and from curves to the panels that they are drawn in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftproviders.schema.job import JobEvent

__all__ = ["Curve", "Panel", "drawable", "panels", "title_of"]

_TITLES = {
    "train_loss": "training",
    "training_loss": "training",
    "loss": "training",
    "valid_loss": "validation",
    "validation_loss": "validation",
    "eval_loss": "validation",
    "full_valid_loss": "validation, whole file",
    "learning_rate": "learning rate",
    "lr": "learning rate",
    "grad_norm": "gradient norm",
}
"""Name in the metrics -> what a person calls it."""
_NOT_DRAWN = ("epoch", "step")
"""Numbers that only say where in the training we are."""
_LARGEST = 1e100
"""Beyond it nothing can be learned from a picture, and sums of such numbers overflow."""


def drawable(value: float) -> bool:
    """Say whether a number has a place on an axis."""
    return math.isfinite(value) and abs(value) < _LARGEST


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One metric over the training."""

    name: str
    """Name in the metrics, for instance ``train_loss``."""
    points: Sequence[tuple[float, float]]
    """Place (step, or number of the log line) and value, in order; values may be NaN."""

    @property
    def title(self) -> str:
        """What a person calls it."""
        return title_of(self.name)

    @property
    def drawn(self) -> Sequence[tuple[float, float]]:
        """The points that have a place in a picture."""
        return [point for point in self.points if drawable(point[1])]

    @property
    def lost(self) -> Sequence[float]:
        """Places whose value is no finite number."""
        return [place for place, value in self.points if not drawable(value)]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves that share their axes."""

    title: str
    unit: str
    """Unit of the values; empty = none, or not told."""
    place: str
    """What runs along the x axis: ``step`` or ``log line``."""
    curves: Sequence[Curve]

    @property
    def main(self) -> bool:
        """True for what everybody looks at: loss, accuracy, learning rate."""
        return self.title in ("Loss", "Learning rate", "Accuracy")


def title_of(name: str) -> str:
    """Return what a person calls the metric `name`."""
    return _TITLES.get(name, name.replace("_", " "))


def panels(metrics: Sequence[JobEvent], *, units: Mapping[str, str] | None = None) -> list[Panel]:
    """Group the metrics into panels: loss, learning rate, accuracy, then each other by itself.

    Args:
        metrics: Events with numbers, oldest first, of each step the values that count.
        units: Name of a metric -> unit, where it is known.

    Returns:
        The panels; empty when there is no number to draw.
    """
    known = units or {}
    by_step = any(event.step is not None for event in metrics)
    points: dict[str, list[tuple[float, float]]] = {}
    for number, event in enumerate(metrics, start=1):
        place = event.step if by_step else number
        if place is None:
            continue  # a number without a step has no place beside those that have one
        for name, value in event.metrics.items():
            if name not in _NOT_DRAWN:
                points.setdefault(name, []).append((float(place), value))
    groups: dict[str, list[str]] = {"Loss": [], "Learning rate": [], "Accuracy": []}
    for name in points:
        groups.setdefault(_group(name), []).append(name)
    return [
        Panel(
            title=title,
            unit=_unit(names, known),
            place="step" if by_step else "log line",
            curves=[Curve(name=name, points=sorted(points[name], key=_place)) for name in names],
        )
        for title, names in groups.items()
        if names
    ]


def _place(point: tuple[float, float]) -> float:
    return point[0]


def _group(name: str) -> str:
    if "loss" in name:
        return "Loss"
    if name in ("learning_rate", "lr"):
        return "Learning rate"
    if "accuracy" in name:
        return "Accuracy"
    title = title_of(name)
    return title[:1].upper() + title[1:]


def _unit(names: Sequence[str], known: Mapping[str, str]) -> str:
    """Return the unit that all the curves of a panel have in common."""
    told = {known.get(name, "") for name in names}
    return told.pop() if len(told) == 1 else ""
