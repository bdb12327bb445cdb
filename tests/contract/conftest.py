"""Differences between adapters are markers with reasons: see `ftproviders.testing.plugin`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ftproviders.testing.plugin import mark_differences


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_differences(items)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Make worlds over adapter `openai`; all are closed in the end."""
    # Here, so that tests of other adapters do not need the SDK.
    from tests.contract.openai_world import OpenAIWorld

    with ExitStack() as made:

        def world(**behaviour: object) -> OpenAIWorld:
            new = OpenAIWorld(tmp_path, **behaviour)
            made.callback(new.close)
            return new

        yield world
