"""A clock that tests move by hand. Nothing here ever waits."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """Time that passes only when somebody sleeps or advances it. Safe to share among threads.

    Args:
        start: The first moment; default 2026-01-01 00:00 UTC.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._elapsed_seconds = 0.0
        self._slept: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        with self._lock:
            return self._start + timedelta(seconds=self._elapsed_seconds)

    def monotonic(self) -> float:
        """Return the seconds that have passed since the clock was made."""
        with self._lock:
            return self._elapsed_seconds

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once, and remember that somebody slept.

        Raises:
            ValueError: `seconds` is negative.
        """
        self.advance(seconds)
        with self._lock:
            self._slept.append(seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass without a sleep.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds} seconds")
        with self._lock:
            self._elapsed_seconds += seconds

    @property
    def slept(self) -> tuple[float, ...]:
        """Every sleep so far, in seconds."""
        with self._lock:
            return tuple(self._slept)
