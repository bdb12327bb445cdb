"""Rows as bytes of an output file: JSON Lines, one JSON array, CSV, TSV; packed with gzip."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, cast

from typing_extensions import override

from ftproviders.data.conversion.incoming import RowProblem
from ftproviders.errors import ConfigurationError

__all__ = ["Writer", "json_bytes", "open_writer"]

_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")


class Writer(Protocol):
    """Takes rows one after the other."""

    def write(self, row: dict[str, Any]) -> None:
        """Write one row.

        Raises:
            RowProblem: The row cannot be written.
        """


def json_bytes(value: object) -> bytes:
    """Write a value as JSON in UTF-8 on one line.

    Raises:
        RowProblem: It holds something that JSON or UTF-8 has not.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise RowProblem("a text holds half of a surrogate pair, which UTF-8 has not") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise RowProblem(f"a value cannot be written as JSON: {error}") from error


class _Lines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, row: dict[str, Any]) -> None:
        self._file.write(json_bytes(row) + b"\n")

    def finish(self) -> None:
        """Write what belongs after the last row."""


class _Array(_Lines):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._between = b"[\n"

    @override
    def write(self, row: dict[str, Any]) -> None:
        line = json_bytes(row)
        self._file.write(self._between + line)
        self._between = b",\n"

    @override
    def finish(self) -> None:
        self._file.write(b"[]\n" if self._between == b"[\n" else b"\n]\n")


class _Table(_Lines):
    """A table; its columns are those of the first row."""

    def __init__(self, file: IO[bytes], *, delimiter: str) -> None:
        super().__init__(file)
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, delimiter=delimiter, lineterminator="\n")
        self._names: list[str] | None = None

    @override
    def write(self, row: dict[str, Any]) -> None:
        if self._names is None:
            names = list(row)
            self._line(names)
            self._names = names
        if set(row) - set(self._names):
            more = ", ".join(sorted(set(row) - set(self._names)))
            raise RowProblem(f"the first row has no column {more}, so the table has none")
        self._line([self._cell(row.get(name)) for name in self._names])

    def _line(self, cells: list[str]) -> None:
        self._text.seek(0)
        self._text.truncate()
        self._writer.writerow(cells)
        try:
            self._file.write(self._text.getvalue().encode())
        except UnicodeEncodeError as error:
            raise RowProblem("a text holds half of a surrogate pair, UTF-8 has not") from error

    @staticmethod
    def _cell(value: object) -> str:
        if value is None:
            return ""
        return value if isinstance(value, str) else json_bytes(value).decode()


def check_suffix(out: Path) -> str:
    """Return the suffix that says how `out` is written.

    Raises:
        ConfigurationError: It says nothing.
    """
    name = out.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if str(out) == "-" or suffix in _SUFFIXES:
        return ".jsonl" if str(out) == "-" else suffix
    raise ConfigurationError(
        f"The name {out.name!r} does not say how the rows shall be written.",
        hint=f"End it with {', '.join(_SUFFIXES)}, and .gz to have it packed.",
    )


@contextmanager
def open_writer(file: IO[bytes], out: Path) -> Iterator[Writer]:
    """Write rows into `file` in the way that the name `out` says."""
    suffix = check_suffix(out)
    packed = out.name.lower().endswith(".gz")
    # Neither name nor time goes into the packed file: the same rows make the same bytes.
    zipped = gzip.GzipFile("", "wb", 6, file, mtime=0) if packed else None
    target = file if zipped is None else cast("IO[bytes]", zipped)
    try:
        writer: _Lines
        if suffix in {".csv", ".tsv"}:
            writer = _Table(target, delimiter="\t" if suffix == ".tsv" else ",")
        else:
            writer = _Array(target) if suffix == ".json" else _Lines(target)
        yield writer
        writer.finish()
    finally:
        if zipped is not None:
            zipped.close()
