"""The engine: looks at blocks of lines and writes what it finds into a ledger.

Good rows are accepted fast; every row that the fast path refuses goes to the judge in ``exact``,
whose word holds. An engine in another language would stand beside `TwoPathEngine` and be held to
the same ledgers.
"""

from __future__ import annotations

from typing import Protocol

from typing_extensions import override

from ftproviders.data.exact import check_document, read_document
from ftproviders.data.fast import FastPath
from ftproviders.data.findings import Finding
from ftproviders.data.ledger import Ledger
from ftproviders.data.rules import MAX_ROW_BYTES
from ftproviders.data.statistics import tally_row
from ftproviders.data.stream import Block

__all__ = ["Engine", "ExactEngine", "TwoPathEngine"]

_JSON_SPACE = b" \t\r"


class Engine(Protocol):
    """What looks at rows."""

    def check(self, block: Block, ledger: Ledger) -> None:
        """Look at every line of `block` that is not blank, and write into `ledger`."""


class ExactEngine:
    """The judge alone: slow, and right by definition."""

    def check(self, block: Block, ledger: Ledger) -> None:
        """Look at every line of `block`, see `Engine`."""
        for line_number, line in enumerate(block.lines, block.first_line):
            if line.strip(_JSON_SPACE):
                self.check_line(line, line_number, ledger, too_long=block.too_long)

    def check_line(
        self, line: bytes, line_number: int, ledger: Ledger, *, too_long: bool = False
    ) -> None:
        """Judge one line."""
        tally = ledger.tally
        tally.rows += 1
        if too_long:
            ledger.add(_TOO_LONG, line=line_number, text="")
            return
        tally.longest_row_bytes = max(tally.longest_row_bytes, len(line))
        document = read_document(line, wants=ledger.wants)
        if document.readable:
            tally_row(document.value, tally)
        for finding in check_document(document):
            ledger.add(finding, line=line_number, text=document.text)


class TwoPathEngine(ExactEngine):
    """Accepts good rows fast and asks the judge about the others."""

    def __init__(self) -> None:
        self._fast = FastPath()

    @override
    def check(self, block: Block, ledger: Ledger) -> None:
        self._fast.allow_images(not ledger.minds("content.image"))
        accept = self._fast.accept
        for line_number, line in enumerate(block.lines, block.first_line):
            if not block.too_long and accept(line):
                continue
            if line.strip(_JSON_SPACE):
                self.check_line(line, line_number, ledger, too_long=block.too_long)
        self._fast.drain(ledger.tally)


_TOO_LONG = Finding(
    rule="json.length",
    offset=0,
    message=f"the line is longer than {MAX_ROW_BYTES // 2**20} MiB; it was not looked at",
    fix="Write one row a line; are the line ends missing?",
)
