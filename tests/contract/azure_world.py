"""The runtime over adapter `azure-openai`, the real SDK and an emulator, by a test's own clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import override

from ftproviders.adapters.azure_openai.adapter import AzureOpenAIAdapter
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.testing.azure_openai import AzureBehaviour, AzureOpenAIEmulator, IdentityEmulator
from tests.contract.openai_world import MODEL, OpenAIWorld

__all__ = ["MODEL", "AzureWorld"]

_TIMES = {"validating_seconds": 1.0, "queued_seconds": 1.0, "running_seconds": 24.0}


class AzureWorld(OpenAIWorld):
    """One emulated resource; any number of clients, each like a process of its own."""

    provider = "azure-openai"
    server: AzureOpenAIEmulator

    def __init__(
        self, folder: Path, *, identity: IdentityEmulator | None = None, **behaviour: Any
    ) -> None:
        self._identity = identity
        super().__init__(folder, **behaviour)

    @override
    def make_server(self, **behaviour: Any) -> AzureOpenAIEmulator:
        habits = AzureBehaviour(**{**_TIMES, **behaviour})
        return AzureOpenAIEmulator(clock=self.clock, behaviour=habits, identity=self._identity)

    @override
    def settings(self, **changes: Any) -> AzureOpenAISettings:
        given = {**self.common(), "endpoint": self.server.endpoint}
        return AzureOpenAISettings.model_validate({**given, **changes})

    @override
    def adapters(self, settings: Any) -> dict[str, Any]:
        return {"adapters": {self.provider: AzureOpenAIAdapter(settings)}}

    def body(self) -> Any:
        """Return the last create request."""
        return self.server.requests_of("createFineTuningJob")[-1].body
