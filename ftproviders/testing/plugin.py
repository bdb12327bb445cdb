"""Pytest fixtures of ours: ``pytest_plugins = ["ftproviders.testing.plugin"]`` in a conftest.

Nothing here acts unless a test or a conftest asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.server import MemoryServer

if TYPE_CHECKING:
    from ftproviders.testing.openai import OpenAIEmulator

__all__ = ["fake_clock", "ftproviders_home", "mark_differences", "memory_server", "openai_emulator"]

_DIFFERENCES = {
    "notimpl": "our fault, to be written; the reason says when",
    "notyet": "the provider cannot do it yet; the reason names the source",
    "never": "makes no sense for this provider; the reason says why",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers of `mark_differences` known."""
    for name, meaning in _DIFFERENCES.items():
        config.addinivalue_line("markers", f"{name}(reason): {meaning}")


@pytest.fixture
def ftproviders_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh state folder that this process and its children use; no user file is read."""
    home = tmp_path / "ftproviders-home"
    monkeypatch.setenv("FTPROVIDERS_HOME", str(home))
    monkeypatch.setenv("FTPROVIDERS_CONFIG", str(tmp_path / "ftproviders-config.toml"))
    return home


@pytest.fixture
def fake_clock() -> FakeClock:
    """Return a clock that only this test moves."""
    return FakeClock()


@pytest.fixture
def memory_server(fake_clock: FakeClock) -> MemoryServer:
    """Return an in-memory server in this process, running by `fake_clock`."""
    return MemoryServer(clock=fake_clock)


@pytest.fixture
def openai_emulator(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenAIEmulator]:
    """Return an emulator of OpenAI's API by `fake_clock`; SDK and library find it by themselves."""
    from ftproviders.testing.openai import OpenAIEmulator

    with OpenAIEmulator(clock=fake_clock) as emulator:
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        yield emulator


def mark_differences(items: Iterable[pytest.Item]) -> None:
    """Expect the failure of every test with a marker ``notimpl``, ``notyet`` or ``never``.

    Call it from ``pytest_collection_modifyitems``. Once such a test passes, the run fails, so that
    the marker is taken away.

    Raises:
        pytest.UsageError: A marker has no reason.
    """
    for item in items:
        for name in _DIFFERENCES:
            marker = item.get_closest_marker(name)
            if marker is None:
                continue
            reason = marker.kwargs.get("reason")
            if not reason:
                raise pytest.UsageError(f"{item.nodeid}: marker {name} needs a reason")
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"{name}: {reason}"))
