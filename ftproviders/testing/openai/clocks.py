"""Where an emulator's time comes from."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "SteerableClock"]


class Clock(Protocol):
    """What the emulator needs of a clock."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        ...


class SteerableClock:
    """The system's time, which can be moved forward."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        with self._lock:
            return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
