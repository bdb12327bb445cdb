"""Rows and their parts as canonical text: equal ones look equal, however they are written."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from ftproviders.data.keys import split_row
from ftproviders.data.numbers import COMPARABLE
from ftproviders.data.stream import BOM

__all__ = ["RowReader", "canonical_part", "digest", "read_canonical"]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="deterministic").encode
_check = json.JSONEncoder(allow_nan=False).encode
_encode_odd = json.JSONEncoder(sort_keys=True).encode


def read_canonical(line: bytes) -> tuple[Any, Callable[[Any], bytes]]:
    """Return a row, and what writes a part of it as canonical text."""
    try:
        return _decode(line), _canonical
    except (ValueError, OverflowError, RecursionError):
        # NaN, half a surrogate pair or an absurdly long number is somewhere in the row.
        return COMPARABLE.decode(line.decode("utf-8", "surrogatepass")), canonical_part


def _canonical(value: Any) -> bytes:
    return _encode(value) if value is not None else b""


def canonical_part(value: Any) -> bytes:
    """Write what may hold what the faster encoder changes; equal parts of other rows look equal."""
    try:
        _check(value)
        return _canonical(value)
    except (ValueError, OverflowError, RecursionError):
        return b"\0" + _encode_odd(value).encode()


def digest(*texts: bytes) -> bytes:
    """Return what only the same canonical texts have in common."""
    made = blake2b(digest_size=16)
    for text in texts:  # canonical text has no line feed
        made.update(text + b"\n")
    return made.digest()


_CACHE_BYTES = 2 * 1024 * 1024


class RowReader:
    """Reads rows again, and remembers the last ones.

    Args:
        path: The file.
        graded: True for reinforcement rows, whose messages are all prompt.
    """

    def __init__(self, path: Path, *, graded: bool) -> None:
        self._file = path.open("rb")
        self._graded = graded
        self._known: OrderedDict[int, bytes] = OrderedDict()
        self._held = 0
        self._last: tuple[int, tuple[bytes, bytes, Any]] | None = None
        """Place and parts of the row that was split last: rows and prompts are compared in turn."""

    def close(self) -> None:
        """Close the file."""
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

    def split(self, offset: int) -> tuple[bytes, bytes, Any]:
        """Return prompt and answer of a row as canonical text, and the answer itself."""
        if self._last is None or self._last[0] != offset:
            row, canonical = read_canonical(self.raw(offset))
            asked, said = split_row(row, graded=self._graded)
            self._last = offset, (canonical(asked), canonical(said), said)
        return self._last[1]

    def digests(self, offset: int) -> tuple[bytes, bytes]:
        """Return what only equal rows, and what only equal prompts, have in common."""
        asked, said, _ = self.split(offset)
        return digest(asked, said), digest(asked)
