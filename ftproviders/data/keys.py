"""Short keys of rows: equal rows have equal keys, whatever the order of their keys in JSON.

A key is 64 bits: a checksum of samples of the prompt's texts and of their lengths, and the length
of the answer. To read every byte for it would cost as much as decoding the row. Unequal rows may
share a key; whoever finds equal keys reads the rows again (``repeats``).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, repeat
from operator import itemgetter, lshift, or_
from pathlib import Path
from typing import Any, cast
from zlib import crc32

from ftproviders.data.native import native

__all__ = [
    "RowKeys",
    "bucket_count",
    "heads_of",
    "key_of_row",
    "key_of_texts",
    "keys_of_prompts",
    "sampling",
    "separator",
    "split_row",
]

_MOST_IN_MEMORY = 150_000  # rows, 24 bytes each
_LONG = 1024  # characters; of longer prompts a part makes the key
_STEP = 16  # every such character
_EDGE = 256  # and all of the first and last ones, where most prompts differ


def sampling() -> tuple[int, int, int]:
    """Return from how many characters up prompts are sampled, the step, and the edges."""
    return _LONG, _STEP, _EDGE


class RowKeys:
    """Keys with line and place of their rows, in the order of the file.

    Few of them stay in memory. Many go to a file, sorted into buckets so that each bucket can be
    looked at by itself; equal prompts are always in the same bucket. Whoever reads several
    instances bucket by bucket either finds all of them `in_memory` or calls `spill` of each.

    Args:
        buckets: How many; 1 keeps everything in memory.
        folder: Where the file is written.
        tag: First part of its name.
    """

    def __init__(self, buckets: int = 1, *, folder: Path | None = None, tag: str = "keys") -> None:
        self.buckets = buckets if folder else 1
        self.lines_before = 0
        """Lines of the file before the part that these keys are of."""
        self.folder = folder
        """Where the file is written, if one is."""
        self._tag = tag
        self._spilled: list[array[int]] = []
        """Rows in each bucket, for each time that some were written."""
        self._records = array("Q")
        """Key, line and place of each row, one after the other."""

    def add_many(
        self, keys: Sequence[int | None], lines: Iterable[int], offsets: Iterable[int]
    ) -> None:
        """Remember rows: key, line number, and the bytes of the file before each.

        Args:
            keys: The keys; None for a line that is no row.
            lines: As many line numbers.
            offsets: As many places.
        """
        if None in keys:
            there = [key is not None for key in keys]
            lines, offsets = compress(lines, there), compress(offsets, there)
            keys = [key for key in keys if key is not None]
        columns = (array("Q", column) for column in (cast("list[int]", keys), lines, offsets))
        self.add_records(_interleaved(*columns).tobytes())

    def add_records(self, records: bytes) -> None:
        """Remember rows as records: key, line number and place, 64 bits each."""
        self._records.frombytes(records)
        if len(self._records) > 3 * _MOST_IN_MEMORY:
            self.spill()

    @property
    def in_memory(self) -> int | None:
        """Number of rows, while all of them are in memory; None once some were written."""
        return None if self._spilled else len(self._records) // 3

    def spill(self) -> None:
        """Write what is in memory to the file, by buckets; without buckets it stays."""
        if self.buckets == 1 or not self._records:
            return
        module = native()
        sort = module.spread if module else _spread
        records, sizes = sort(self._records, self.buckets)
        self._spilled.append(array("Q", sizes))
        with self._file.open("ab") as file:
            file.write(records)
        self._records = array("Q")

    def size(self, bucket: int) -> int:
        """Return the number of rows in a bucket; of all rows when none were written."""
        if not self._spilled:
            return len(self._records) // 3
        return sum(sizes[bucket] for sizes in self._spilled)

    def read(self, bucket: int) -> Iterator[array[int]]:
        """Yield the records of one bucket, some at a time; of all rows when none were written."""
        if not self._spilled:
            if self._records:
                yield self._records
            return
        begun = 0
        with self._file.open("rb") as file:
            for sizes in self._spilled:
                file.seek(_RECORD_BYTES * (begun + sum(sizes[:bucket])))
                left = _RECORD_BYTES * sizes[bucket]
                while chunk := file.read(min(left, _READ_BYTES)):
                    left -= len(chunk)
                    yield array("Q", chunk)
                begun += sum(sizes)

    @property
    def _file(self) -> Path:
        return Path(self.folder or ".") / f"{self._tag}-keys"


_RECORD_BYTES = 24
_READ_BYTES = _RECORD_BYTES * 16_384


def _spread(records: array[int], buckets: int) -> tuple[bytes, bytes]:
    """Return the records bucket by bucket, and how many there are in each."""
    columns = [records[at::3] for at in range(3)]
    parts: list[list[int]] = [[] for _ in range(buckets)]
    put = [part.append for part in parts]
    for index, key in enumerate(columns[0]):
        put[(key >> 32) % buckets](index)
    sizes = array("Q", [len(part) for part in parts])
    return _chosen(columns, list(chain.from_iterable(parts))).tobytes(), sizes.tobytes()


def _chosen(columns: Sequence[array[int]], indexes: Sequence[int]) -> array[int]:
    """Return the records of some rows."""
    chosen = itemgetter(*indexes, 0)  # with one more there are always several
    return _interleaved(*(array("Q", chosen(column)[:-1]) for column in columns))


def _interleaved(keys: array[int], lines: array[int], offsets: array[int]) -> array[int]:
    records = array("Q", bytes(24 * len(keys)))
    records[0::3], records[1::3], records[2::3] = keys, lines, offsets
    return records


def bucket_count(*files: Sequence[RowKeys]) -> int:
    """Return how many buckets of some files there are to read; one when there are few rows."""
    parts = [part for keys in files for part in keys]
    held = [part.in_memory for part in parts]
    if None not in held and sum(rows or 0 for rows in held) <= _MOST_IN_MEMORY:
        return 1
    for part in parts:
        part.spill()
    return max((part.buckets for part in parts), default=0)


def heads_of(records: array[int]) -> array[int]:
    """Return the checksums of the prompts, the upper halves of the keys, of some records."""
    halves = array("I", records[0::3].tobytes())
    return halves[1::2] if sys.byteorder == "little" else halves[0::2]


def separator(role: str) -> str:
    """Return what stands between texts in what a key is made of: what most files have there."""
    return f'"}}, {{"role": "{role}", "content": "'


def keys_of_prompts(prompts: Sequence[str], answer_sizes: Iterable[int]) -> list[int]:
    """Return the keys of rows in each of which something is asked.

    Args:
        prompts: The prompts' texts, with separators.
        answer_sizes: Characters of the answers.
    """
    sizes = list(map(len, prompts))
    parts = prompts
    if max(sizes) >= _LONG:
        parts = [_samples(prompt) if len(prompt) >= _LONG else prompt for prompt in prompts]
    heads = map(crc32, map(str.encode, parts), sizes)
    return list(map(or_, map(lshift, heads, repeat(32)), answer_sizes))


def key_of_texts(texts: Sequence[str], roles: Sequence[str], *, graded: bool = False) -> int:
    """Return the key of a row of at least one text.

    Args:
        texts: The texts; the last one is the answer.
        roles: Who says each of them.
        graded: True when all of them are prompt.
    """
    asked, said = (texts, 0) if graded else (texts[:-1], len(texts[-1]))
    if not any(asked):  # nothing is asked, as good as always
        return 0 if graded else _head(texts[-1]) << 32
    later = zip(roles[1:], asked[1:], strict=False)
    return _head(asked[0] + "".join([separator(r) + text for r, text in later])) << 32 | said


def _samples(text: str) -> str:
    """Return what of a long prompt is part of the key."""
    return text[:_EDGE] + text[_EDGE:-_EDGE:_STEP] + text[-_EDGE:]


def _head(text: str) -> int:
    size = len(text)
    part = text if size < _LONG else _samples(text)
    return crc32(part.encode("utf-8", "surrogatepass"), size)


def key_of_row(row: object, texts: Sequence[str], *, graded: bool = False) -> int | None:
    """Return the key of a decoded row; None for what is no row.

    Args:
        row: The decoded row.
        texts: The text of each of its messages.
        graded: True for reinforcement rows, whose messages are all prompt.
    """
    if not isinstance(row, dict):
        return None
    messages = row.get("messages")
    if isinstance(messages, list) and messages:
        return key_of_texts(texts, list(map(_role, messages)), graded=graded)
    prompt, answer = split_row(row)
    if prompt is None and answer is None:
        return None
    return key_of_texts([_all_text(prompt), _all_text(answer)], "")


def _role(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""


def split_row(row: dict[str, Any], *, graded: bool = False) -> tuple[Any, Any]:
    """Split a row into what is asked and what is answered; (None, None) for an unknown shape."""
    messages = row.get("messages")
    if isinstance(messages, list) and messages:
        if graded:
            asked = {key: row[key] for key in row if key in ("messages", "tools")}
            return asked, {key: row[key] for key in row if key not in asked}
        if len(messages) == 1:
            return None, row
        return {**row, "messages": messages[:-1]}, messages[-1]
    if "input" in row and "preferred_output" in row:
        return row["input"], [row["preferred_output"], row.get("non_preferred_output")]
    if "chosen" in row and "rejected" in row:
        return row.get("prompt"), [row["chosen"], row["rejected"]]
    if "prompt" in row and "completion" in row:
        return row["prompt"], row["completion"]
    return (None, row["text"]) if "text" in row else (None, None)


def _all_text(value: object) -> str:
    """Join the strings of a value so that the order of keys does not matter."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(_all_text(value[key]) for key in sorted(value))
    return "".join(map(_all_text, value)) if isinstance(value, list) else ""
