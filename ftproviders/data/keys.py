"""Short keys of rows: equal rows have equal keys, whatever the order of their keys in JSON.

A key is 64 bits: a checksum of the prompt's texts, and one that goes on over the answer. Unequal
rows may share one; whoever finds equal keys reads the rows again (``repeats``).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from ftproviders.data.statistics import message_text

__all__ = ["RowKeys", "key_of_row", "key_of_texts", "split_row"]


class RowKeys:
    """Keys with line and place of their rows, in the order of the file.

    Few of them stay in memory. Many go to a folder, sorted into buckets so that each bucket can be
    looked at by itself; equal prompts are always in the same bucket.

    Args:
        buckets: How many; 1 keeps everything in memory.
        folder: Where buckets are written.
        tag: First part of the files' names.
    """

    def __init__(self, buckets: int = 1, *, folder: Path | None = None, tag: str = "keys") -> None:
        self.buckets = buckets if folder else 1
        self.lines_before = 0
        """Lines of the file before the part that these keys are of."""
        self._folder = folder
        self._tag = tag
        self._records = array("Q")

    def add(self, key: int, line: int, offset: int) -> None:
        """Remember one row: its key, line number, and the bytes of the file before it."""
        self._records.extend((key, line, offset))
        if len(self._records) > _MOST_IN_MEMORY:
            self.spill()

    def add_many(self, keys: list[int], lines: Iterable[int], offsets: Iterable[int]) -> None:
        """Remember rows."""
        added = array("Q", bytes(24 * len(keys)))
        added[0::3] = array("Q", keys)
        added[1::3] = array("Q", lines)
        added[2::3] = array("Q", offsets)
        self._records.extend(added)
        if len(self._records) > _MOST_IN_MEMORY:
            self.spill()

    def spill(self) -> None:
        """Write what is in memory to the buckets; without buckets it stays."""
        if self.buckets == 1 or not self._records:
            return
        parts = [array("Q") for _ in range(self.buckets)]
        flat = iter(self._records)
        for record in zip(flat, flat, flat, strict=True):
            parts[(record[0] >> 32) % self.buckets].extend(record)
        for number, part in enumerate(parts):
            if part:
                with self._file(number).open("ab") as file:
                    part.tofile(file)
        self._records = array("Q")

    def read(self, bucket: int) -> Iterator[array[int]]:
        """Yield the records of one bucket, some at a time; `spill` comes first."""
        if self.buckets == 1:
            if self._records:
                yield self._records
            return
        try:
            file = self._file(bucket).open("rb")
        except FileNotFoundError:
            return
        with file:
            while chunk := file.read(_READ_BYTES):
                yield array("Q", chunk)

    def _file(self, bucket: int) -> Path:
        return Path(self._folder or ".") / f"{self._tag}-{bucket}"


_MOST_IN_MEMORY = 3 * 100_000
_READ_BYTES = 24 * 16_384


def key_of_texts(prompt: str, answer: str) -> int:
    """Return the key of a row whose texts are known."""
    asked = prompt.encode("utf-8", "surrogatepass")
    said = answer.encode("utf-8", "surrogatepass")
    if not asked:
        return crc32(said) << 32
    head = crc32(asked)
    return head << 32 | crc32(said, head)


def key_of_row(row: object, *, graded: bool = False) -> int | None:
    """Return the key of a decoded row; None for what is no row.

    Args:
        row: The decoded row.
        graded: True for reinforcement rows, whose messages are all prompt.
    """
    if not isinstance(row, dict):
        return None
    messages = row.get("messages")
    if isinstance(messages, list) and messages:
        texts = [_texts_of(message) for message in messages]
        if graded:
            return crc32("".join(texts).encode("utf-8", "surrogatepass")) << 32
        return key_of_texts("".join(texts[:-1]), texts[-1])
    prompt, answer = split_row(row)
    if prompt is None and answer is None:
        return None
    return key_of_texts(_all_text(prompt), _all_text(answer))


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


def _texts_of(message: object) -> str:
    return message_text(message) if isinstance(message, dict) else ""


def _all_text(value: object) -> str:
    """Join the strings of a value so that the order of keys does not matter."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(_all_text(value[key]) for key in sorted(value))
    return "".join(map(_all_text, value)) if isinstance(value, list) else ""
