"""A file as a stream of blocks of whole lines, digested on the way, in constant memory.

What lives here: bytes, line ends, the digest. What does not: what a line means.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ftproviders.data.findings import show_file
from ftproviders.data.rules import MAX_ROW_BYTES
from ftproviders.errors import DatasetError

__all__ = ["BOM", "Block", "LineStream", "open_data_file"]

BOM = b"\xef\xbb\xbf"
"""UTF-8's byte order mark."""

_CHUNK_BYTES = 1024 * 1024
_PREFIX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines of a file, without their line feeds."""

    first_line: int
    """Number of the first line, from 1."""
    lines: list[bytes]
    too_long: bool = False
    """True for a block of one line that is longer than allowed, of which only the start is here."""


@dataclass(slots=True)
class _Tail:
    """An unfinished line: its pieces so far."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, piece: bytes, limit: int) -> None:
        """Add a piece; beyond `limit` bytes only the size is kept."""
        if piece and self.size <= limit:
            self.pieces.append(piece)
        self.size += len(piece)

    def take(self) -> bytes:
        """Return the line and start anew."""
        line = b"".join(self.pieces)
        self.pieces, self.size = [], 0
        return line


def open_data_file(path: Path) -> BinaryIO:
    """Open a data file for reading.

    Raises:
        DatasetError: It cannot be read at all.
    """
    if str(path) == "-":
        raise DatasetError(
            "Standard input cannot be read as a data file.",
            hint="Write it to a file first and give the file's name.",
        )
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DatasetError(
                f"{show_file(path)} is a folder, not a data file.",
                hint="Give the path of one .jsonl file in it.",
            )
        if not stat.S_ISREG(mode):
            raise DatasetError(
                f"{show_file(path)} is not a regular file.",
                hint="Write the data to a file first and give the file's name.",
            )
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DatasetError:
    if isinstance(error, FileNotFoundError):
        return DatasetError(
            f"The data file {show_file(path)} does not exist.",
            hint=f"Check the path; it was looked for in {Path.cwd()}."
            if not path.is_absolute()
            else "Check the path.",
        )
    if isinstance(error, PermissionError):
        return DatasetError(
            f"The data file {show_file(path)} may not be read.",
            hint=f"Give yourself permission: chmod u+r {show_file(path)}",
        )
    reason = getattr(error, "strerror", None) or str(error)
    return DatasetError(
        f"The data file {show_file(path)!r} cannot be read: {reason}.", hint="Check path and disk."
    )


class LineStream:
    """Reads an open file once, from its first byte to its last.

    Args:
        file: The open file.
        path: Its path, for errors.
        on_progress: Called with bytes read and bytes in all.

    Attributes:
        bytes: Bytes read so far.
        crlf_line: First line that ends with carriage return and line feed; 0 = none so far.
        ends_with_newline: Whether the last byte read was a line feed.
        had_bom: Whether the file began with a byte order mark, which is not part of the lines.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        path: Path,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._file = file
        self._path = path
        self._on_progress = on_progress
        self._total = os.fstat(file.fileno()).st_size
        self._digest = hashlib.sha256()
        self._line = 1
        self._tail = _Tail()
        self._ahead: bytes | None = None
        self.bytes = 0
        self.crlf_line = 0
        self.ends_with_newline = True
        self.had_bom = False

    @property
    def sha256(self) -> str:
        """Digest of the bytes read so far, lower-case hexadecimal."""
        return self._digest.hexdigest()

    def prefix(self) -> bytes:
        """Return the first bytes of the file, to see what it is; they stay part of the stream."""
        if self._ahead is None:
            self._ahead = self._read()
        return self._ahead[:_PREFIX_BYTES]

    @property
    def prefix_is_whole(self) -> bool:
        """Whether `prefix` shows the whole file."""
        return self._total <= _PREFIX_BYTES and self.bytes >= self._total

    def skip_to_end(self) -> None:
        """Read the rest for digest and size only."""
        self._ahead = None
        while self._read():
            pass

    def blocks(self) -> Iterator[Block]:
        """Yield the lines of the file, block by block."""
        chunk = self._read() if self._ahead is None else self._ahead
        self._ahead = None
        if chunk.startswith(BOM):
            self.had_bom = True
            chunk = chunk[len(BOM) :]
        while chunk:
            yield from self._split(chunk)
            chunk = self._read()
        if self._tail.size:
            yield self._finish_line()

    def _read(self) -> bytes:
        try:
            chunk = self._file.read(_CHUNK_BYTES)
        except OSError as error:
            raise _unreadable(self._path, error) from error
        if chunk:
            self._digest.update(chunk)
            self.bytes += len(chunk)
            self.ends_with_newline = chunk.endswith(b"\n")
            if self._on_progress is not None:
                self._on_progress(self.bytes, max(self._total, self.bytes))
        return chunk

    def _split(self, chunk: bytes) -> Iterator[Block]:
        """Cut a chunk into the line that it completes, whole lines, and an unfinished one."""
        lines = chunk.split(b"\n")
        self._tail.add(lines[0], MAX_ROW_BYTES)
        if len(lines) == 1:
            return
        yield self._finish_line()
        rest = lines.pop()
        del lines[0]
        if lines:
            first = self._line
            self._line += len(lines)
            self._note_crlf(first, lines)
            yield Block(first, lines)
        self._tail.add(rest, MAX_ROW_BYTES)

    def _finish_line(self) -> Block:
        too_long = self._tail.size > MAX_ROW_BYTES
        line = self._tail.take()
        number = self._line
        self._line += 1
        if too_long:
            return Block(number, [line[:80]], too_long=True)
        self._note_crlf(number, [line])
        return Block(number, [line])

    def _note_crlf(self, first: int, lines: list[bytes]) -> None:
        if not self.crlf_line:
            for index, line in enumerate(lines):
                if line.endswith(b"\r"):
                    self.crlf_line = first + index
                    return
