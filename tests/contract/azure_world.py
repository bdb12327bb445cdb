"""The runtime over adapter `azure-openai`, the real SDK and an emulator, by a test's own clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ftproviders.adapters.azure_openai.adapter import AzureOpenAIAdapter
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.client import FineTuneClient
from ftproviders.config import Config
from ftproviders.runtime import Session
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import JobSpec
from ftproviders.testing.azure_openai import AzureBehaviour, AzureOpenAIEmulator, IdentityEmulator
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.openai import WireFault
from ftproviders.testing.openai.rig import training_rows

MODEL = "gpt-4.1-mini-2025-04-14"


class AzureWorld:
    """One emulated resource; any number of clients, each like a process of its own."""

    def __init__(
        self, folder: Path, *, identity: IdentityEmulator | None = None, **behaviour: Any
    ) -> None:
        self.folder = folder
        self.clock = FakeClock()
        times = {"validating_seconds": 1.0, "queued_seconds": 1.0, "running_seconds": 24.0}
        self.server = AzureOpenAIEmulator(
            clock=self.clock, behaviour=AzureBehaviour(**{**times, **behaviour}), identity=identity
        )
        self.server.start()
        self.training_file = folder / "train.jsonl"
        self.training_file.write_text(training_rows(Method.SUPERVISED))
        self._clients: list[FineTuneClient] = []

    def settings(self, **changes: Any) -> AzureOpenAISettings:
        given = {
            "home": self.folder / "home",
            "cache": self.folder / "cache",
            "api_key": SecretStr(self.server.api_key),
            "endpoint": self.server.endpoint,
            "timeout_seconds": 2.0,
        }
        return AzureOpenAISettings.model_validate({**given, **changes})

    def client(self, **settings: Any) -> FineTuneClient:
        chosen = self.settings(**settings)
        config = Config(home=chosen.home, cache=chosen.cache, config_file=self.folder / "none.toml")
        adapters = {"azure-openai": AzureOpenAIAdapter(chosen)}
        session = Session(config, clock=self.clock, adapters=adapters)
        self._clients.append(FineTuneClient(session=session))
        return self._clients[-1]

    def spec(self, **changes: Any) -> JobSpec:
        given: dict[str, Any] = {
            "provider": "azure-openai",
            "base_model": MODEL,
            "training_file": str(self.training_file),
            "hyperparameters": Hyperparameters(n_epochs=2),
        }
        return JobSpec.model_validate({**given, **changes})

    def inject(self, operation: str, kind: str, **more: Any) -> None:
        self.server.faults.inject(WireFault(operation, kind=kind, **more))

    def body(self) -> Any:
        """Return the last create request."""
        return self.server.requests_of("createFineTuningJob")[-1].body

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.server.close()
