"""How far a file has been read, rewritten in place on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ftproviders.cli.output import Output

__all__ = ["reading"]

_EVERY_SECONDS = 0.1
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def reading(out: Output, what: str) -> Callable[[int, int], None] | None:
    """Return what is to be called with bytes read and bytes in all; None off a terminal.

    Args:
        out: Where the line goes.
        what: What is being done to which file, for instance ``reading train.jsonl``.
    """
    if not out.live_possible:
        return None
    began = shown = time.monotonic()

    def tell(read: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < _EVERY_SECONDS:
            return
        shown = now
        speed = f", {_size(read / (now - began))}/s" if now > began else ""
        out.live(f"{what}: {read / max(total, 1):4.0%} of {_size(total)}{speed}")

    return tell


def _size(count: float) -> str:
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit < 2 else f"{count:.1f} {_UNITS[unit]}"
