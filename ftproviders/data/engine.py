"""The engine: looks at blocks of lines and writes what it finds into a ledger.

Good rows are accepted fast; every row that the fast path refuses goes to the judge in ``exact``,
whose word holds. An engine in another language would stand beside `TwoPathEngine` and be held to
the same ledgers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from typing_extensions import override

from ftproviders.data.exact import check_row, read_document
from ftproviders.data.exact.completion import COMPLETIONS, other_shape
from ftproviders.data.fast import AcceptedBlock, FastPath
from ftproviders.data.findings import Finding
from ftproviders.data.keys import RowKeys, key_of_row
from ftproviders.data.ledger import Ledger
from ftproviders.data.rule import PAIRS
from ftproviders.data.rules import MAX_ROW_BYTES
from ftproviders.data.shapes import Shape
from ftproviders.data.statistics import tally_row
from ftproviders.data.stream import Block
from ftproviders.schema.hyperparameters import Method

__all__ = ["Engine", "ExactEngine", "Rows", "TwoPathEngine"]

_JSON_SPACE = b" \t\r"
_PAIR_SHAPES = {Shape.PREFERENCE, Shape.CHOSEN_REJECTED}
_DRAIN_BLOCKS = 16  # sums are added up for many blocks at once; what waits is a few MB


@dataclass(frozen=True, slots=True)
class Rows:
    """What rows an engine looks at, and what is to be remembered of them."""

    method: Method = Method.SUPERVISED
    shapes: Collection[str] = (Shape.MESSAGES, Shape.PREFERENCE)
    """Shapes of rows that any of the providers takes."""
    keys: RowKeys | None = None
    """Where keys of rows go; None = nobody wants them."""
    long_bytes: int | None = None
    """Rows with more bytes may have too many tokens: tokens never exceed bytes."""
    long_rows: list[tuple[int, int]] = field(default_factory=list)
    """Line and place of such rows."""


class Engine(Protocol):
    """What looks at rows."""

    def check(self, block: Block, ledger: Ledger) -> None:
        """Look at every line of `block` that is not blank, and write into `ledger`."""

    def finish(self, ledger: Ledger) -> None:
        """Write what is still to be written, after the last block."""


class ExactEngine:
    """The judge alone: slow, and right by definition."""

    def __init__(self, rows: Rows | None = None) -> None:
        self._wanted = rows or Rows()
        self._graded = self._wanted.method is Method.REINFORCEMENT
        own = _PAIR_SHAPES if self._wanted.method in PAIRS else {Shape.MESSAGES, *COMPLETIONS}
        self._fitting = own.intersection(self._wanted.shapes)

    def check(self, block: Block, ledger: Ledger) -> None:
        """Look at every line of `block`, see `Engine`."""
        offset = block.offset
        for line_number, line in enumerate(block.lines, block.first_line):
            if line.strip(_JSON_SPACE):
                self.check_line(line, line_number, ledger, offset, too_long=block.too_long)
            offset += len(line) + 1

    def finish(self, ledger: Ledger) -> None:
        """Write what is still to be written; the judge holds nothing back."""

    def check_line(
        self,
        line: bytes,
        line_number: int,
        ledger: Ledger,
        offset: int = 0,
        *,
        too_long: bool = False,
    ) -> None:
        """Judge one line."""
        tally = ledger.tally
        tally.rows += 1
        if too_long:
            ledger.add(_TOO_LONG, line=line_number, text="")
            return
        wanted = self._wanted
        tally.longest_row_bytes = max(tally.longest_row_bytes, len(line))
        document = read_document(line, wants=ledger.wants)
        for finding in document.findings:
            ledger.add(finding, line=line_number, text=document.text)
        if not document.readable:
            return
        row = document.value
        tally_row(row, tally)
        for finding in check_row(row, method=wanted.method, shapes=wanted.shapes):
            if document.is_constant(finding.path):
                continue  # NaN and the like are one issue, wherever they stand
            ledger.add(finding, line=line_number, text=document.text)
        if isinstance(row, dict) and other_shape(row) in self._fitting:
            ledger.note_shape(other_shape(row), line_number)
        self._remember(key_of_row(row, graded=self._graded), line, line_number, offset)

    def _remember(self, key: int | None, line: bytes, line_number: int, offset: int) -> None:
        wanted = self._wanted
        if key is not None and wanted.keys is not None:
            wanted.keys.add(key, line_number, offset)
        if wanted.long_bytes is not None and len(line) > wanted.long_bytes:
            wanted.long_rows.append((line_number, offset))


class TwoPathEngine(ExactEngine):
    """Accepts good rows fast and asks the judge about the others."""

    def __init__(self, rows: Rows | None = None) -> None:
        super().__init__(rows)
        self._fast = FastPath(want_keys=self._wanted.keys is not None)
        self._blocks = 0
        self._supervised = self._wanted.method is Method.SUPERVISED

    @override
    def check(self, block: Block, ledger: Ledger) -> None:
        if not self._supervised:
            super().check(block, ledger)
            return
        accepted = self._fast.accept_block(block.raw) if block.raw else None
        if accepted is not None:
            self._take(accepted, block, ledger)
        else:
            self._check_lines(block, ledger)
        self._blocks += 1
        if not block.raw or not self._blocks % _DRAIN_BLOCKS:
            self._fast.drain(ledger.tally)

    @override
    def finish(self, ledger: Ledger) -> None:
        self._fast.drain(ledger.tally)

    def _take(self, accepted: AcceptedBlock, block: Block, ledger: Ledger) -> None:
        """Remember what is wanted of a block of good rows."""
        wanted = self._wanted
        block.count = accepted.rows
        ledger.note_shape(Shape.MESSAGES, block.first_line)
        if wanted.keys is None and wanted.long_bytes is None:
            return
        offsets = list(accumulate(accepted.sizes, initial=block.offset))[:-1]
        lines = range(block.first_line, block.first_line + accepted.rows)
        if wanted.keys is not None:
            wanted.keys.add_many(accepted.keys, lines, offsets)
        if wanted.long_bytes is not None and max(accepted.sizes) > wanted.long_bytes:
            wanted.long_rows.extend(
                (line, offset)
                for line, offset, size in zip(lines, offsets, accepted.sizes, strict=True)
                if size > wanted.long_bytes + 1
            )

    def _check_lines(self, block: Block, ledger: Ledger) -> None:
        fast = self._fast
        offset = block.offset
        remember = self._wanted.keys is not None or self._wanted.long_bytes is not None
        noted = False
        for line_number, line in enumerate(block.lines, block.first_line):
            if not block.too_long and fast.accept(line):
                if remember:
                    self._remember(fast.key, line, line_number, offset)
                if not noted:
                    ledger.note_shape(Shape.MESSAGES, line_number)
                    noted = True
            elif line.strip(_JSON_SPACE):
                self.check_line(line, line_number, ledger, offset, too_long=block.too_long)
            offset += len(line) + 1


_TOO_LONG = Finding(
    rule="json.length",
    offset=0,
    message=f"the line is longer than {MAX_ROW_BYTES // 2**20} MiB; it was not looked at",
    fix="Write one row a line; are the line ends missing?",
)
