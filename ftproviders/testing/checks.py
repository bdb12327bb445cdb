"""What the contract suite checks with: sentences instead of bare asserts, and watchers.

Nothing here needs pytest. A failed check raises AssertionError with a sentence that an author of
an adapter can act on.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest import mock

from typing_extensions import override

from ftproviders.provider import HostingAdapter, TrainingAdapter

__all__ = ["Watched", "as_runtime", "no_network", "raised", "require", "watched"]

E = TypeVar("E", bound=BaseException)
T = TypeVar("T")


def require(condition: object, sentence: str) -> None:
    """Fail with `sentence` unless `condition` holds.

    Raises:
        AssertionError: It does not hold.
    """
    if not condition:
        raise AssertionError(sentence)


def as_runtime(
    adapter: TrainingAdapter | HostingAdapter, operation: str, call: Callable[[], T]
) -> T:
    """Call as the runtime does: what an adapter lets through is translated by it.

    Raises:
        FineTuneError: Whatever was raised, translated.
    """
    try:
        return call()
    except Exception as error:
        translated = adapter.translate(error, operation=operation)
        if translated is error:
            raise
        raise translated from error


def raised(kind: type[E], call: Callable[[], object], *, when: str) -> E:
    """Return the exception of `kind` that `call` raises.

    Args:
        kind: Expected class.
        call: What to call; for calls that reach the provider, see `as_runtime`.
        when: What is being done, for the sentence: ``retrieve of an unknown id``.

    Raises:
        AssertionError: Nothing was raised, or something else.
    """
    try:
        result = call()
    except kind as error:
        return error
    except Exception as error:
        raise AssertionError(
            f"{when} must raise {kind.__name__}, not {type(error).__name__}: {error}"
        ) from error
    raise AssertionError(f"{when} must raise {kind.__name__}; it returned {result!r}")


@contextlib.contextmanager
def no_network() -> Iterator[None]:
    """Let every attempt to reach the network fail with a sentence."""

    def refuse(*_args: object, **_kwargs: object) -> Any:
        raise AssertionError("this must work without network, and it tried to connect")

    with (
        mock.patch.object(socket.socket, "connect", refuse),
        mock.patch.object(socket.socket, "connect_ex", refuse),
        mock.patch.object(socket, "getaddrinfo", refuse),
    ):
        yield


@dataclass
class Watched:
    """What an adapter did besides its work."""

    sleepers: list[str] = field(default_factory=list)
    """Modules that called ``time.sleep``; the standard library does not count."""
    printed: str = ""
    logged: str = ""


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    """Watch sleeping, printing and logging; the result is complete after the block."""
    seen = Watched()
    collector = _Collector()
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        caller = sys._getframe(1).f_globals.get("__name__", "?")
        if caller.partition(".")[0] not in sys.stdlib_module_names:
            seen.sleepers.append(caller)
        real_sleep(seconds)

    root = logging.getLogger()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    out = io.StringIO()
    try:
        with (
            mock.patch.object(time, "sleep", sleep),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
        ):
            yield seen
    finally:
        root.removeHandler(collector)
        root.setLevel(level)
        seen.printed = out.getvalue()
        seen.logged = "\n".join(collector.lines)
