"""The contract, kept by the in-memory provider: in this process, and over a folder."""

from __future__ import annotations

import pytest

from ftproviders.testing import AdapterContract, HostingContract, MemoryServer
from tests.contract.memory_rig import KEY, MemoryHostingRig, MemoryRig


class TestMemory(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory: pytest.TempPathFactory) -> MemoryRig:
        return MemoryRig(tmp_path_factory.mktemp("memory"))


class TestMemoryInFolder(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory: pytest.TempPathFactory) -> MemoryRig:
        folder = tmp_path_factory.mktemp("memory-folder")
        return MemoryRig(folder, MemoryServer(folder / "server", api_key=KEY))


class TestMemoryHosting(HostingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory: pytest.TempPathFactory) -> MemoryHostingRig:
        return MemoryHostingRig(tmp_path_factory.mktemp("memory-hosting"))
