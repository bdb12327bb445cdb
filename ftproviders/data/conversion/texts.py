"""The bytes of a source as text: unpacked, and in the encoding that it has.

What lives here: compression, encodings, standard input. What does not: what the text means.
"""

from __future__ import annotations

import bz2
import codecs
import errno
import gzip
import io
import lzma
import re
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from typing_extensions import override

from ftproviders.data.findings import show_file
from ftproviders.data.formats import Kind, classify
from ftproviders.data.stream import open_data_file
from ftproviders.errors import DatasetError

__all__ = ["PREFIX_BYTES", "Encoding", "Source", "looking", "open_source"]

PREFIX_BYTES = 256 * 1024
"""How much of a source is looked at to see what it is."""

_CHUNK_BYTES = 1024 * 1024
_ESCAPED = re.compile("[\udc80-\udcff]")
_NOT_ASCII = re.compile("[^\x00-\x7f\udc80-\udcff]")
_NOT_IN_1252 = re.compile("[\udc81\udc8d\udc8f\udc90\udc9d]")
_PACKED = {Kind.GZIP: "gzip", Kind.BZIP2: "bzip2", Kind.XZ: "xz", Kind.ZIP: "ZIP"}
_OPENERS: Mapping[Kind, Callable[[IO[bytes]], IO[bytes]]] = {
    Kind.GZIP: lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    Kind.BZIP2: lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
    Kind.XZ: cast("Callable[[IO[bytes]], IO[bytes]]", lzma.LZMAFile),
}
_WIDE = {
    Kind.UTF16: "UTF-16",
    Kind.UTF16_LE: "UTF-16LE",
    Kind.UTF16_BE: "UTF-16BE",
    Kind.UTF32: "UTF-32",
}
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error, RuntimeError)
"""What unpacking damaged data raises, beside an `OSError` without a number; zipfile raises
`RuntimeError` for passwords and unknown methods."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How text is written as bytes."""

    name: str
    """Name that people and Python know."""
    guessed: bool = False
    """True when bytes cannot tell: every byte is a character of Latin-1."""

    @override
    def __str__(self) -> str:
        """Return the name, and whether it is a guess."""
        return f"{self.name} (a guess)" if self.guessed else self.name


class Source:
    """A source that can be read more than once.

    Args:
        file: The opened file, at its beginning.
        path: Its path, for errors.
        on_progress: Called with bytes read and bytes in all of the file as it is stored.

    Attributes:
        size: Bytes of the file as it is stored.
        packed: How it is packed, for people; empty when it is not.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        path: Path,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self._on_progress = on_progress
        self.path = path
        self.name = "standard input" if str(path) == "-" else show_file(path)
        self._kind = classify(self._stored_prefix(), whole=self.size <= PREFIX_BYTES)
        self.packed = _PACKED.get(self._kind, "") if self._kind else ""

    def _stored_prefix(self) -> bytes:
        self._file.seek(0)
        return self._file.read(PREFIX_BYTES)

    @property
    def stored(self) -> IO[bytes]:
        """The file as it is stored, at its beginning."""
        self._file.seek(0)
        return self._file

    def prefix(self) -> bytes:
        """Return the first bytes, unpacked."""
        with self.unpacked() as file:
            return file.read(PREFIX_BYTES)

    @contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """Open the bytes from the beginning, unpacked.

        Raises:
            DatasetError: The packing is damaged, or an archive does not hold exactly one file.
        """
        self._file.seek(0)
        try:
            with self._unpack() as file:
                yield file
        except (*_DAMAGED, OSError) as error:
            # An archive's table may send the reader to before the file's beginning: EINVAL.
            fault = error.errno if isinstance(error, OSError) else None
            if not self.packed or fault not in (None, errno.EINVAL):
                raise  # the disk's fault, not the file's
            raise DatasetError(
                f"{self.name} is damaged: the {self.packed} data cannot be unpacked.",
                hint="Get the file once more; it may have been cut off.",
            ) from error

    @contextmanager
    def _unpack(self) -> Iterator[IO[bytes]]:
        if self._kind is Kind.ZIP:
            with zipfile.ZipFile(self._file) as archive, archive.open(self._member(archive)) as one:
                yield one
            return
        opener = _OPENERS.get(self._kind) if self._kind else None
        if opener is None:
            yield self._file
            return
        with opener(self._file) as file:
            yield file

    def _member(self, archive: zipfile.ZipFile) -> str:
        names = [item.filename for item in archive.infolist() if not item.is_dir()]
        if len(names) != 1:
            raise DatasetError(
                f"{self.name} holds {len(names)} files; it is not clear which one is meant.",
                hint="Unpack it and convert one of the files.",
            )
        return names[0]

    def chunks(self, *, tell: bool = True) -> Iterator[bytes]:
        """Yield the unpacked bytes, and tell the progress if asked to."""
        with self.unpacked() as file:
            while chunk := file.read(_CHUNK_BYTES):
                if tell and self._on_progress is not None:
                    self._on_progress(self._file.tell(), self.size)
                yield chunk

    def encoding(self, stated: str | None = None) -> Encoding:
        """Find out how the text is encoded; reads everything when it is not stated.

        Raises:
            DatasetError: There is no such encoding, or the text mixes two.
        """
        if stated is not None:
            return _stated_encoding(stated)
        kind = classify(self.prefix(), whole=False)
        if kind is not None and kind in _WIDE:
            return Encoding(_WIDE[kind])
        return self._narrow_encoding()

    def _narrow_encoding(self) -> Encoding:
        """Tell UTF-8 from one byte a character, and from a mixture of both."""
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        foreign = proper = 0
        first_line, lines, in_1252 = 0, 1, True
        for chunk in self.chunks(tell=False):
            text = decoder.decode(chunk)
            bad = None if chunk.isascii() else _ESCAPED.search(text)
            if bad:
                first_line = first_line or lines + text.count("\n", 0, bad.start())
                foreign += len(_ESCAPED.findall(text))
                in_1252 = in_1252 and not _NOT_IN_1252.search(text)
            proper += 0 if chunk.isascii() else len(_NOT_ASCII.findall(text))
            lines += chunk.count(b"\n")
        foreign += len(decoder.decode(b"", final=True))
        if not foreign:
            return Encoding("UTF-8")
        # A few pairs of Latin-1 letters happen to be UTF-8; more than that is a mixture.
        if proper * 20 > foreign:
            raise DatasetError(
                f"{self.name} mixes encodings: most is UTF-8, but not line {first_line or 1}.",
                hint="Correct that line, or state what all of the file is: "
                "ftproviders data convert has --encoding.",
            )
        return Encoding("Windows-1252" if in_1252 else "Latin-1", guessed=True)

    def text(self, encoding: Encoding) -> Iterator[str]:
        """Yield the text in pieces of about a mebibyte, line ends as they are.

        Raises:
            DatasetError: A byte is none of the encoding.
        """
        decoder = codecs.getincrementaldecoder(encoding.name)("strict")
        lines, first = 1, True
        try:
            for chunk in self.chunks():
                text = decoder.decode(chunk)
                lines += text.count("\n")
                yield text.removeprefix("\ufeff") if first else text
                first = first and not text
            yield decoder.decode(b"", final=True)
        except UnicodeError as error:
            what = str(error)  # of a text as a whole: it has no byte order mark, for instance
            if isinstance(error, UnicodeDecodeError):
                line = lines + error.object.count(b"\n", 0, error.start)
                what = f"line {line} has a byte that it lacks"
            raise DatasetError(
                f"{self.name} is not {encoding.name}: {what}.",
                hint="State what the file is with --encoding.",
            ) from error


def _stated_encoding(stated: str) -> Encoding:
    """Return the encoding that a user states; some that Python knows do not write text."""
    try:
        name = codecs.lookup(stated).name
        with suppress(UnicodeError):  # one byte is half a character in some
            b" ".decode(name)
    except (LookupError, ValueError) as error:
        raise DatasetError(
            f"There is no encoding {stated!r}.", hint="For instance: utf-8, cp1252, utf-16."
        ) from error
    return Encoding(name)


@contextmanager
def open_source(
    path: Path, *, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[Source]:
    """Open a file, or standard input (``-``), which is first put aside into a temporary file.

    Raises:
        DatasetError: It cannot be read.
    """
    with _stored(path) as file, looking("read"):
        yield Source(file, path=path, on_progress=on_progress)


@contextmanager
def _stored(path: Path) -> Iterator[IO[bytes]]:
    if str(path) != "-":
        with open_data_file(path) as file:
            yield file
        return
    with tempfile.TemporaryFile(prefix="ftproviders-") as aside:
        shutil.copyfileobj(sys.stdin.buffer, aside, _CHUNK_BYTES)
        yield aside


@contextmanager
def looking(operation: str) -> Iterator[None]:
    """Name the operation in errors about data that was opened, and could be looked at."""
    try:
        yield
    except DatasetError as error:
        error.operation = error.operation or operation
        raise
