"""How often each whole number was seen: distributions in constant memory, which can be added up.

Counts are exact while there are at most 65,536 different numbers. Beyond that, numbers from 4,096
up are kept with 12 significant bits, whatever the order in which they came; that is a difference
of less than 0.05 %. Count, sum, least and greatest stay exact.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ftproviders.schema.dataset import Distribution

__all__ = ["Histogram", "weighted_distribution"]

_DISTINCT = 65_536
_BITS = 12


@dataclass(slots=True)
class Histogram:
    """Counts of whole numbers from 0 up."""

    counts: Counter[int] = field(default_factory=Counter)
    """Number -> how often it was seen."""
    total: int = 0
    """Sum of everything seen."""
    least: int | None = None
    greatest: int = 0
    coarse: bool = False
    """True once large numbers were rounded."""

    def add(self, values: Iterable[int]) -> None:
        """Count numbers."""
        self.add_counts(Counter(values))

    def add_counts(self, new: Mapping[int, int]) -> None:
        """Count numbers of which it is known how often each was seen."""
        if not new:
            return
        self._widen(min(new), max(new))
        self.total += sum(value * count for value, count in new.items())
        self._put(new)

    def add_one(self, value: int, *, times: int = 1) -> None:
        """Count one number, seen `times` times."""
        self._widen(value, value)
        self.total += value * times
        self._put({value: times})

    def merge(self, other: Histogram) -> None:
        """Add what another part of the same file holds."""
        if other.least is None:
            return
        self._widen(other.least, other.greatest)
        self.total += other.total
        if other.coarse and not self.coarse:
            self.coarse = True
            self.counts = _coarse(self.counts)
        self._put(other.counts)

    def _widen(self, least: int, greatest: int) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.greatest = max(self.greatest, greatest)

    def _put(self, new: Mapping[int, int]) -> None:
        self.counts.update(_coarse(new) if self.coarse else new)
        if len(self.counts) > _DISTINCT:
            self.coarse = True
            self.counts = _coarse(self.counts)

    def distribution(self) -> Distribution | None:
        """Return the usual figures, None when nothing was counted."""
        if self.least is None:
            return None
        ordered = sorted(self.counts.items())
        size = sum(count for _, count in ordered)
        quantiles = _quantiles(ordered, size, (0.05, 0.1, 0.5, 0.9, 0.95))
        bounded = [min(max(value, self.least), self.greatest) for value in quantiles]
        q05, q10, median, q90, q95 = bounded
        return Distribution(
            count=size,
            minimum=self.least,
            maximum=self.greatest,
            mean=self.total / size,
            median=median,
            q05=q05,
            q10=q10,
            q90=q90,
            q95=q95,
        )


def _coarse(counts: Mapping[int, int]) -> Counter[int]:
    rounded: Counter[int] = Counter()
    for value, count in counts.items():
        rounded[_rounded(value)] += count
    return rounded


def _rounded(value: int) -> int:
    """Keep the highest bits of a number, and round the others to the middle."""
    spare = value.bit_length() - _BITS
    return value if spare <= 0 else ((value >> spare) << spare) + (1 << spare >> 1)


def _quantiles(ordered: list[tuple[int, int]], size: int, wanted: Iterable[float]) -> list[float]:
    """Return quantiles with linear interpolation between neighbours, as NumPy's default does."""
    found = []
    for quantile in wanted:
        place = (size - 1) * quantile
        lower = _at(ordered, int(place))
        upper = _at(ordered, min(int(place) + 1, size - 1))
        found.append(lower + (upper - lower) * (place - int(place)))
    return found


def _at(ordered: list[tuple[int, int]], index: int) -> int:
    """Return the number at `index` of the sorted row of all numbers seen."""
    passed = 0
    for value, count in ordered:
        passed += count
        if index < passed:
            return value
    return ordered[-1][0]


def weighted_distribution(values: Sequence[tuple[int, float]]) -> Distribution | None:
    """Return the figures of numbers of which each stands for as many as its weight says.

    Args:
        values: Numbers and weights. Least and greatest are those of the numbers seen.
    """
    if not values:
        return None
    ordered = sorted(values)
    whole = math.fsum(weight for _, weight in ordered)

    def at(quantile: float) -> float:
        passed = 0.0
        for value, weight in ordered:
            passed += weight
            if passed >= quantile * whole:
                return float(value)
        return float(ordered[-1][0])

    return Distribution(
        count=len(ordered),
        minimum=ordered[0][0],
        maximum=ordered[-1][0],
        mean=math.fsum(value * weight for value, weight in ordered) / whole,
        median=at(0.5),
        q05=at(0.05),
        q10=at(0.1),
        q90=at(0.9),
        q95=at(0.95),
    )
