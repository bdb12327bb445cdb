"""Differences between adapters are markers with reasons: see `ftproviders.testing.plugin`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ftproviders.testing.plugin import mark_differences

if TYPE_CHECKING:
    from tests.contract.openai_world import Make, OpenAIWorld


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_differences(items)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make worlds over adapter `openai`; all are closed in the end."""
    # Here, so that tests of other adapters do not need the SDK.
    from tests.contract.openai_world import OpenAIWorld

    made: list[OpenAIWorld] = []

    def world(**behaviour: object) -> OpenAIWorld:
        made.append(OpenAIWorld(tmp_path, **behaviour))
        return made[-1]

    yield world
    for one in made:
        one.close()
