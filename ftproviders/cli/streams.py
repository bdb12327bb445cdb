"""Standard streams that are closed, full, or whose reader has gone away."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TextIO

__all__ = ["ReaderGoneError", "StreamError", "open_closed", "settle", "telling", "writing"]


class StreamError(Exception):
    """A standard stream cannot be written.

    Neither an OSError nor one of the package's own errors, so that it passes untouched through
    code that takes those for what a disk or a provider did.
    """

    hint = "Send the output somewhere else. What was asked for may be done: see `ftproviders jobs`."

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ReaderGoneError(StreamError):
    """Whoever read a standard stream has gone away, as in ``| head``."""


@contextmanager
def writing() -> Iterator[None]:
    """Write results; what a dead stream raises becomes one of the errors above."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError("The reader of the output has gone away.") from error
    except OSError as error:
        reason = error.strerror or "it is closed"
        raise StreamError(f"The output cannot be written: {reason}.") from error


@contextmanager
def telling() -> Iterator[None]:
    """Write to stderr, where only a reader that goes away ends a command.

    What a person is told and has no place to go is lost; the exit code still speaks.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError("The reader of the output has gone away.") from error
    except OSError:
        pass


def open_closed() -> None:
    """Put an empty stream where the program was started with a closed one (``>&-``)."""
    # In this order each gets its own number again, so that no file is opened under one of them.
    if sys.stdin is None:
        sys.stdin = _nowhere("r")
    if sys.stdout is None:
        sys.stdout = _nowhere("w")
    if sys.stderr is None:
        sys.stderr = _nowhere("w")


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123 - stays open until the end


def settle() -> None:
    """Empty stdout and stderr; what a dead one still holds goes nowhere.

    Python flushes both at exit and would complain, with an exit code of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of ours
                os.dup2(nowhere.fileno(), stream.fileno())
                stream.flush()
