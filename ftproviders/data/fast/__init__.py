"""The fast path: accept good supervised rows with typed decoding, or refuse to say anything.

It accepts only what the judge would find nothing in, whatever the provider; a refusal means
nothing but "ask the judge". ``types`` says what is decoded, ``blocks`` looks at many rows at once,
``rich`` at single rows with parts, images, tools, weights and names.
"""

from __future__ import annotations

from ftproviders.data.fast.blocks import Blocks, Looked
from ftproviders.data.patterns import Patterns
from ftproviders.data.statistics import Tally

__all__ = ["FastPath", "Looked"]


class FastPath:
    """Accepts good rows. One instance per process: it remembers what rows have in common.

    Args:
        patterns: Where messages are counted; whoever gives it drains it.
    """

    def __init__(self, patterns: Patterns | None = None) -> None:
        self._blocks = Blocks(patterns or Patterns())

    def look(self, lines: list[bytes], raw: bytes = b"") -> Looked:
        """Accept and count what is good among some lines, and say what is for the judge.

        Args:
            lines: The lines, without line feeds.
            raw: The same in one piece, where that is at hand.
        """
        return self._blocks.look(lines, raw or b"\n".join(lines))

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        self._blocks.drain(tally)
