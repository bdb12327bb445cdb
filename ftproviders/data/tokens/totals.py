"""Tokens of a whole file: every row counted, or a sample that says how sure it is.

A sample is drawn by random byte: the row in which the byte stands is taken, so a row's chance is
its share of the file, and the mean of tokens per byte times the bytes of the file is an unbiased
estimate of the total (Hansen and Hurwitz, 1943). Tokens per byte differ little between rows, so a
thousand rows are nearly always enough; when the 95 % interval is wider than 1 %, more are taken.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ftproviders.data.histogram import Histogram, weighted_distribution
from ftproviders.data.numbers import LENIENT
from ftproviders.data.stream import BOM, open_data_file
from ftproviders.data.tokens.counting import RowTokenizer, RowTokens
from ftproviders.schema.dataset import TokenCount

__all__ = ["RowCounter", "count_file", "decode_row"]

_SMALL_BYTES = 4 * 1024 * 1024
"""Files up to this size are counted whole: it takes less than half a second."""
_FIRST_SAMPLE = 1_000
_LARGEST_SAMPLE = 50_000
_WANTED = 0.01
_AIM = 0.009
"""What a second sample is made for, so that it does not just miss what is wanted."""
_Z = 1.96
_WAITING_ROWS = 10_000
_WINDOW_BYTES = 16 * 1024

Tick = Callable[[int, int], None]


class RowCounter:
    """Counts single rows, and how many of them have more tokens than a limit.

    Args:
        tokenizer: What counts.
        limit: Most tokens of a row.
    """

    def __init__(self, tokenizer: RowTokenizer, *, limit: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self.over = 0

    def __call__(self, row: object) -> int:
        """Return the tokens of a decoded row."""
        tokens = self._tokenizer.row(row).total
        if self._limit is not None and tokens > self._limit:
            self.over += 1
        return tokens


@dataclass(slots=True)
class _Sums:
    """What was counted in every row."""

    total: int = 0
    assistant: int = 0
    billable: int = 0
    over: int = 0
    waiting: list[RowTokens] = field(default_factory=list)
    """Rows that are not in the distributions yet: they take many at once sooner than one by one."""
    per_row: Histogram = field(default_factory=Histogram)
    assistant_per_row: Histogram = field(default_factory=Histogram)

    def drain(self) -> None:
        """Put what waits into the distributions."""
        self.per_row.add(row.total for row in self.waiting)
        self.assistant_per_row.add(row.assistant for row in self.waiting)
        self.waiting.clear()


def count_file(
    path: Path,
    tokenizer: RowTokenizer,
    *,
    exact: bool = False,
    limit: int | None = None,
    seed: int = 0,
    on_progress: Tick | None = None,
) -> TokenCount:
    """Count the tokens of one pass over a file.

    Args:
        path: The file, JSON Lines; lines that are no JSON have no tokens.
        tokenizer: What counts rows.
        exact: Count every row, however large the file is.
        limit: Tokens of a row beyond which nothing is trained or paid for.
        seed: Of the sample; the same seed gives the same sample of the same file.
        on_progress: Called with bytes counted and bytes in all.

    Raises:
        DatasetError: The file cannot be read.
    """
    with closing(open_data_file(path)) as file:
        size = os.fstat(file.fileno()).st_size
        if not exact and size > _SMALL_BYTES and hasattr(os, "pread"):
            sampled = _Sample(file.fileno(), size, tokenizer, limit, seed).result()
            if sampled is not None:
                return sampled
        done = 0
        sums = _Sums()
        for line in file:
            done += len(line)
            _add(sums, tokenizer.row(decode_row(line.removeprefix(BOM))), limit)
            if on_progress is not None and done >> 20 != (done - len(line)) >> 20:
                on_progress(done, max(size, done))
    sums.drain()
    return TokenCount(
        total=sums.total,
        exact=True,
        method=f"exact: {tokenizer.method}",
        tokenizer=tokenizer.name,
        assistant=sums.assistant,
        billable=sums.billable,
        limit=limit,
        rows_over_limit=sums.over if limit is not None else None,
        per_row=sums.per_row.distribution(),
        assistant_per_row=sums.assistant_per_row.distribution(),
    )


def _add(sums: _Sums, row: RowTokens, limit: int | None) -> None:
    if not row.total:
        return
    sums.total += row.total
    sums.assistant += row.assistant
    sums.billable += row.within(limit)
    sums.over += row.exceeds(limit)
    sums.waiting.append(row)
    if len(sums.waiting) >= _WAITING_ROWS:
        sums.drain()


def decode_row(line: bytes) -> object:
    """Decode a line; one that is no JSON is None."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:  # lone surrogates, NaN and their like are faults that validation names
        return LENIENT.decode(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


class _Sample:
    """Rows drawn by random bytes."""

    def __init__(
        self, handle: int, size: int, tokenizer: RowTokenizer, limit: int | None, seed: int
    ) -> None:
        self._handle = handle
        self._size = size
        self._tokenizer = tokenizer
        self._limit = limit
        self._chance = random.Random(seed)  # noqa: S311 - a sample, no secret
        self._rows: list[tuple[int, RowTokens]] = []
        self._read = 0

    def result(self) -> TokenCount | None:
        """Return the estimate, or None when the whole file is counted sooner."""
        self._draw(_FIRST_SAMPLE)
        if self._read > self._size / 2:
            return None
        needed = self._needed()
        if needed > len(self._rows):
            bytes_needed = self._read / len(self._rows) * needed
            if needed > _LARGEST_SAMPLE or bytes_needed > self._size / 2:
                return None
            self._draw(needed - len(self._rows))
        return self._estimate()

    def _draw(self, count: int) -> None:
        # In the order of the file: it is read forwards, and a row that is drawn more than once, as
        # long ones are, is counted once.
        end, last = 0, (0, RowTokens(0, 0))
        for place in sorted(self._chance.randrange(self._size) for _ in range(count)):
            if place >= end:
                start, line = self._line_at(place)
                end = start + len(line)
                self._read += len(line)
                last = len(line), self._tokenizer.row(decode_row(line.removeprefix(BOM)))
            self._rows.append(last)

    def _line_at(self, place: int) -> tuple[int, bytes]:
        """Return where the line begins in which byte `place` stands, and the line."""
        pieces: list[bytes] = []
        end = place
        while end > 0:
            start = max(0, end - _WINDOW_BYTES)
            piece = os.pread(self._handle, end - start, start)
            cut = piece.rfind(b"\n")
            pieces.append(piece[cut + 1 :])
            if cut >= 0:
                break
            end = start
        before = b"".join(reversed(pieces))
        return place - len(before), before + b"".join(self._rest_from(place))

    def _rest_from(self, place: int) -> Iterator[bytes]:
        while piece := os.pread(self._handle, _WINDOW_BYTES, place):
            cut = piece.find(b"\n")
            if cut >= 0:
                yield piece[: cut + 1]
                return
            yield piece
            place += len(piece)

    def _needed(self) -> int:
        """Return how many rows make the interval narrow enough."""
        mean, half = _mean_and_half([row.total / size for size, row in self._rows])
        width = half / mean if mean else 0.0
        return (
            len(self._rows) if width < _WANTED else math.ceil(len(self._rows) * (width / _AIM) ** 2)
        )

    def _estimate(self) -> TokenCount:
        rows, size, limit = self._rows, self._size, self._limit
        mean, half = _mean_and_half([row.total / length for length, row in rows])
        paid = [row.within(limit) for _, row in rows]
        weights = [1 / length for length, _ in rows]
        known = [(row.total, w) for (_, row), w in zip(rows, weights, strict=True) if row.total]
        answered = [
            (row.assistant, w) for (_, row), w in zip(rows, weights, strict=True) if row.total
        ]
        return TokenCount(
            total=round(mean * size),
            exact=False,
            method=f"estimate from {len(rows):,} rows drawn by random byte: "
            f"{self._tokenizer.method}",
            tokenizer=self._tokenizer.name,
            low=max(0, math.floor((mean - half) * size)),
            high=math.ceil((mean + half) * size),
            sample_rows=len(rows),
            assistant=round(_mean([row.assistant / length for length, row in rows]) * size),
            billable=round(
                _mean([p / length for p, (length, _) in zip(paid, rows, strict=True)]) * size
            ),
            limit=limit,
            per_row=weighted_distribution(known),
            assistant_per_row=weighted_distribution(answered),
        )


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _mean_and_half(values: list[float]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval."""
    mean = _mean(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, _Z * math.sqrt(spread / len(values))
