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
    from ftproviders.testing.contract import AdapterContract
    from ftproviders.testing.hosting_contract import HostingContract
    from ftproviders.testing.memory.faults import Fault
    from ftproviders.testing.memory.server import MemoryServer
    from ftproviders.testing.rig import HostingRig, Rig

__all__ = [
    "AdapterContract",
    "FakeClock",
    "Fault",
    "HostingContract",
    "HostingRig",
    "MemoryServer",
    "Rig",
]

_HOME = {
    "AdapterContract": "ftproviders.testing.contract",
    "FakeClock": "ftproviders.testing.clock",
    "Fault": "ftproviders.testing.memory.faults",
    "HostingContract": "ftproviders.testing.hosting_contract",
    "HostingRig": "ftproviders.testing.rig",
    "MemoryServer": "ftproviders.testing.memory.server",
    "Rig": "ftproviders.testing.rig",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
