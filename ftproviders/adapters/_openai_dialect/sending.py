"""Reading a file while it is sent: piece by piece, hashed as it goes, in little memory."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import BinaryIO

from typing_extensions import Buffer, override

__all__ = ["Digests", "Window", "open_source"]


class Digests:
    """SHA-256 and MD5 of what was sent so far; a copy is a point to return to."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        # The Uploads API checks by MD5; nothing here relies on it for security.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size_bytes = 0

    def update(self, data: bytes) -> None:
        """Take in what was just sent."""
        self._sha256.update(data)
        self._md5.update(data)
        self.size_bytes += len(data)

    def copy(self) -> Digests:
        """Return the state as it is now."""
        copied = Digests()
        copied._sha256 = self._sha256.copy()
        copied._md5 = self._md5.copy()
        copied.size_bytes = self.size_bytes
        return copied

    @property
    def sha256(self) -> str:
        """SHA-256 so far, lower-case hexadecimal."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """MD5 so far, lower-case hexadecimal."""
        return self._md5.hexdigest()


class Window(io.RawIOBase):
    """A stretch of a file as a file of its own, hashed as it is read from its beginning.

    Args:
        source: The open file; the window does not close it.
        start: First byte.
        size_bytes: Length; fewer bytes come when the file has become shorter.
        before: Digests of everything before the window.
    """

    def __init__(
        self, source: BinaryIO, *, start: int, size_bytes: int, before: Digests | None = None
    ) -> None:
        super().__init__()
        self._source = source
        self._start = start
        self._size = size_bytes
        self._before = before or Digests()
        self._place = 0
        self.digests = self._before.copy()
        """Digests of everything up to what was read last."""

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._place

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._place))
        self._source.seek(self._start + self._place)
        data = self._source.read(wanted)
        if self._place == 0:
            self.digests = self._before.copy()
        self.digests.update(data)
        self._place += len(data)
        view[: len(data)] = data
        return len(data)


def open_source(path: Path) -> tuple[BinaryIO, int]:
    """Open a file for reading; return it and its present size in bytes."""
    # The caller closes it: an upload of many parts keeps it open in between.
    source = path.open("rb")
    return source, source.seek(0, io.SEEK_END)
