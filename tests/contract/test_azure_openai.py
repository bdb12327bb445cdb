"""The contract, kept by the adapter `azure-openai` over the real SDK and the emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ftproviders.testing import AdapterContract
from ftproviders.testing.azure_openai import AzureOpenAIRig


class TestAzureOpenAI(AdapterContract):
    """By the routes without a date, and by those of an api-version."""

    @pytest.fixture(scope="class", params=["v1", "2025-04-01-preview"])
    @classmethod
    def rig(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[AzureOpenAIRig]:
        rig = AzureOpenAIRig(tmp_path_factory.mktemp("azure"), api_version=request.param)
        yield rig
        rig.close()
