"""An emulator of Azure OpenAI: its data plane, and Azure Resource Manager over TLS.

``python -m ftproviders.testing azure-openai --port 8001`` serves it to other programs. See
``docs/rehearsing.md``.

- `AzureOpenAIEmulator`, `AzureBehaviour`: the data plane, and how it behaves
- `ArmEmulator`, `ArmFault`: the management plane, over TLS, and what goes wrong there
- `IdentityEmulator`: who gives tokens for both
- `Resource`, `HostingBehaviour`: the one resource that both see, and how it hosts
- `AzureOpenAIRig`, `AzureHostingRig`: rigs of the contract suite over them
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftproviders.testing.azure_openai.arm import ArmEmulator
    from ftproviders.testing.azure_openai.arm_faults import ArmFault
    from ftproviders.testing.azure_openai.call import AzureBehaviour
    from ftproviders.testing.azure_openai.emulator import AzureOpenAIEmulator
    from ftproviders.testing.azure_openai.hosting_rig import AzureHostingRig
    from ftproviders.testing.azure_openai.identity import IdentityEmulator
    from ftproviders.testing.azure_openai.resource import HostingBehaviour, Resource
    from ftproviders.testing.azure_openai.rig import AzureOpenAIRig

__all__ = [
    "ArmEmulator",
    "ArmFault",
    "AzureBehaviour",
    "AzureHostingRig",
    "AzureOpenAIEmulator",
    "AzureOpenAIRig",
    "HostingBehaviour",
    "IdentityEmulator",
    "Resource",
]

_HOME = {
    "ArmEmulator": "arm",
    "ArmFault": "arm_faults",
    "AzureBehaviour": "call",
    "AzureHostingRig": "hosting_rig",
    "AzureOpenAIEmulator": "emulator",
    "AzureOpenAIRig": "rig",
    "HostingBehaviour": "resource",
    "IdentityEmulator": "identity",
    "Resource": "resource",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
