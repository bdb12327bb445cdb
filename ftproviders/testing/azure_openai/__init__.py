"""An emulator of Azure OpenAI: its data plane, and Azure Resource Manager over TLS.

``python -m ftproviders.testing azure-openai --port 8001`` serves it to other programs. See
``docs/rehearsing.md``.

- `AzureOpenAIEmulator`, `AzureBehaviour`: the data plane, and how it behaves
- `ArmEmulator`: the management plane
- `IdentityEmulator`: who gives tokens for both
- `Resource`: the one resource that both see
- `AzureOpenAIRig`: rig of the contract suite over the data plane
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftproviders.testing.azure_openai.arm import ArmEmulator
    from ftproviders.testing.azure_openai.call import AzureBehaviour
    from ftproviders.testing.azure_openai.emulator import AzureOpenAIEmulator
    from ftproviders.testing.azure_openai.identity import IdentityEmulator
    from ftproviders.testing.azure_openai.resource import Resource
    from ftproviders.testing.azure_openai.rig import AzureOpenAIRig

__all__ = [
    "ArmEmulator",
    "AzureBehaviour",
    "AzureOpenAIEmulator",
    "AzureOpenAIRig",
    "IdentityEmulator",
    "Resource",
]

_HOME = {
    "ArmEmulator": "arm",
    "AzureBehaviour": "call",
    "AzureOpenAIEmulator": "emulator",
    "AzureOpenAIRig": "rig",
    "IdentityEmulator": "identity",
    "Resource": "resource",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
