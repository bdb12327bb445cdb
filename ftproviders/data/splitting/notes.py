"""Two numbers a row, put aside in temporary files, and questions about all of them.

Memory does not grow with the rows: numbers are sorted in runs on disk that are merged.
"""

from __future__ import annotations

import heapq
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby, islice
from typing import IO

__all__ = ["Notes"]

_ROWS_AT_ONCE = 64 * 1024
_RUN = 250_000
"""Numbers sorted in memory at once: 10 MB of Python integers."""
_MERGE_BUFFER = 4096


class Notes:
    """Key and prompt of each row, both 64-bit numbers, in file order.

    Args:
        file: An empty file, opened for reading and writing.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._open: array[int] = array("Q")
        self.rows = 0

    def add(self, key: int, prompt: int) -> None:
        """Note a row."""
        self._open.extend((key, prompt))
        self.rows += 1
        if len(self._open) >= 2 * _ROWS_AT_ONCE:
            self._put_aside()

    def _put_aside(self) -> None:
        self._file.write(self._open.tobytes())
        self._open = array("Q")

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Yield key and prompt of each row, in file order."""
        self._put_aside()
        self._file.seek(0)
        while data := self._file.read(2 * _ROWS_AT_ONCE * self._open.itemsize):
            block: array[int] = array("Q")
            block.frombytes(data)
            yield from zip(block[0::2], block[1::2], strict=True)

    def keys(self) -> Iterator[int]:
        """Yield the keys in file order."""
        return (key for key, _ in self._pairs())

    def groups(self) -> Iterator[tuple[int, int]]:
        """Yield each different key, ascending, and how many rows have it."""
        for key, rows in groupby(_ascending(self.keys())):
            yield key, sum(1 for _ in rows)

    def cuts(self, wanted: Sequence[int]) -> tuple[list[int], int]:
        """Find keys that cut the rows into parts of the sizes wanted, or as near as groups let.

        Args:
            wanted: Rows of each part but the last, which gets the rest.

        Returns:
            For each part the key below which it, and those before it, lie; and the number of
            different keys.
        """
        limits: list[int] = []
        before = taken = groups = 0
        target = wanted[0] if wanted else 0
        for key, rows in self.groups():
            groups += 1
            after = before + rows
            while len(limits) < len(wanted) and after >= target:
                fits = after - target <= target - before or before == taken
                take = fits and after < self.rows
                limits.append(key + 1 if take else key)
                taken = after if take else before
                if len(limits) < len(wanted):
                    target = max(taken + wanted[len(limits)], target)
            before = after
        return limits, groups

    def shared_prompts(self, below: int) -> int:
        """Return how many prompts stand on both sides of the key `below`."""
        # The lowest bit of the number makes room for the side; 63 bits still tell prompts apart.
        sided = (prompt >> 1 << 1 | (key < below) for key, prompt in self._pairs())
        return sum(
            {number & 1 for number in same} == {0, 1}
            for _, same in groupby(_ascending(sided), key=lambda number: number >> 1)
        )


def _ascending(numbers: Iterable[int]) -> Iterator[int]:
    """Yield numbers from the smallest to the largest."""
    with closing(tempfile.TemporaryFile(prefix="ftproviders-")) as file:
        sizes = []
        rest = iter(numbers)
        while run := sorted(islice(rest, _RUN)):
            sorted_run = array("Q", run)
            file.write(sorted_run.tobytes())
            sizes.append(len(sorted_run))
        starts = [sum(sizes[:index]) for index in range(len(sizes))]
        runs = [_run(file, start, size) for start, size in zip(starts, sizes, strict=True)]
        yield from heapq.merge(*runs)


def _run(file: IO[bytes], start: int, size: int) -> Iterator[int]:
    """Yield one sorted run, a buffer at a time."""
    at, end = start, start + size
    while at < end:
        buffer: array[int] = array("Q")
        file.seek(at * buffer.itemsize)
        buffer.frombytes(file.read(min(_MERGE_BUFFER, end - at) * buffer.itemsize))
        at += len(buffer)
        yield from buffer
