"""The engine: looks at blocks of lines and writes what it finds into a ledger.

Good rows are accepted fast; every row that the fast path refuses goes to the judge in ``exact``,
whose word holds. `NativeEngine` stands beside `TwoPathEngine` and is held to the same ledgers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, count
from typing import Protocol

from typing_extensions import override

from ftproviders.data.exact import check_row, read_document
from ftproviders.data.exact.completion import COMPLETIONS, other_shape
from ftproviders.data.fast import FastPath
from ftproviders.data.findings import Finding
from ftproviders.data.keys import RowKeys, key_of_row
from ftproviders.data.ledger import Ledger
from ftproviders.data.patterns import Patterns
from ftproviders.data.rule import PAIRS
from ftproviders.data.rules import MAX_ROW_BYTES
from ftproviders.data.shapes import Shape
from ftproviders.data.statistics import tally_row, texts_of_row
from ftproviders.data.stream import Block
from ftproviders.schema.hyperparameters import Method

__all__ = ["TOO_LONG", "Engine", "ExactEngine", "Rows", "TwoPathEngine"]

_JSON_SPACE = b" \t\r"
_PAIR_SHAPES = {Shape.PREFERENCE, Shape.CHOSEN_REJECTED}


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
    """What looks at rows.

    Attributes:
        large_blocks: Whether it works best on large blocks.
    """

    large_blocks: bool

    def check(self, block: Block, ledger: Ledger) -> None:
        """Look at every line of `block`, say which are blank, and write into `ledger`."""

    def finish(self, ledger: Ledger) -> None:
        """Write what is still to be written, after the last block."""


class ExactEngine:
    """The judge alone: slow, and right by definition."""

    large_blocks = False

    def __init__(self, rows: Rows | None = None) -> None:
        self._wanted = rows or Rows()
        self._graded = self._wanted.method is Method.REINFORCEMENT
        own = _PAIR_SHAPES if self._wanted.method in PAIRS else {Shape.MESSAGES, *COMPLETIONS}
        self._fitting = own.intersection(self._wanted.shapes)
        self._patterns = Patterns()
        self._unread: set[int] = set()
        """Numbers of lines of the present block that hold no value."""

    def check(self, block: Block, ledger: Ledger) -> None:
        """Look at every line of `block`, see `Engine`."""
        numbered = enumerate(block.lines, block.first_line)
        keys = [self._key(line, number, block, ledger) for number, line in numbered]
        self._remember(block, keys)
        self._settle(block, ledger)

    def finish(self, ledger: Ledger) -> None:
        """Write what is still to be written."""
        self._patterns.drain(ledger.tally)

    def _settle(self, block: Block, ledger: Ledger) -> None:
        """Add up what waits, when it is time to; at once for a block by itself."""
        if not block.raw or self._full:
            self.finish(ledger)

    @property
    def _full(self) -> bool:
        """Whether so much waits to be added up that it is time to."""
        return self._patterns.full

    def _note_first(self, line: int, ledger: Ledger) -> None:
        """Note the line of a good row with messages; 0 = there was none."""
        if line and Shape.MESSAGES in self._fitting:
            ledger.note_shape(Shape.MESSAGES, line)

    def _key(self, line: bytes, number: int, block: Block, ledger: Ledger) -> int | None:
        """Judge a line, unless it is blank, and return the row's key; None = no row."""
        if not line.strip(_JSON_SPACE):
            self._unread.add(number)
            block.blank.append(number)
            return None
        return self.check_line(line, number, ledger, too_long=block.too_long)

    def check_line(
        self, line: bytes, line_number: int, ledger: Ledger, *, too_long: bool = False
    ) -> int | None:
        """Judge one line; return the key of its row."""
        tally = ledger.tally
        tally.rows += 1
        if too_long:
            ledger.add(TOO_LONG, line=line_number, text="")
            return None
        wanted = self._wanted
        tally.longest_row_bytes = max(tally.longest_row_bytes, len(line))
        document = read_document(line, wants=ledger.wants)
        if not document.readable:
            ledger.add_row(document.findings, line=line_number, text=document.text)
            self._unread.add(line_number)
            return None
        row = document.value
        texts = texts_of_row(row)
        roles, sizes = tally_row(row, tally, texts)
        if roles:
            self._patterns.of(tuple(roles)).sizes += sizes
        found: Iterable[Finding] = check_row(row, method=wanted.method, shapes=wanted.shapes)
        if document.findings:
            # NaN and the like are one issue, wherever they stand.
            others = (one for one in found if not document.is_constant(one.path))
            found = chain(document.findings, others)
        ledger.add_row(found, line=line_number, text=document.text)
        if isinstance(row, dict) and (shape := other_shape(row)) in self._fitting:
            ledger.note_shape(shape, line_number)
        return key_of_row(row, texts, graded=self._graded)

    def _remember(self, block: Block, keys: Sequence[int | None]) -> None:
        """Remember what is wanted of a block: keys, and rows that may have too many tokens."""
        wanted, first = self._wanted, block.first_line
        if wanted.keys is None and wanted.long_bytes is None:
            self._unread.clear()
            return
        lines = block.ended
        offsets = list(accumulate(map(len, lines), initial=block.offset))
        offsets.pop()
        if wanted.keys is not None:
            wanted.keys.add_many(keys, range(first, first + len(lines)), offsets)
        if wanted.long_bytes is not None and not block.too_long:
            wanted.long_rows.extend(
                (number, offset)
                for number, offset, line in zip(count(first), offsets, lines, strict=False)
                if len(line) > wanted.long_bytes
                and len(line.removesuffix(b"\n")) > wanted.long_bytes
                and number not in self._unread
            )
        self._unread.clear()


class TwoPathEngine(ExactEngine):
    """Accepts good rows fast and asks the judge about the others."""

    def __init__(self, rows: Rows | None = None) -> None:
        super().__init__(rows)
        self._fast = FastPath(self._patterns)
        self._supervised = self._wanted.method is Method.SUPERVISED

    @override
    def check(self, block: Block, ledger: Ledger) -> None:
        if not self._supervised or block.too_long:
            super().check(block, ledger)
            return
        lines, first = block.ended, block.first_line
        looked = self._fast.look(lines, block.raw)
        keys = looked.keys
        for index in looked.refused:
            line = lines[index].removesuffix(b"\n")
            keys[index] = self._key(line, first + index, block, ledger)
        if looked.first is not None:
            self._note_first(first + looked.first, ledger)
        self._remember(block, keys)
        self._settle(block, ledger)

    @override
    def finish(self, ledger: Ledger) -> None:
        super().finish(ledger)
        self._fast.drain(ledger.tally)


TOO_LONG = Finding(
    rule="json.length",
    offset=0,
    message=f"the line is longer than {MAX_ROW_BYTES // 2**20} MiB; it was not looked at",
    fix="Write one row a line; are the line ends missing?",
)
