"""Where text goes: results to stdout, progress and hints to stderr.

On a terminal tables are drawn by rich; elsewhere they are plain aligned columns, so that ``grep``
and ``awk`` see one row a line.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from ftproviders.cli.streams import telling, writing

__all__ = ["Output", "printable", "when"]

_WHOLE = ("ref", "provider", "model", "base model", "hyperparameter", "environment")
"""Columns whose cells are names to be copied; they are never broken into lines."""
_NARROW = 23
"""Characters that every other column gets at least, if it has so many: a time has 23."""
_PADDING = 3
_CONTROL = {code: None for code in (*range(32), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Drop control characters, so that text from elsewhere cannot steer the terminal."""
    return text.translate(_CONTROL)


def when(moment: datetime | None) -> str:
    """Write a time for people: ``2026-05-04 12:30:00 UTC``; nothing for None."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _finite(value: Any) -> Any:
    """Return a JSON value with null for each number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


class Output:
    """The two streams of one command.

    Every method raises `ReaderGoneError` when the reader has gone away; those that write results
    raise `StreamError` when stdout cannot be written.

    Args:
        json_mode: Results are JSON objects; human lines go nowhere.
        quiet: Progress and hints are left out.
    """

    def __init__(self, *, json_mode: bool = False, quiet: bool = False) -> None:
        self.json_mode = json_mode
        self.quiet = quiet
        self._live_width = 0

    # --- results --------------------------------------------------------------------------------

    def document(self, noun: str, body: Mapping[str, Any]) -> None:
        """Write one JSON object ``{"schema": "ftproviders.<noun>/1", ...}`` on one line.

        A number that is not finite is written as ``null``: JSON has no other word for it.
        """
        whole = {"schema": f"ftproviders.{noun}/1", **body}
        ascii_only = not (sys.stdout.encoding or "ascii").lower().startswith("utf")
        try:
            text = json.dumps(whole, ensure_ascii=ascii_only, allow_nan=False)
        except ValueError:
            text = json.dumps(_finite(whole), ensure_ascii=ascii_only, allow_nan=False)
        self._clear_live()
        with writing():
            print(text, flush=True)

    def line(self, text: str = "") -> None:
        """Write one line of the result; at once, because a reader may be waiting for it."""
        self._clear_live()
        with writing():
            print(_safe(text, sys.stdout), flush=True)

    def piece(self, text: str) -> None:
        """Write text of the result as it is, without ending the line."""
        self._clear_live()
        with writing():
            print(_safe(text, sys.stdout), end="", flush=True)

    def drawing(self, text: str) -> None:
        """Write text that may hold colours; whoever made it has cleaned what is from elsewhere."""
        self._clear_live()
        with writing():
            print(text, flush=True)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table: drawn on a terminal, plain columns elsewhere."""
        self._clear_live()
        with writing():
            (_draw if sys.stdout.isatty() else _columns)(headers, rows)
            sys.stdout.flush()

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write ``label  value`` lines with the values in one column."""
        width = max((len(label) for label, _ in pairs), default=0)
        for label, value in pairs:
            self.line(f"{label.ljust(width)}  {value}".rstrip())

    # --- progress and hints ---------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Write progress or a hint to stderr, unless ``--quiet``."""
        if not self.quiet:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Write to stderr even with ``--quiet``: errors, and what must be seen before consent."""
        self._clear_live()
        with telling():
            print(_safe(text, sys.stderr), file=sys.stderr, flush=True)

    @property
    def live_possible(self) -> bool:
        """True when a status line can be rewritten in place."""
        return not self.quiet and sys.stderr.isatty()

    def live(self, text: str) -> None:
        """Rewrite the status line in place; only where `live_possible`."""
        import shutil

        width = shutil.get_terminal_size().columns - 1
        shown = printable(text).replace("\n", " ")[:width]
        with telling():
            sys.stderr.write("\r" + shown.ljust(self._live_width))
            sys.stderr.flush()
        self._live_width = len(shown)

    def _clear_live(self) -> None:
        if self._live_width:
            width, self._live_width = self._live_width, 0
            with telling():
                sys.stderr.write("\r" + " " * width + "\r")
                sys.stderr.flush()


def _safe(text: str, stream: TextIO) -> str:
    return printable(text) if stream.isatty() else text


def _columns(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    grid = [tuple(headers), *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in grid) for column in range(len(headers))]
    for row in grid:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _draw(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    width = 0
    for column, header in enumerate(headers):
        whole = header in _WHOLE
        longest = max((len(printable(row[column])) for row in rows), default=0)
        table.add_column(header, overflow="fold", no_wrap=whole)
        width += _PADDING + max(len(header), longest if whole else min(longest, _NARROW))
    for row in rows:
        # Text, not str: a value in [brackets] is no markup.
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(file=sys.stdout)
    # Wider than the terminal when it must be: a broken name could not be copied.
    console.width = max(console.width, width)
    console.print(table)
