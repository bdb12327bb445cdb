"""Being ended from outside without leaving half a work behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from ftproviders.cli.output import Output

__all__ = ["cleared_up"]

_SIGNALS = ("SIGTERM", "SIGHUP")
"""What ``timeout``, a service manager and a closing terminal send; Ctrl-C raises by itself."""


class _EndedError(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def cleared_up(out: Output) -> Iterator[None]:
    """Let a signal that ends us first end the block as an exception does, so that it clears up.

    Then the signal does what it always does, so that whoever sent it sees no difference.

    Args:
        out: Where it is said that nothing was kept.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may have handlers
        return
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _frame: FrameType | None) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_IGN)  # one is enough: the clearing up must not be cut
        raise _EndedError(number)

    for number in taken:
        signal.signal(number, end)
    try:
        yield
    except (_EndedError, KeyboardInterrupt) as error:
        out.note("Stopped. What was written so far was removed.")
        if isinstance(error, KeyboardInterrupt):
            raise
        signal.signal(error.number, signal.SIG_DFL)
        os.kill(os.getpid(), error.number)
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
