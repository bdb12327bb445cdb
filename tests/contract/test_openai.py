"""The contract, kept by the adapter `openai` over the real SDK and the emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ftproviders.testing import AdapterContract, HostingContract
from ftproviders.testing.openai import OpenAIHostingRig, OpenAIRig


class TestOpenAI(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIRig]:
        rig = OpenAIRig(tmp_path_factory.mktemp("openai"))
        yield rig
        rig.close()


class TestOpenAIHosting(HostingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIHostingRig]:
        rig = OpenAIHostingRig(tmp_path_factory.mktemp("openai-hosting"))
        yield rig
        rig.close()
