"""A file as a stream of blocks of whole lines, digested on the way, in constant memory.

What lives here: bytes, line ends, the digest. What does not: what a line means.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from ftproviders.data.findings import show_file
from ftproviders.data.rules import MAX_ROW_BYTES
from ftproviders.errors import DatasetError

__all__ = ["BOM", "Block", "Digest", "LineStream", "open_data_file"]

BOM = b"\xef\xbb\xbf"
"""UTF-8's byte order mark."""

_CHUNK_BYTES = 512 * 1024  # of twice as much the allocator gives the pages back each time
_BLOCK_BYTES = 64 * 1024  # what is made of a block stays in the cache of a core
_THREAD_BYTES = 8 * 1024 * 1024
_PREFIX_BYTES = 256 * 1024
_MOST_PENDING = 4


class Block:
    """Consecutive whole lines of a file.

    Attributes:
        first_line: Number of the first line, from 1.
        raw: The lines with their line feeds; empty for a block made of `lines`.
        offset: Bytes of the file before the block.
        too_long: True for a block of one line that is longer than allowed, of which only the start
            is here.
        blank: Numbers of lines that hold nothing, from whoever looked at all of them.
        crlf_line: First line that ends with carriage return and line feed, 0 = none, from whoever
            looked at all of them; None = nobody did.
    """

    __slots__ = (
        "_count",
        "_ended",
        "_lines",
        "blank",
        "crlf_line",
        "first_line",
        "offset",
        "raw",
        "too_long",
    )

    def __init__(
        self,
        first_line: int,
        lines: list[bytes] | None = None,
        *,
        raw: bytes = b"",
        offset: int = 0,
        too_long: bool = False,
    ) -> None:
        self.first_line = first_line
        self.raw = raw
        self.offset = offset
        self.too_long = too_long
        self._lines = lines
        self._ended = lines
        self._count: int | None = None
        self.blank: list[int] = []
        self.crlf_line: int | None = None

    @property
    def lines(self) -> list[bytes]:
        """The lines without their line feeds."""
        if self._lines is None:
            self._lines = list(map(bytes.removesuffix, self.ended, repeat(b"\n")))
        return self._lines

    @property
    def ended(self) -> list[bytes]:
        """The lines with their line feeds, where the block has them."""
        if self._ended is None:
            # Several times as fast as to split the bytes.
            self._ended = BytesIO(self.raw).readlines()
        return self._ended

    @property
    def line_count(self) -> int:
        """Number of lines; whoever counted them on his way says so."""
        return len(self.ended) if self._count is None else self._count

    @line_count.setter
    def line_count(self, count: int) -> None:
        self._count = count


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


class Digest:
    """SHA-256 of a stream, worked out beside whatever else is done with it.

    Args:
        in_thread: Whether to use a thread; it costs too much for small files. OpenSSL lets other
            threads run meanwhile.
    """

    def __init__(self, *, in_thread: bool) -> None:
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1) if in_thread else None
        self._pending: deque[Future[None]] = deque()

    def update(self, chunk: bytes) -> None:
        """Add the next bytes."""
        if self._thread is None:
            self._hash.update(chunk)
            return
        self._settle(_MOST_PENDING)
        self._pending.append(self._thread.submit(self._hash.update, chunk))

    def _settle(self, left: int = 0) -> None:
        """Wait until no more than `left` chunks wait.

        The thread gets to run only when the interpreter lets it; with one chunk at a time whoever
        reads would wait for each of them.
        """
        while len(self._pending) > left:
            self._pending.popleft().result()

    def hexdigest(self) -> str:
        """Return the digest of everything so far, lower-case hexadecimal."""
        self._settle()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()


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
                hint="Write the data to a file first and give the file's name, or pipe them: "
                "... | ftproviders validate -",
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
        part: First byte and number of bytes of a part that begins with a line; default everything.
        digest: Whether the SHA-256 is wanted.

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
        part: tuple[int, int] | None = None,
        digest: bool = True,
    ) -> None:
        self._file = file
        self._path = path
        self._on_progress = on_progress
        self._total = os.fstat(file.fileno()).st_size
        self._left = self._total if part is None else part[1]
        self._is_part = part is not None
        self._digest = Digest(in_thread=self._total >= _THREAD_BYTES) if digest else None
        self._line = 1
        self._offset = 0 if part is None else part[0]
        if self._offset:
            file.seek(self._offset)
        self._tail = _Tail()
        self._ahead: bytes | None = None
        self.bytes = 0
        self.crlf_line = 0
        self.ends_with_newline = True
        self.had_bom = False

    @property
    def sha256(self) -> str:
        """Digest of the bytes read so far, lower-case hexadecimal."""
        return self._digest.hexdigest() if self._digest else ""

    @property
    def lines(self) -> int:
        """Lines given out so far."""
        return self._line - 1

    def prefix(self) -> bytes:
        """Return the first bytes of the file, to see what it is; they stay part of the stream."""
        if self._ahead is None:
            self._ahead = self._read()
        return self._ahead[:_PREFIX_BYTES]

    @property
    def prefix_is_whole(self) -> bool:
        """Whether `prefix` shows the whole file."""
        return self._total <= _PREFIX_BYTES and self.bytes >= self._total

    def close(self) -> None:
        """End what runs beside the reading; the file itself belongs to the caller."""
        if self._digest is not None:
            self._digest.close()

    def skip_to_end(self) -> None:
        """Read the rest for digest and size only."""
        self._ahead = None
        while self._read():
            pass

    def blocks(self, *, large: bool = False) -> Iterator[Block]:
        """Yield the lines of the file, block by block.

        Args:
            large: Blocks of half a MiB, for those to whom each block costs something.
        """
        chunk = self._read() if self._ahead is None else self._ahead
        self._ahead = None
        if not self._offset and chunk.startswith(BOM):
            self.had_bom = True
            chunk = chunk[len(BOM) :]
            self._offset = len(BOM)
        while chunk:
            yield from self._split(chunk, _CHUNK_BYTES if large else _BLOCK_BYTES)
            chunk = self._read()
        if self._tail.size:
            yield from self._finish_line()

    def _read(self) -> bytes:
        try:
            wanted = min(_CHUNK_BYTES, self._left) if self._is_part else _CHUNK_BYTES
            chunk = self._file.read(wanted)
        except OSError as error:
            raise _unreadable(self._path, error) from error
        self._left -= len(chunk)
        if chunk:
            if self._digest is not None:
                self._digest.update(chunk)
            self.bytes += len(chunk)
            self.ends_with_newline = chunk.endswith(b"\n")
            if self._on_progress is not None:
                self._on_progress(self.bytes, max(self._total, self.bytes))
        return chunk

    def _split(self, chunk: bytes, block_bytes: int) -> Iterator[Block]:
        """Cut a chunk into blocks of whole lines; what is left belongs to the next chunk."""
        start = 0
        if self._tail.size > min(_BLOCK_BYTES, MAX_ROW_BYTES):
            start = chunk.find(b"\n") + 1
            self._tail.add(chunk[: start - 1] if start else chunk, MAX_ROW_BYTES)
            if not start:
                return
            yield from self._finish_line(ended=True)
        while True:
            end = chunk.rfind(b"\n", start, start + block_bytes) + 1
            end = end or chunk.find(b"\n", start) + 1
            if not end:
                break
            # Joined from a view, the bytes are copied once.
            raw = b"".join((self._tail.take(), memoryview(chunk)[start:end]))
            yield from self._whole_lines(raw)
            start = end
        self._tail.add(chunk[start:], MAX_ROW_BYTES)

    def _whole_lines(self, raw: bytes) -> Iterator[Block]:
        """Yield whole lines as one block, apart from a first line that is too long."""
        first = raw.find(b"\n")
        if first > MAX_ROW_BYTES:
            self._tail.add(raw[:first], MAX_ROW_BYTES)
            yield from self._finish_line(ended=True)
            raw = raw[first + 1 :]
        if raw:
            yield from self._emit(Block(self._line, raw=raw, offset=self._offset), len(raw))

    def _finish_line(self, *, ended: bool = False) -> Iterator[Block]:
        size = self._tail.size
        line = self._tail.take()
        if size > MAX_ROW_BYTES:
            block = Block(self._line, [line[:80]], offset=self._offset, too_long=True)
        else:
            block = Block(self._line, [line], offset=self._offset)
        yield from self._emit(block, size + ended)

    def _emit(self, block: Block, size: int) -> Iterator[Block]:
        yield block
        if not self.crlf_line and not block.too_long:
            self.crlf_line = _crlf_line(block)
        self._line += block.line_count
        self._offset += size


def _crlf_line(block: Block) -> int:
    """Return the first line that ends with carriage return and line feed; 0 = there is none."""
    if block.crlf_line is None and (not block.raw or b"\r" in block.raw):
        for number, line in enumerate(block.lines, block.first_line):
            if line.endswith(b"\r"):
                return number
    return block.crlf_line or 0
