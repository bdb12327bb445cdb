"""Convert a source into a file: read, reshape and write row after row, in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ftproviders.data.conversion.columnar import object_rows, parquet_rows
from ftproviders.data.conversion.incoming import NoColumn, RowProblem, keys_of, read_row
from ftproviders.data.conversion.mapping import RowMapping
from ftproviders.data.conversion.outgoing import NO_REJECTED, default_target, lost_keys, write_row
from ftproviders.data.conversion.reading import SourceRow, read_lines, read_table, read_values
from ftproviders.data.conversion.texts import PREFIX_BYTES, Source, open_source
from ftproviders.data.conversion.writing import Writer, check_suffix, open_writer
from ftproviders.data.findings import show_file
from ftproviders.data.formats import Kind, classify, delimiter_of, recognise
from ftproviders.data.outputs import check_outputs, new_files
from ftproviders.data.secrets import mask
from ftproviders.data.shapes import Shape, shape_of
from ftproviders.errors import DatasetError
from ftproviders.schema.conversion import BadRow, ConversionReport

__all__ = ["convert"]

_BAD_ROWS_SHOWN = 20
_DEFAULT = RowMapping()
_NOT_CONVERTED = frozenset(
    {Kind.ZSTANDARD, Kind.EXCEL, Kind.PDF, Kind.SQLITE, Kind.LFS, Kind.HTML}
    | {Kind.GZIP, Kind.BZIP2, Kind.XZ, Kind.ZIP}  # packed once more inside
)


def convert(
    source: object,
    out: Path | str,
    *,
    mapping: RowMapping = _DEFAULT,
    target: Shape | None = None,
    encoding: str | None = None,
    header: bool = True,
    skip_bad: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ConversionReport:
    """Convert rows of one shape, in a file of one format, into those of another.

    Memory does not grow with the source. The output takes its place only when every row was
    written. No row is left out in silence.

    Args:
        source: Path of a file, ``-`` for standard input, or rows in memory: a pandas or polars
            data frame, a `datasets.Dataset`, an Arrow table, any iterable of mappings. What a
            file is (JSON Lines, JSON, CSV, TSV, Parquet, packed, in which encoding) is told from
            its bytes.
        out: File to write; its name says how (.jsonl, .json, .csv, .tsv, with .gz packed).
            ``-`` is standard output.
        mapping: Which column is what; needed only where the rows have no known shape.
        target: Shape to write; default messages, or OpenAI's preference rows where the source
            has preferences.
        encoding: Encoding of a text file, where it is known better.
        header: Whether the first line of a table names its columns; else they are 1, 2, 3.
        skip_bad: Leave out rows that cannot be converted, and list them.
        overwrite: Replace `out` when it is there.
        on_progress: Called now and then with bytes read and bytes in all.

    Returns:
        What was read and written.

    Raises:
        DatasetError: The source cannot be read, or a row cannot be converted; names its line.
        ConfigurationError: `out` is there already, or the mapping contradicts itself.
        MissingDependencyError: Parquet, and pyarrow is not installed.
    """
    out = Path(out)
    check_suffix(out)
    path = Path(source) if isinstance(source, str | Path) else None
    sources = [] if path is None or str(path) == "-" else [path]
    check_outputs([out], sources=sources, overwrite=overwrite)
    with _opened(source, path, encoding, header, on_progress) as rows:
        run = _Run(rows.name, mapping, target, skip_bad=skip_bad)
        with new_files(out) as (file,), open_writer(file, out) as writer:
            run.write_all(rows.rows, writer)
    return run.report(out, rows)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows to read, and what they come from."""

    name: str
    read_as: str
    rows: Iterator[SourceRow]


@contextmanager
def _opened(
    source: object,
    path: Path | None,
    encoding: str | None,
    header: bool,
    on_progress: Callable[[int, int], None] | None,
) -> Iterator[_Rows]:
    if path is None:
        name = type(source).__name__
        yield _Rows(name, f"rows in memory ({name})", object_rows(source))
        return
    with open_source(path, on_progress=on_progress) as opened:
        yield _file_rows(opened, encoding, header=header)


def _file_rows(source: Source, encoding: str | None, *, header: bool) -> _Rows:
    prefix = source.prefix()
    kind = classify(prefix, whole=len(prefix) < PREFIX_BYTES)
    if kind in {Kind.PARQUET, Kind.ARROW}:
        if source.packed:
            raise DatasetError(f"{source.name} is a packed {kind} file.", hint="Unpack it first.")
        rows = parquet_rows(source.stored, source.name, is_parquet=kind is Kind.PARQUET)
        return _Rows(source.name, "Parquet" if kind is Kind.PARQUET else "Arrow", rows)
    if kind in _NOT_CONVERTED or (kind is Kind.BINARY and encoding is None):
        foreign = recognise(prefix, whole=False, path=source.path)
        raise DatasetError(
            f"{source.name} cannot be converted; it looks like {kind}.",
            hint=foreign.fix if foreign else "",
        )
    found = source.encoding(encoding)
    pieces = source.text(found)
    text = next(source.text(found), "")[:PREFIX_BYTES].encode("utf-8", "replace")
    if not text.strip():
        raise DatasetError(f"{source.name} has no rows.", hint="Check that it is the right file.")
    form, rows = _text_rows(source, text, pieces, header=header)
    named = [source.packed, str(found), form]
    return _Rows(source.name, ", ".join(part for part in named if part), rows)


def _text_rows(
    source: Source, text: bytes, pieces: Iterator[str], *, header: bool
) -> tuple[str, Iterator[SourceRow]]:
    kind = classify(text, whole=len(text) < PREFIX_BYTES)
    if kind in {Kind.ARRAY, Kind.SPREAD}:
        form = "one JSON array" if kind is Kind.ARRAY else "JSON objects"
        return form, read_values(pieces, source.name)
    suffix = Path(source.path.name.lower().removesuffix(".gz")).suffix
    delimiter = delimiter_of(text) or _likely_delimiter(text, suffix)
    if kind is Kind.TABLE or (delimiter and text[:1] not in b"{["):
        form = "TSV" if delimiter == "\t" else "CSV"
        return form, read_table(pieces, source.name, delimiter=delimiter, header=header)
    return "JSON Lines", read_lines(pieces, source.name)


def _likely_delimiter(text: bytes, suffix: str) -> str:
    """Choose for a file that is called a table, though its first two lines do not show it."""
    if suffix not in {".csv", ".tsv"}:
        return ""
    first = text.partition(b"\n")[0]
    counts = {mark: first.count(mark.encode()) for mark in "\t;,"}
    usual = "\t" if suffix == ".tsv" else ","
    return max(counts, key=counts.__getitem__) if any(counts.values()) else usual


@dataclass
class _Run:
    """One conversion under way."""

    name: str
    mapping: RowMapping
    asked: Shape | None
    skip_bad: bool = field(kw_only=True)
    target: Shape | None = None
    written: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    bad: list[BadRow] = field(default_factory=list)
    bad_rows: int = 0
    seen: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    @cached_property
    def by_shape(self) -> RowMapping:
        """The mapping without its columns, which are then those that are written."""
        return replace(self.mapping, columns={})

    def write_all(self, rows: Iterator[SourceRow], writer: Writer) -> None:
        """Convert every row."""
        for row in rows:
            try:
                shape, written = self._convert(row)
                writer.write(written)
            except RowProblem as problem:
                self._refuse(row.line, problem)
                continue
            self.shapes[shape] += 1
            self.written += 1
        if not self.written:
            raise DatasetError(
                f"{self.name} has no row that could be converted.", hint=self._first_reason()
            )

    def _convert(self, row: SourceRow) -> tuple[Shape, dict[str, Any]]:
        if row.problem:
            raise RowProblem(row.problem)
        mapping = self.mapping
        if self.asked is Shape.COLUMNS and isinstance(row.value, Mapping) and shape_of(row.value):
            mapping = self.by_shape
        shape, chat, used = read_row(row.value, mapping)
        target = self.asked or default_target(chat)
        self.target = self.target or target
        if target is not self.target:
            raise RowProblem(f"the rows before it are for {self.target}, this one for {target}")
        written = write_row(chat, target, self.mapping.columns)
        self.used |= used
        if shape not in {Shape.MESSAGES, Shape.PREFERENCE}:  # these keep every key
            self.seen.update(keys_of(row.value, shape))
        self.lost.update(lost_keys(chat, target))
        return shape, written

    def _refuse(self, line: int, problem: RowProblem) -> None:
        if not self.skip_bad:
            raise DatasetError(
                f"{self.name}, line {line}: {mask(str(problem))}.", hint=self._way_out(problem)
            ) from problem
        self.bad_rows += 1
        if len(self.bad) < _BAD_ROWS_SHOWN:
            self.bad.append(BadRow(line=line, message=mask(str(problem))))

    def _way_out(self, problem: RowProblem) -> str:
        if str(problem) == NO_REJECTED and not self.written:
            return (
                "A worse answer cannot be made up here: add one to each row, for instance in "
                "columns `chosen` and `rejected`. With one answer a row, train supervised "
                "(--to messages). Nothing was written."
            )
        if isinstance(problem, NoColumn) and not self.written:
            return "State columns that the rows have. Nothing was written."
        return "Correct the row, or leave such rows out with --skip-bad. Nothing was written."

    def _first_reason(self) -> str:
        return f"Line {self.bad[0].line}: {self.bad[0].message}." if self.bad else "It has no rows."

    def report(self, out: Path, rows: _Rows) -> ConversionReport:
        """Say what was done."""
        return ConversionReport(
            source=rows.name,
            out=show_file(out),
            read_as=rows.read_as,
            shapes=dict(self.shapes),
            target=self.target or Shape.MESSAGES,
            rows=self.written,
            bad_rows=self.bad_rows,
            bad=tuple(self.bad),
            left_out=tuple(map(mask, sorted(self.lost | (self.seen - self.used)))),
        )
