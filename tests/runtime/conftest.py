"""A small world for the runtime: an in-memory server, a clock that tests own, a home folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftproviders.client import FineTuneClient
from ftproviders.config import Config
from ftproviders.journal import Journal
from ftproviders.runtime import Session
from ftproviders.schema.hyperparameters import Hyperparameters
from ftproviders.schema.job import JobSpec
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.faults import Fault
from ftproviders.testing.memory.hosting import MemoryHosting
from ftproviders.testing.memory.options import MemorySettings
from ftproviders.testing.memory.server import MemoryServer

SETTLE_SECONDS = 60.0


class World:
    """One provider, one clock; any number of clients, each like a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.server = MemoryServer(clock=self.clock)
        self.training_file = folder / "train.jsonl"
        self.write_rows(["hello", "my kettle leaks"])
        self._clients: list[FineTuneClient] = []
        self._journals: list[Journal] = []

    def write_rows(self, prompts: Sequence[str]) -> None:
        rows = (
            {
                "messages": [
                    {"role": "user", "content": prompt},
                    {"role": "assistant", "content": f"answer to {prompt}"},
                ]
            }
            for prompt in prompts
        )
        self.training_file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def client(
        self,
        *,
        home: str = "home",
        clock: FakeClock | None = None,
        poll_seconds: float | None = None,
    ) -> FineTuneClient:
        """Make a client as a new process would; another `home` is another machine."""
        root = self.folder / home
        config = Config(
            home=root,
            cache=root / "cache",
            config_file=root / "none.toml",
            settle_seconds=SETTLE_SECONDS,
            poll_seconds=poll_seconds,
        )
        settings = MemorySettings(home=root, cache=root / "cache", **self.settings())
        session = Session(
            config,
            clock=clock or self.clock,
            adapters={"memory": MemoryAdapter(settings, server=self.server)},
            hosts={"memory": MemoryHosting(settings, server=self.server)},
        )
        client = FineTuneClient(session=session)
        self._clients.append(client)
        return client

    def settings(self) -> dict[str, Any]:
        return {}

    def spec(self, **changes: Any) -> JobSpec:
        fields: dict[str, Any] = {
            "provider": "memory",
            "base_model": "memory-small",
            "training_file": str(self.training_file),
            "hyperparameters": Hyperparameters(n_epochs=2),
        }
        return JobSpec(**{**fields, **changes})

    def inject(self, operation: str, kind: str, **more: Any) -> None:
        self.server.inject(Fault(operation, kind=kind, **more))

    def sent(self, operation: str) -> int:
        """Count the requests of an operation that the server carried out."""
        outcomes = [request.outcome for request in self.server.requests(operation)]
        return sum(1 for outcome in outcomes if outcome == "ok" or outcome.startswith("after"))

    def tried(self, operation: str) -> int:
        """Count the requests of an operation that reached the server."""
        return len(self.server.requests(operation))

    def journal(self, home: str = "home") -> Journal:
        """Open a machine's journal as it stands on the disk."""
        opened = Journal(self.folder / home / "journal.db")
        self._journals.append(opened)
        return opened

    def close(self) -> None:
        for opened in (*self._clients, *self._journals):
            opened.close()


def only_job(world: World) -> dict[str, Any]:
    jobs = world.server.jobs()
    assert len(jobs) == 1, [job["id"] for job in jobs]
    return jobs[0]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()
