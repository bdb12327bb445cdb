"""The runtime over adapter `openai`, the real SDK and an emulator, by a clock of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
from pydantic import SecretStr

from ftproviders.adapters.openai.adapter import OpenAIAdapter, OpenAIHosting
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.client import FineTuneClient
from ftproviders.config import Config
from ftproviders.runtime import Session
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import JobSpec
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.openai import Behaviour, OpenAIEmulator, WireFault
from ftproviders.testing.openai.rig import training_rows

MODEL = "gpt-4.1-mini-2025-04-14"
KEY = "sk-planted-" + "0a1B" * 6


class OpenAIWorld:
    """One emulated account; any number of clients, each like a process of its own."""

    provider = "openai"

    def __init__(self, folder: Path, **behaviour: Any) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.server = self.make_server(**behaviour).start()
        self.training_file = folder / "train.jsonl"
        self.training_file.write_text(training_rows(Method.SUPERVISED))
        self._clients: list[FineTuneClient] = []

    # --- what another service overrides ----------------------------------------------------

    def make_server(self, **behaviour: Any) -> OpenAIEmulator:
        return OpenAIEmulator(clock=self.clock, behaviour=Behaviour(**behaviour))

    def settings(self, **changes: Any) -> Any:
        given = {**self.common(), "base_url": self.server.base_url}
        return OpenAISettings.model_validate({**given, **changes})

    def adapters(self, settings: Any) -> dict[str, Any]:
        return {
            "adapters": {self.provider: OpenAIAdapter(settings)},
            "hosts": {self.provider: OpenAIHosting(settings)},
        }

    # --- what tests use -----------------------------------------------------------------------

    def common(self) -> dict[str, Any]:
        return {
            "home": self.folder / "home",
            "cache": self.folder / "cache",
            "api_key": SecretStr(self.server.api_key),
            "timeout_seconds": 2.0,
        }

    def client(self, **settings: Any) -> FineTuneClient:
        chosen = self.settings(**settings)
        config = Config(home=chosen.home, cache=chosen.cache, config_file=self.folder / "none.toml")
        session = Session(config, clock=self.clock, **self.adapters(chosen))
        self._clients.append(FineTuneClient(session=session))
        return self._clients[-1]

    def spec(self, **changes: Any) -> JobSpec:
        given: dict[str, Any] = {
            "provider": self.provider,
            "base_model": MODEL,
            "training_file": str(self.training_file),
            "hyperparameters": Hyperparameters(n_epochs=2),
        }
        return JobSpec.model_validate({**given, **changes})

    def inject(self, operation: str, kind: str, **more: Any) -> None:
        self.server.faults.inject(WireFault(operation, kind=kind, **more))

    def sent(self, operation: str) -> int:
        """Count the requests of an operation that reached the server."""
        return len(self.server.requests_of(operation))

    def data_files(self) -> list[dict[str, Any]]:
        """Return the files that were uploaded, without those that jobs left."""
        return [file for file in self.server.files() if file["purpose"] == "fine-tune"]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.server.close()


Make = Callable[..., OpenAIWorld]
"""What the fixture `make` gives: a world with a behaviour."""


def over(transport: httpx2.BaseTransport) -> openai.OpenAI:
    """Return the SDK's client over a transport of the test's own."""
    return openai.OpenAI(
        api_key=KEY,
        base_url="http://127.0.0.1:9/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    )
