"""Repair a file into a new one: encoding, line ends, and rows with one way to be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from ftproviders.data.conversion.reading import physical_lines
from ftproviders.data.conversion.texts import PREFIX_BYTES, Encoding, Source, open_source
from ftproviders.data.findings import show_file
from ftproviders.data.formats import Kind, classify, recognise
from ftproviders.data.outputs import check_outputs, new_files
from ftproviders.data.repair.rowfix import repair_row
from ftproviders.data.stream import BOM
from ftproviders.errors import DatasetError
from ftproviders.schema.conversion import Repair, RepairReport

__all__ = ["repair"]

_SPACE = " \t\r\n"
_TEXT_KINDS = {Kind.UTF16, Kind.UTF16_LE, Kind.UTF16_BE, Kind.UTF32}


def repair(
    source: Path | str,
    out: Path | str,
    *,
    overwrite: bool = False,
    max_repairs: int = 100,
    on_progress: Callable[[int, int], None] | None = None,
) -> RepairReport:
    """Write a file with everything repaired for which there is only one way.

    A byte order mark, another encoding, blank lines, carriage returns, a missing last line feed;
    and in rows: commas after the last item, a key that stands twice with the same value, nulls
    that say nothing, a role in capitals, a weight of 1.0, call arguments that are an object
    instead of text. Rows are never dropped: a row that needs more than that is copied as it is,
    and validation will name it. The source is not touched.

    Args:
        source: JSON Lines, whatever is wrong with it; ``-`` for standard input.
        out: File to write.
        overwrite: Replace `out` when it is there; the source never.
        max_repairs: Repairs listed in detail; counts have no limit.
        on_progress: Called now and then with bytes read and bytes in all.

    Returns:
        Every repair.

    Raises:
        DatasetError: The file cannot be read, or is not JSON Lines; the hint is the command that
            converts it.
        ConfigurationError: `out` cannot be written, or is the source.
    """
    path, out = Path(source), Path(out)
    check_outputs([out], sources=[] if str(path) == "-" else [path], overwrite=overwrite)
    with open_source(path, on_progress=on_progress) as opened:
        run = _Run(opened, max_repairs)
        encoding = run.look_at_file()
        with new_files(out) as (file,):
            for row in run.rows(encoding):
                file.write(row)
    return run.report(out)


class _Run:
    """One repair under way."""

    def __init__(self, source: Source, max_repairs: int) -> None:
        self._source = source
        self._max_repairs = max_repairs
        self._kept: list[Repair] = []
        self._counts: Counter[str] = Counter()
        self._rows = 0
        self._changed = 0

    def _note(self, line: int, rule: str, what: str, path: str = "") -> None:
        self._counts[rule] += 1
        if len(self._kept) < self._max_repairs:
            self._kept.append(Repair(line=line, rule=rule, path=path, what=what))

    def look_at_file(self) -> Encoding:
        """Note what is wrong with the file as a whole; return its encoding."""
        source = self._source
        with source.unpacked() as file:
            prefix = file.read(PREFIX_BYTES)
        foreign = recognise(prefix, whole=len(prefix) < PREFIX_BYTES, path=source.path)
        if source.packed or (foreign and foreign.kind not in _TEXT_KINDS):
            raise self._not_lines()
        encoding = source.encoding()
        if encoding.name != "UTF-8":
            start = next(source.text(encoding), "")[:PREFIX_BYTES].encode("utf-8", "replace")
            if classify(start, whole=len(start) < PREFIX_BYTES):
                raise self._not_lines()
            self._note(0, "encoding", f"wrote {encoding} as UTF-8")
        if prefix.startswith(BOM):
            self._note(0, "file.bom", "removed the byte order mark")
        return encoding

    def _not_lines(self) -> DatasetError:
        source = self._source
        foreign = recognise(
            source.stored.read(PREFIX_BYTES), whole=source.size < PREFIX_BYTES, path=source.path
        )
        return DatasetError(
            f"{source.name} is not JSON Lines; there is nothing to repair, it needs converting.",
            hint=foreign.fix if foreign else f"Convert it: ftproviders data convert {source.name}",
        )

    def rows(self, encoding: Encoding) -> Iterator[bytes]:
        """Yield each row with a line feed, repaired."""
        returns = 0
        line = "\n"
        number = 0
        pieces = self._source.text(encoding)
        for number, line in enumerate(physical_lines(pieces, self._source.name), 1):
            text = line.strip(_SPACE)
            if not text:
                self._note(number, "file.blank_lines", "removed a blank line")
                continue
            returns += line.endswith("\r\n")
            if returns == 1 and line.endswith("\r\n"):
                self._note(number, "file.crlf", "wrote line feeds without carriage returns")
            yield self._row(number, line.rstrip("\r\n"), text)
        if not line.endswith("\n"):
            self._note(number, "file.last_newline", "added the line feed after the last row")

    def _row(self, number: int, line: str, text: str) -> bytes:
        self._rows += 1
        repaired, repairs = repair_row(text)
        for one in repairs:
            self._note(number, one.rule, one.what, one.path)
        if not repairs:
            repaired = line  # white space around a row is legal; the row stays as it was
        self._changed += repaired != line
        return repaired.encode() + b"\n"

    def report(self, out: Path) -> RepairReport:
        """Say what was done."""
        return RepairReport(
            source=self._source.name,
            out=show_file(out),
            rows=self._rows,
            changed_rows=self._changed,
            repairs=tuple(self._kept),
            repairs_truncated=sum(self._counts.values()) - len(self._kept),
            counts=dict(self._counts),
        )
