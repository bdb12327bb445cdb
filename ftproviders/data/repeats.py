"""Rows that stand twice, or contradict each other, in one file or in two: exact, in little memory.

Equal keys only say where to look. The rows are read again and compared, so nothing is reported
because two checksums are equal; and rows that are equal always have equal keys.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, OrderedDict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftproviders.data.keys import RowKeys, bucket_count, heads_of, split_row
from ftproviders.data.stream import BOM

__all__ = ["Repeat", "Repeats", "find_overlaps", "find_repeats"]

_CACHE_BYTES = 2 * 1024 * 1024
_MOST_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True, order=True)
class Repeat:
    """A row that has been there before."""

    line: int
    other_line: int
    """The earlier row; for `find_overlaps` the row of the training file."""
    rule: str
    offset: int
    """Bytes of the file before the row."""
    same: bool = True
    """False when only the prompt is the same."""


@dataclass(slots=True)
class Repeats:
    """What was found: how much of everything, and the first ones."""

    keep: int
    counts: Counter[str] = field(default_factory=Counter)
    _kept: list[tuple[int, int, Repeat]] = field(default_factory=list)

    def add(self, found: Repeat) -> None:
        """Count a repeat, and keep it when it is among the first ones of the file."""
        self.counts[found.rule] += 1
        entry = (-found.line, -found.other_line, found)
        if len(self._kept) < self.keep:
            heapq.heappush(self._kept, entry)
        elif self._kept and entry[:2] > self._kept[0][:2]:
            heapq.heapreplace(self._kept, entry)

    def first(self) -> list[Repeat]:
        """Return the first ones in file order."""
        return sorted(entry[2] for entry in self._kept)


class _Reader:
    """Reads rows again, and remembers the last ones."""

    def __init__(self, path: Path, *, graded: bool) -> None:
        self._file = path.open("rb")
        self._graded = graded
        self._known: OrderedDict[int, bytes] = OrderedDict()
        self._held = 0

    def close(self) -> None:
        self._file.close()

    def raw(self, offset: int) -> bytes:
        """Return the line at `offset`."""
        line = self._known.get(offset)
        if line is not None:
            return line
        self._file.seek(offset)
        return self._file.readline().strip(b" \t\r\n").removeprefix(BOM)

    def keep(self, offset: int) -> None:
        """Remember a line that others will be compared with."""
        line = self.raw(offset)
        if offset not in self._known:
            self._held += len(line)
            self._known[offset] = line
        while self._held > _CACHE_BYTES and len(self._known) > 1:
            self._held -= len(self._known.popitem(last=False)[1])

    def split(self, offset: int) -> tuple[str, str, Any]:
        """Return prompt and answer of a row as canonical text, and the answer itself."""
        row = json.loads(self.raw(offset).decode("utf-8", "surrogatepass"))
        asked, said = split_row(row, graded=self._graded)
        return _canonical(asked), _canonical(said), said


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True) if value is not None else ""


_Place = tuple[int, int]
"""Line and offset."""


_Record = tuple[int, int, int]
"""Key, line and offset of a row."""


def _records(keys: Sequence[RowKeys], bucket: int, heads: Container[int]) -> Iterator[_Record]:
    """Yield the rows in a bucket that have one of some prompts, in the order of the file."""
    for part in keys:
        before = part.lines_before
        for chunk in part.read(bucket):
            for index in [i for i, head in enumerate(heads_of(chunk)) if head in heads]:
                key, line, offset = chunk[3 * index : 3 * index + 3]
                yield key, line + before, offset


def _prompts(keys: Sequence[RowKeys], bucket: int) -> tuple[set[int], int]:
    """Return the prompts of a bucket that stand more than once, and how many rows it has."""
    seen: set[int] = set()
    repeated: set[int] = set()
    rows = 0
    for part in keys:
        for chunk in part.read(bucket):
            heads = heads_of(chunk)
            rows += len(heads)
            new = set(heads)
            if len(new) < len(heads):
                repeated.update(head for head, times in Counter(heads).items() if times > 1)
            repeated |= seen & new
            seen |= new
    return repeated, rows


def find_repeats(
    path: Path, keys: Sequence[RowKeys], *, keep: int, graded: bool = False
) -> Repeats:
    """Find rows that stand twice, and prompts that have several answers, in one file.

    Args:
        path: The file.
        keys: Keys of its parts, in the order of the file.
        keep: How many to keep in detail.
        graded: True for reinforcement rows, whose messages are all prompt.
    """
    found = Repeats(keep)
    reader = _Reader(path, graded=graded)
    try:
        for bucket in range(bucket_count(keys)):
            repeated, rows = _prompts(keys, bucket)
            turns = rows // _MOST_AT_ONCE + 1
            for turn in range(turns) if repeated else ():
                _Search(reader, found, turn, turns).run(_records(keys, bucket, repeated))
    finally:
        reader.close()
    return found


class _Search:
    """Goes once through the rows of a bucket.

    When a bucket is very large because a prompt stands in it very often, it is gone through
    several times, each time for another share of the rows, so that memory stays small.
    """

    def __init__(self, reader: _Reader, found: Repeats, turn: int, turns: int) -> None:
        self._reader = reader
        self._found = found
        self._turn = turn
        self._turns = turns
        self._rows: dict[int, list[_Place]] = {}
        self._prompts: dict[int, list[_Place]] = {}

    def run(self, records: Iterator[_Record]) -> None:
        """Look at rows whose prompts stand more than once."""
        for key, line, offset in records:
            same = self._same_row(key, line, offset) if key % self._turns == self._turn else True
            if self._turn == 0:
                self._same_prompt(key, line, offset, known_row=same and self._turns == 1)

    def _same_row(self, key: int, line: int, offset: int) -> bool:
        """Look for an equal row; return whether there is one."""
        reader = self._reader
        firsts = self._rows.setdefault(key, [])
        raw = reader.raw(offset)
        for other_line, other in firsts:
            if raw == reader.raw(other) or reader.split(offset)[:2] == reader.split(other)[:2]:
                self._found.add(Repeat(line, other_line, "rows.duplicate", offset))
                return True
        firsts.append((line, offset))
        reader.keep(offset)
        return False

    def _same_prompt(self, key: int, line: int, offset: int, *, known_row: bool) -> None:
        """Look for an equal prompt with another answer."""
        if known_row:
            return  # its first has been looked at
        reader = self._reader
        firsts = self._prompts.setdefault(key >> 32, [])
        if not firsts:
            firsts.append((line, offset))
            return
        asked, said, answer = reader.split(offset)
        for other_line, other in firsts:
            other_asked, other_said, other_answer = reader.split(other)
            if asked == other_asked:
                if asked and _contradict(said, other_said, answer, other_answer):
                    self._found.add(Repeat(line, other_line, "rows.conflict", offset, same=False))
                return
        firsts.append((line, offset))


def _contradict(said: str, other_said: str, answer: Any, other: Any) -> bool:
    """Say whether two answers to one prompt cannot both be right.

    Two pairs of outputs for the same input are usual; only the same pair the other way round is a
    contradiction.
    """
    if isinstance(answer, list) and isinstance(other, list) and len(answer) == len(other) == 2:
        return _canonical(answer[::-1]) == other_said
    return said != other_said


def find_overlaps(
    paths: tuple[Path, Path],
    training: Sequence[RowKeys],
    validation: Sequence[RowKeys],
    *,
    keep: int,
    graded: bool = False,
) -> Repeats:
    """Find rows of a validation file whose prompt, or all of it, stands in the training file.

    Both were sorted into the same number of buckets.

    Args:
        paths: Training and validation file.
        training: Keys of the training file.
        validation: Keys of the validation file.
        keep: How many to keep in detail.
        graded: True for reinforcement rows.
    """
    found = Repeats(keep)
    learned, held = _Reader(paths[0], graded=graded), _Reader(paths[1], graded=graded)
    try:
        for bucket in range(bucket_count(training, validation)):
            wanted = {h for part in validation for c in part.read(bucket) for h in heads_of(c)}
            rows: dict[int, list[_Place]] = {}
            prompts: dict[int, _Place] = {}
            for key, line, offset in _records(training, bucket, wanted):
                prompts.setdefault(key >> 32, (line, offset))
                rows.setdefault(key, []).append((line, offset))
            for key, line, offset in _records(validation, bucket, prompts):
                hit = _overlap(key, offset, learned, held, rows, prompts)
                if hit is not None:
                    found.add(Repeat(line, hit[0], "rows.overlap", offset, same=hit[1]))
    finally:
        learned.close()
        held.close()
    return found


def _overlap(
    key: int,
    offset: int,
    learned: _Reader,
    held: _Reader,
    rows: dict[int, list[_Place]],
    prompts: dict[int, _Place],
) -> tuple[int, bool] | None:
    """Return the line of the training row that a validation row repeats, and whether all of it."""
    if key >> 32 not in prompts:
        return None
    raw = held.raw(offset)
    asked, said, _ = held.split(offset)
    for line, other in rows.get(key, ()):
        if raw == learned.raw(other) or (asked, said) == learned.split(other)[:2]:
            return line, True
    line, other = prompts[key >> 32]
    return (line, False) if asked and asked == learned.split(other)[0] else None
