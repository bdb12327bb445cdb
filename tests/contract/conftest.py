"""Differences between adapters are markers with reasons: see `ftproviders.testing.plugin`."""

from __future__ import annotations

import pytest

from ftproviders.testing.plugin import mark_differences


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_differences(items)
