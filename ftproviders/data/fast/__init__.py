"""The fast path: accept good supervised rows with typed decoding, or refuse to say anything.

It accepts only what the judge would find nothing in, whatever the provider; a refusal means
nothing but "ask the judge". Its types are therefore narrower than the format. ``blocks`` knows
blocks of rows of text messages alone, ``plain`` one such row, ``rich`` rows with parts, images,
tools, weights and names.
"""

from __future__ import annotations

import msgspec

from ftproviders.data.fast.blocks import AcceptedBlock, PlainBlocks
from ftproviders.data.fast.plain import Patterns, PlainRows
from ftproviders.data.fast.rich import RichRows
from ftproviders.data.fast.sums import Refused, count_quotes
from ftproviders.data.statistics import Tally

__all__ = ["AcceptedBlock", "FastPath"]

_LONGEST_PAUSE = 16


class FastPath:
    """Accepts good rows. One instance per process: it remembers what rows have in common.

    Args:
        want_keys: Whether the keys of the rows in blocks are wanted.
    """

    def __init__(self, *, want_keys: bool = False) -> None:
        patterns = Patterns()
        self._patterns = patterns
        self._blocks = PlainBlocks(patterns, want_keys=want_keys)
        self._plain = PlainRows(patterns)
        self._rich = RichRows()
        self._rich_first = False
        self._rows = 0
        self._longest = 0
        self._text_bytes = 0
        self._pause = self._wait = 0
        self.key = 0
        """Key of the last row accepted by itself."""

    def accept_block(self, raw: bytes) -> AcceptedBlock | None:
        """Accept a block of whole lines and count it, or return None: look at row after row.

        After a refusal it refuses more blocks without a look, so that a file of other rows does
        not pay for a vain one each time.
        """
        if self._wait:
            self._wait -= 1
            return None
        accepted = self._blocks.accept(raw)
        if accepted is None:
            self._pause = self._wait = min(self._pause * 2 + 1, _LONGEST_PAUSE)
            return None
        self._pause = 0
        self._rows += accepted.rows
        self._text_bytes += accepted.text_bytes
        self._longest = max(self._longest, max(accepted.sizes) - 1)
        return accepted

    def accept(self, line: bytes) -> bool:
        """Accept a row and count it, or leave it to the judge and return False."""
        if not self._look(line):
            return False
        self._rows += 1
        if len(line) > self._longest:
            self._longest = len(line)
        return True

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        tally.rows += self._rows
        tally.text_bytes += self._text_bytes
        tally.longest_row_bytes = max(tally.longest_row_bytes, self._longest)
        self._rows = self._longest = self._text_bytes = 0
        self._plain.drain(tally)
        self._patterns.drain(tally)
        self._rich.drain(tally)

    def _look(self, line: bytes) -> bool:
        """Try the kind of row that the last one was, then the other kind."""
        quotes = count_quotes(line)
        if self._rich_first:
            if self._try_rich(line, quotes):
                # A plain row is accepted here too: go back to the faster kind as soon as possible.
                self._rich_first = self._rich.last_was_rich
                return True
            return False
        try:
            accepted = self._plain.accept(line, quotes)
            self.key = self._plain.key
            return accepted
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._rich_first = self._try_rich(line, quotes)
            return self._rich_first

    def _try_rich(self, line: bytes, quotes: int) -> bool:
        try:
            accepted = self._rich.accept(line, quotes)
            self.key = self._rich.key
            return accepted
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Refused):
            return False
