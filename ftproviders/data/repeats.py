"""Rows that stand twice, or contradict each other, in one file or in two: exact, in little memory.

Equal keys only say where to look. The rows are read again and compared, so nothing is reported
because two checksums are equal; and rows that are equal always have equal keys.
"""

from __future__ import annotations

import heapq
import struct
from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ftproviders.data.canonical import RowReader, canonical_part, digest
from ftproviders.data.keys import RowKeys, bucket_count, heads_of
from ftproviders.data.native import native
from ftproviders.data.threads import ahead

__all__ = ["Repeat", "Repeats", "find_overlaps", "find_repeats"]

_MOST_AT_ONCE = 40_000
"""Rows with prompts that stand more than once, of a bucket, that are compared in memory."""
_MOST_HELD = 200_000
"""Rows of a bucket that are compared in memory, for each of the threads that do so."""


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


_Place = tuple[int, int]
"""Line and offset."""

_Group = _Place | dict[bytes, _Place]
"""Rows that share a key: the only one so far, or the first one of each digest. Many rows do where
the texts are the same and something else is not, in a file of images for instance."""


_Answer = tuple[bytes, bool]
"""Digest of an answer, and whether it is a pair of outputs."""

_Record = tuple[int, int, int]
"""Key, line and offset of a row."""

_RECORD = struct.Struct("=QQQ")


def _records(keys: Sequence[RowKeys], bucket: int, heads: Container[int]) -> Iterator[_Record]:
    """Yield the rows in a bucket that have one of some prompts, in the order of the file."""
    for part in keys:
        before = part.lines_before
        for chunk in part.read(bucket):
            for index in [i for i, head in enumerate(heads_of(chunk)) if head in heads]:
                key, line, offset = chunk[3 * index : 3 * index + 3]
                yield key, line + before, offset


def _again(keys: Sequence[RowKeys], bucket: int) -> tuple[int, Callable[[], Iterator[_Record]]]:
    """Return what yields the rows in a bucket whose prompts stand more than once.

    Before it their number; where it was not counted that of all rows.
    """
    rows = sum(part.size(bucket) for part in keys)
    module = native()
    if module and rows <= _MOST_HELD:
        found = module.repeated(
            [(chunk, part.lines_before) for part in keys for chunk in part.read(bucket)]
        )
        return len(found) // _RECORD.size, lambda: _RECORD.iter_unpack(found)
    seen: set[int] = set()
    repeated: set[int] = set()
    for part in keys:
        for chunk in part.read(bucket):
            heads = heads_of(chunk)
            new = set(heads)
            if len(new) < len(heads):
                repeated.update(head for head, times in Counter(heads).items() if times > 1)
            repeated |= seen & new
            seen |= new
    return rows, lambda: _records(keys, bucket, repeated)


def find_repeats(
    path: Path, keys: Sequence[RowKeys], *, keep: int, graded: bool = False, threads: int = 1
) -> Repeats:
    """Find rows that stand twice, and prompts that have several answers, in one file.

    Args:
        path: The file.
        keys: Keys of its parts, in the order of the file.
        keep: How many to keep in detail.
        graded: True for reinforcement rows, whose messages are all prompt.
        threads: How many go through the keys; one compares rows.
    """
    found = Repeats(keep)
    reader = RowReader(path, graded=graded)
    try:
        buckets = ahead(partial(_again, keys), bucket_count(keys), threads)
        for number, (rows, again) in enumerate(buckets):
            if rows < _MOST_AT_ONCE:
                _Search(reader, found).run(again())
            else:
                _Crowd(rows, keys[0].folder, f"again{number}").search(reader, found, again())
    finally:
        reader.close()
    return found


class _Crowd:
    """Very many rows of a bucket that may be equal: where a prompt stands very often, say.

    Their digests go to files as keys do, of rows and of prompts, and are gone through bucket by
    bucket, so that memory stays small; a byte for each row says whether an equal one stands before.

    Args:
        rows: How many there are, or more.
        folder: Where the files are written; None = they stay in memory.
        tag: First part of their names.
    """

    def __init__(self, rows: int, folder: Path | None, tag: str) -> None:
        buckets = rows // max(_MOST_AT_ONCE // 2, 1) + 1
        self._wholes = RowKeys(buckets, folder=folder, tag=f"{tag}-wholes")
        self._prompts = RowKeys(buckets, folder=folder, tag=f"{tag}-prompts")
        self._known = bytearray(rows)

    def search(self, reader: RowReader, found: Repeats, records: Iterator[_Record]) -> None:
        """Compare the rows with those before them."""
        self._digest(reader, records)
        for search, key, index, line, offset in self._each(self._wholes, reader, found):
            self._known[index] = search.same_row(key, line, offset)
        for search, key, index, line, offset in self._each(self._prompts, reader, found):
            if not self._known[index]:
                search.same_prompt(key, line, offset)

    def _digest(self, reader: RowReader, records: Iterator[_Record]) -> None:
        index = 0
        while some := list(islice(records, _DIGESTED_AT_ONCE)):
            wholes, prompts = [], []
            for key, _, offset in some:
                whole, asked = reader.digests(offset)
                # Prompts with nothing in them are apart by their answers, as their keys are.
                prompts.append(_number(digest(asked, b"%d" % (key >> 32))))
                wholes.append(_number(whole))
            # Index and line of a row share a number.
            lines = [number << 32 | line for number, (_, line, _) in enumerate(some, index)]
            offsets = [offset for _, _, offset in some]
            self._wholes.add_many(wholes, lines, offsets)
            self._prompts.add_many(prompts, lines, offsets)
            index += len(some)
        self._wholes.spill()
        self._prompts.spill()

    def _each(
        self, keys: RowKeys, reader: RowReader, found: Repeats
    ) -> Iterator[tuple[_Search, int, int, int, int]]:
        """Yield the rows whose digests may stand more than once: key, index, line and offset."""
        for bucket in range(bucket_count([keys])):
            search = _Search(reader, found)
            for key, number, offset in _again([keys], bucket)[1]():
                yield search, key, number >> 32, number & 0xFFFFFFFF, offset


def _number(digested: bytes) -> int:
    return int.from_bytes(digested[:8], "big")


_DIGESTED_AT_ONCE = 4_096


class _Search:
    """Compares the rows of a bucket with those before them."""

    def __init__(self, reader: RowReader, found: Repeats) -> None:
        self._reader = reader
        self._found = found
        self._rows: dict[int, _Group] = {}
        self._prompts: dict[int, _Group] = {}
        self._answers: dict[int, _Answer] = {}

    def run(self, records: Iterator[_Record]) -> None:
        """Look at rows whose prompts stand more than once."""
        for key, line, offset in records:
            if not self.same_row(key, line, offset):  # otherwise its first has been looked at
                self.same_prompt(key, line, offset)

    def same_row(self, key: int, line: int, offset: int) -> bool:
        """Look for an equal row; return whether there is one."""
        reader, place = self._reader, (line, offset)
        group = self._rows.setdefault(key, place)
        if group is place:
            reader.keep(offset)
            return False
        if isinstance(group, tuple) and reader.raw(offset) == reader.raw(group[1]):
            first = group
        else:
            group = self._rows[key] = self._by_digest(group, 0)
            first = group.setdefault(reader.digests(offset)[0], place)
        if first is not place:
            self._found.add(Repeat(line, first[0], "rows.duplicate", offset))
        return first is not place

    def _by_digest(self, group: _Group, which: int) -> dict[bytes, _Place]:
        """Return a group that knows its rows (`which` 0) or prompts (1) by their digests."""
        if isinstance(group, dict):
            return group
        return {self._reader.digests(group[1])[which]: group}

    def same_prompt(self, key: int, line: int, offset: int) -> None:
        """Look for an equal prompt with another answer."""
        reader, place = self._reader, (line, offset)
        group = self._prompts.setdefault(key >> 32, place)
        if group is place:
            return
        group = self._prompts[key >> 32] = self._by_digest(group, 1)
        asked, said, answer = reader.split(offset)
        first = group.setdefault(digest(asked), place)
        if first is place or not asked:
            return
        if _contradict(said, answer, self._answered(first[1])):
            self._found.add(Repeat(line, first[0], "rows.conflict", offset, same=False))

    def _answered(self, offset: int) -> _Answer:
        """Return the answer of a first row; that may be long, and many rows come after it."""
        known = self._answers.get(offset)
        if known is None:
            _, said, answer = self._reader.split(offset)
            known = self._answers[offset] = digest(_words(said, answer)), _is_pair(answer)
        return known


def _is_pair(answer: object) -> bool:
    return isinstance(answer, list) and len(answer) == 2


def _words(said: bytes, answer: Any) -> bytes:
    """Return an answer as canonical text; whether it is trained on makes no other one of it."""
    if isinstance(answer, dict) and "weight" in answer:
        return canonical_part({key: answer[key] for key in answer if key != "weight"})
    return said


def _contradict(said: bytes, answer: Any, other: _Answer) -> bool:
    """Say whether two answers to one prompt cannot both be right.

    Two pairs of outputs for the same input are usual; only the same pair the other way round is a
    contradiction.
    """
    other_digest, is_pair = other
    if is_pair and _is_pair(answer):
        return digest(canonical_part(answer[::-1])) == other_digest
    return digest(_words(said, answer)) != other_digest


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
    learned, held = RowReader(paths[0], graded=graded), RowReader(paths[1], graded=graded)
    try:
        for bucket in range(bucket_count(training, validation)):
            wanted = _Wanted(learned, validation, bucket)
            for record in _records(training, bucket, wanted.heads):
                wanted.add(*record)
            for key, line, offset in _records(validation, bucket, wanted.rows):
                other_line, same = wanted.find(key, held.digests(offset))
                if other_line:
                    found.add(Repeat(line, other_line, "rows.overlap", offset, same=same))
    finally:
        learned.close()
        held.close()
    return found


class _Wanted:
    """The training rows whose prompts may stand in the validation file, in one bucket.

    Args:
        learned: The training file.
        validation: Keys of the validation file.
        bucket: The bucket.
    """

    def __init__(self, learned: RowReader, validation: Sequence[RowKeys], bucket: int) -> None:
        self._learned = learned
        self.heads: set[int] = set()
        """Checksums of the prompts of the validation file."""
        self.rows: dict[int, array[int]] = {}
        """Those of the training file among them -> line and place of each row that has it."""
        self._keys: set[int] = set()
        for part in validation:
            for chunk in part.read(bucket):
                self._keys.update(chunk[0::3])
                self.heads.update(heads_of(chunk))
        self._known: dict[int, dict[bytes, int]] = {}
        """Checksum -> line of the first training row of each digest."""

    def add(self, key: int, line: int, offset: int) -> None:
        """Remember a training row."""
        rows = self.rows.setdefault(key >> 32, array("Q"))
        # Only what may be a row of the validation file matters as a whole; the others by prompt.
        rows.extend((line << 1 | (key in self._keys), offset))

    def find(self, key: int, digests: tuple[bytes, bytes]) -> tuple[int, bool]:
        """Return the line of the training row that has all of it, or else its prompt; 0 = none."""
        known = self._known.get(key >> 32)
        if known is None:
            known = self._known[key >> 32] = self._digested(self.rows[key >> 32])
        whole, asked = digests
        return (known[whole], True) if whole in known else (known.get(asked, 0), False)

    def _digested(self, rows: array[int]) -> dict[bytes, int]:
        known: dict[bytes, int] = {}
        for line, offset in zip(rows[0::2], rows[1::2], strict=True):
            whole, asked = self._learned.digests(offset)
            if line & 1:
                known.setdefault(whole, line >> 1)
            if asked != _NOTHING_ASKED:
                known.setdefault(asked, line >> 1)
        return known


_NOTHING_ASKED = digest(b"")
