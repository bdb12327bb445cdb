"""One request on its way through the emulated Resource Manager: what it gets and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftproviders.testing.azure_openai.resource import Resource
from ftproviders.testing.openai.faults import WireFault, WireFaultKind

__all__ = ["ArmAnswer", "ArmCall"]


@dataclass(frozen=True)
class ArmAnswer:
    """An answer: status, JSON body or None, headers."""

    status: int
    body: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArmCall:
    """A request that has been read."""

    resource: Resource
    others: Mapping[str, Resource]
    """ARM id in small letters -> another resource whose models can be deployed here."""
    root_url: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    may_write: bool
    """False = whoever asks has a role that only reads."""
    misbehaviour: Mapping[WireFaultKind, WireFault]

    @property
    def name(self) -> str:
        """The deployment that is asked for."""
        return self.path["deploymentName"]

    def link(self, kind: str, operation: str) -> str:
        """Return the address at which a long-running operation is followed."""
        return (
            f"{self.root_url}/subscriptions/{self.resource.subscription}/providers"
            f"/Microsoft.CognitiveServices/locations/{self.resource.location}/{kind}/{operation}"
            f"?api-version={self.query['api-version']}"
        )
