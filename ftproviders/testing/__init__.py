"""Shipped help for tests: the contract suite, the in-memory provider, a fake clock, fixtures.

Everything is loaded on first use, so that the in-memory provider works without pytest:

- `AdapterContract`, `HostingContract`, `Rig`: subclass them to test an adapter (needs pytest)
- `FakeClock`: a clock that tests move by hand
- `MemoryServer`, `Fault`: the in-memory provider's server and its scripted faults
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftproviders.testing.clock import FakeClock
    from ftproviders.testing.memory.faults import Fault
    from ftproviders.testing.memory.server import MemoryServer

__all__ = [
    "FakeClock",
    "Fault",
    "MemoryServer",
]

_HOME = {
    "FakeClock": "ftproviders.testing.clock",
    "Fault": "ftproviders.testing.memory.faults",
    "MemoryServer": "ftproviders.testing.memory.server",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
