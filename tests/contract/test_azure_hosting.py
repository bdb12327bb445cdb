"""The hosting contract, kept by `azure-openai` over the real SDKs and both emulated planes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ftproviders.testing import HostingContract
from ftproviders.testing.azure_openai.hosting_rig import AzureHostingRig


class TestAzureHosting(HostingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureHostingRig]:
        rig = AzureHostingRig(tmp_path_factory.mktemp("azure-hosting"))
        yield rig
        rig.close()


class TestAzureHostingByEntraId(HostingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureHostingRig]:
        rig = AzureHostingRig(tmp_path_factory.mktemp("azure-hosting"), entra=True)
        yield rig
        rig.close()
