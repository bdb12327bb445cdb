"""Where the marks of an axis stand, and what is written at them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Axis", "axis", "short"]

_STEPS = (1.0, 2.0, 5.0, 10.0)
_FINEST = 1e-9
"""Part of the largest value below which two values are not told apart."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A range and its marks."""

    low: float
    high: float
    marks: Sequence[float]
    labels: Sequence[str]

    def share(self, value: float) -> float:
        """Return where in the range `value` stands: 0 = `low`, 1 = `high`."""
        return (value - self.low) / (self.high - self.low)


def axis(values: Sequence[float], *, most: int = 6, whole: bool = False) -> Axis:
    """Return an axis that holds all values.

    The range of values begins at zero where that costs little room; the range of whole numbers
    (steps) is theirs exactly.

    Args:
        values: What it has to hold, finite; may be empty.
        most: About how many marks.
        whole: The values are whole numbers, and so are the marks.
    """
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if 0 < low <= high / 2 and not whole:
        low = 0.0
    if high - low <= max(abs(low), abs(high)) * _FINEST:
        room = 1.0 if whole else abs(high) / 2 or 1.0
        low, high = low - room, high + room
    step = _step((high - low) / max(1, most), whole=whole)
    first = math.floor(low / step) if not whole else math.ceil(low / step)
    last = math.ceil(high / step) if not whole else math.floor(high / step)
    marks = [number * step for number in range(first, last + 1)]
    if not whole:
        low, high = marks[0], marks[-1]
    return Axis(low=low, high=high, marks=marks, labels=[_label(mark, step) for mark in marks])


def _step(rough: float, *, whole: bool) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-12))
    return max(1.0, step) if whole else step


def _label(mark: float, step: float) -> str:
    if abs(mark) < step / 2:
        return "0"
    if step < 1e-4 or abs(mark) >= 1e6:
        digits = max(0, math.floor(math.log10(abs(mark))) - math.floor(math.log10(step) + 1e-9))
        mantissa, _, power = f"{mark:.{digits}e}".partition("e")
        return f"{mantissa}e{int(power)}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{mark:.{decimals}f}"


def short(value: float) -> str:
    """Write a measured number: five significant digits, ``nan`` and ``inf`` as such."""
    return f"{value:.5g}"
