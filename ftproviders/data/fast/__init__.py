"""The fast path: accept a good supervised row with typed decoding, or refuse to say anything.

It accepts only what the judge would find nothing in, whatever the provider (images, which some
mind, can be switched off); a refusal means nothing but "ask the judge". Its types are therefore
narrower than the format. ``plain`` knows rows of text messages alone, ``rich`` the others: parts,
images, tools, weights, names.
"""

from __future__ import annotations

import msgspec

from ftproviders.data.fast.plain import PlainRows
from ftproviders.data.fast.rich import RichRows
from ftproviders.data.fast.sums import Refused, count_quotes
from ftproviders.data.statistics import Tally

__all__ = ["FastPath"]


class FastPath:
    """Accepts good rows. One instance per process: it remembers what rows have in common.

    Args:
        images: Whether rows with images are accepted.
    """

    def __init__(self, *, images: bool = True) -> None:
        self._plain = PlainRows()
        self._rich = RichRows()
        self.allow_images(images)
        self._rich_first = False
        self._rows = 0
        self._longest = 0

    def allow_images(self, allowed: bool) -> None:
        """Say whether rows with images are accepted from now on."""
        self._rich.images = allowed

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
        tally.longest_row_bytes = max(tally.longest_row_bytes, self._longest)
        self._rows = self._longest = 0
        self._plain.drain(tally)
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
            return self._plain.accept(line, quotes)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._rich_first = self._try_rich(line, quotes)
            return self._rich_first

    def _try_rich(self, line: bytes, quotes: int) -> bool:
        try:
            return self._rich.accept(line, quotes)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Refused):
            return False
