"""The runtime over hosting `azure-openai`, the real SDKs and both planes, by one fake clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ftproviders.adapters.azure_openai.hosting import AzureOpenAIHosting
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.client import FineTuneClient
from ftproviders.config import Config
from ftproviders.runtime import Session
from ftproviders.schema.job import ModelSource, TunedModel
from ftproviders.testing.azure_openai.arm import ArmEmulator
from ftproviders.testing.azure_openai.arm_faults import ArmFault
from ftproviders.testing.azure_openai.emulator import AzureOpenAIEmulator
from ftproviders.testing.azure_openai.hosting_rig import environment
from ftproviders.testing.azure_openai.resource import HostingBehaviour, Resource
from ftproviders.testing.clock import FakeClock

BASE = "gpt-4.1-mini-2025-04-14"
TUNED = f"{BASE}.ft-0123456789abcdef0123456789abcdef"
MODEL = TunedModel(
    source=ModelSource.PROVIDER_MODEL, name=TUNED, provider="azure-openai", base_model=BASE
)


class AzureWorld:
    """One emulated resource; any number of clients, each like a machine or a process of its own."""

    def __init__(self, folder: Path, *, others: Iterable[Resource] = (), **behaviour: Any) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self._open = ExitStack()
        self.resource = Resource(
            clock=self.clock, behaviour=HostingBehaviour(**{"page_size": 7, **behaviour})
        )
        self.resource.plant(TUNED, base=BASE)
        self.arm = self._open.enter_context(ArmEmulator(self.resource, others=others))
        self._open.enter_context(environment(self.arm.environment))
        self.plane = self._open.enter_context(
            AzureOpenAIEmulator(
                clock=self.clock, resource=self.resource, identity=self.arm.identity
            )
        )

    def settings(self, machine: str = "here", **changes: Any) -> AzureOpenAISettings:
        given = {
            "home": self.folder / machine,
            "cache": self.folder / "cache",
            "api_key": SecretStr(self.plane.api_key),
            "endpoint": self.plane.root_url,
            "subscription_id": self.resource.subscription,
            "resource_group": self.resource.group,
            "resource": self.resource.name,
            "arm_endpoint": self.arm.root_url,
            "timeout_seconds": 2.0,
        }
        return AzureOpenAISettings.model_validate({**given, **changes})

    def host(self, machine: str = "here", **changes: Any) -> AzureOpenAIHosting:
        made = AzureOpenAIHosting(self.settings(machine, **changes))
        self._open.callback(made.close)
        return made

    def client(
        self, machine: str = "here", *, attempts: int = 5, clock: Any = None, **changes: Any
    ) -> FineTuneClient:
        home = self.folder / machine
        config = Config(
            home=home,
            cache=self.folder / "cache",
            config_file=self.folder / "none.toml",
            attempts=attempts,
        )
        host = self.host(machine, **changes)
        session = Session(config, clock=clock or self.clock, hosts={"azure-openai": host})
        client = FineTuneClient(session=session)
        self._open.callback(client.close)
        return client

    def inject(self, operation: str, kind: str, **more: Any) -> None:
        self.arm.faults.inject(ArmFault(operation, kind=kind, **more))

    def sent(self, operation: str) -> int:
        """Count the requests of an operation that reached the management plane."""
        return len(self.arm.requests_of(operation))

    def body(self) -> Mapping[str, Any]:
        """Return the body of the last request that made a deployment."""
        body = self.arm.requests_of("Deployments_CreateOrUpdate")[-1].body
        assert isinstance(body, dict)
        return body

    def names(self) -> set[str]:
        """Return the names of what is there and not being deleted."""
        return {d["id"] for d in self.resource.deployments if d["deleting_at"] is None}

    def past(self, **ago: float) -> str:
        """Return a moment as tags write it."""
        moment = self.clock.now() - timedelta(**ago)
        return moment.isoformat().replace("+00:00", "Z")

    def close(self) -> None:
        self._open.close()
