"""Every test: folders of its own, no keys from outside, no network but loopback."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A slow machine is no fault of the code; and what CI finds must be found again here.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")

FOREIGN = ("OPENAI_", "AZURE_", "HF_", "HUGGING_FACE_", "FTPROVIDERS_")
KEPT = {"FTPROVIDERS_TEST_CACHE"}


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give each test its own home, and hide the settings of whoever runs the tests."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(FOREIGN) and n not in KEPT]:
            patch.delenv(name)
        patch.setenv("FTPROVIDERS_HOME", str(home / "data"))
        patch.setenv("FTPROVIDERS_CACHE", str(home / "cache"))
        patch.setenv("FTPROVIDERS_CONFIG", str(home / "config.toml"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield home


def is_loopback(address: object) -> bool:
    """Say whether a socket address stays on this machine; Unix sockets do."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine, from within this process."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if not is_loopback(address):
            raise RuntimeError(f"a test wanted to connect to {address!r}; only loopback is allowed")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
