"""An emulator of OpenAI's fine-tuning API that the real ``openai`` SDK talks to.

``with OpenAIEmulator() as server: OpenAI(base_url=server.base_url, api_key=server.api_key)``, or
``python -m ftproviders.testing openai --port 8000`` for other programs. See ``docs/rehearsing.md``.

- `OpenAIEmulator`, `Behaviour`: the server, and how it behaves
- `WireFault`, `WireFaultKind`: scripted faults
- `OpenAIRig`, `OpenAIHostingRig`: rigs of the contract suite over it
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftproviders.testing.openai.call import Behaviour
    from ftproviders.testing.openai.emulator import OpenAIEmulator
    from ftproviders.testing.openai.faults import WireFault, WireFaultKind
    from ftproviders.testing.openai.rig import OpenAIHostingRig, OpenAIRig

__all__ = [
    "Behaviour",
    "OpenAIEmulator",
    "OpenAIHostingRig",
    "OpenAIRig",
    "WireFault",
    "WireFaultKind",
]

_HOME = {
    "Behaviour": "call",
    "OpenAIEmulator": "emulator",
    "OpenAIHostingRig": "rig",
    "OpenAIRig": "rig",
    "WireFault": "faults",
    "WireFaultKind": "faults",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
