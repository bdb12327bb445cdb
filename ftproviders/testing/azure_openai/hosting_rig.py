"""Rig of the hosting contract over both emulated planes of a resource, by the real SDKs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr
from typing_extensions import override

from ftproviders.adapters.azure_openai import PROVIDER
from ftproviders.adapters.azure_openai.hosting import AzureOpenAIHosting
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.provider import HostingAdapter, ProviderInfo
from ftproviders.schema.deployment import DeploymentSpec
from ftproviders.schema.job import TunedModel
from ftproviders.testing.azure_openai.arm import ArmEmulator
from ftproviders.testing.azure_openai.emulator import AzureOpenAIEmulator
from ftproviders.testing.azure_openai.resource import HostingBehaviour, Resource
from ftproviders.testing.azure_openai.rig import AzureOpenAIRig
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.rig import HostingRig

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AzureHostingRig", "environment"]

_READ_EVERY_SECONDS = 15.0
_SHARED = "shared-deployment"


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process, and put back what was there before.

    Azure's SDKs read the identity's address and the trusted certificates from nowhere else.
    """
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class AzureHostingRig(HostingRig):
    """The hosting side of ``azure-openai``: a job of the data plane, deployed through Azure.

    Args:
        folder: For data files and the adapter's state.
        entra: Chat with a token of the identity instead of the key.
    """

    info: ProviderInfo = PROVIDER
    target = "ftproviders.adapters.azure_openai:PROVIDER"
    question = "What is on shelf number 7?"

    def __init__(self, folder: Path, *, entra: bool = False) -> None:
        self.folder = folder
        self.entra = entra
        self.clock = FakeClock()
        self._open = ExitStack()
        behaviour = HostingBehaviour(page_size=3, release_seconds=0.0)
        self.resource = Resource(clock=self.clock, behaviour=behaviour)
        self.arm = self._open.enter_context(ArmEmulator(self.resource))
        self._open.enter_context(environment(self.arm.environment))
        plane = AzureOpenAIEmulator(
            clock=self.clock, resource=self.resource, identity=self.arm.identity
        )
        self.training = AzureOpenAIRig(folder, plane)
        # Every token begins alike.
        token = self.arm.identity.token("anybody").partition(".")[0]
        self.secret = token if entra else self.training.secret
        self._model: TunedModel | None = None

    def settings(self) -> AzureOpenAISettings:
        """Return the adapter's settings."""
        return AzureOpenAISettings.model_validate(
            {
                "home": self.folder,
                "cache": self.folder,
                "api_key": None if self.entra else SecretStr(self.training.emulator.api_key),
                "endpoint": self.training.emulator.root_url,
                "subscription_id": self.resource.subscription,
                "resource_group": self.resource.group,
                "resource": self.resource.name,
                "arm_endpoint": self.arm.root_url,
            }
        )

    @override
    def make_adapter(self) -> HostingAdapter:
        return AzureOpenAIHosting(self.settings())

    @override
    def model(self) -> TunedModel:
        if self._model is None:
            model = self.training.finished.last.model
            if model is None:
                raise AssertionError("the finished job has no model")
            # A tuned model answers only behind a deployment.
            self.adapter().deploy(model, DeploymentSpec(name=_SHARED))
            self.clock.sleep(_READ_EVERY_SECONDS * 20)
            self._model = model
        return self._model

    @override
    def expected(self, answer: str) -> bool:
        return answer == "answer-7"

    @override
    def before_read(self) -> None:
        self.clock.sleep(_READ_EVERY_SECONDS)

    @override
    def close(self) -> None:
        super().close()
        self.training.close()
        self._open.close()
