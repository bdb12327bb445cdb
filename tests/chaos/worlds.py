"""Where chaos happens: a machine with its folders, a service, and what is asked of it.

`World` is what the points need; `MemoryWorld` has the in-memory provider, `OpenAIWorld` (in
``openai_world``) the emulator of OpenAI's API with the real SDK.
"""

from __future__ import annotations

import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ftproviders.journal import Journal
from ftproviders.schema.submission import JobRecord
from ftproviders.testing.memory.faults import Fault
from ftproviders.testing.memory.server import MemoryServer
from tests.chaos.launcher import Launcher

__all__ = ["SETTLE_SECONDS", "LagPoint", "MemoryWorld", "PlannedFault", "World"]

SETTLE_SECONDS = 0.6
_POLL_SECONDS = 0.05
_SERVICES = ("OPENAI_", "AZURE_", "FTPROV")
"""How variables begin that a command must not inherit."""
_LAUNCHERS = threading.local()
_RUNNING: list[Launcher] = []


@dataclass(frozen=True)
class PlannedFault:
    """A fault of the table."""

    name: str
    kind: str
    when: str = "before"


@dataclass(frozen=True)
class LagPoint:
    """A create request whose answer is lost while the list of jobs lags."""

    name: str
    kind: str
    lag_seconds: float

    @property
    def longer_than_the_window(self) -> bool:
        """True when the job is listed only after the settle window."""
        return self.lag_seconds > SETTLE_SECONDS


def lag_points(*kinds: str, short: float, long: float) -> Sequence[LagPoint]:
    """Return a point for each kind of lost answer, with a short lag and a long one."""
    return tuple(
        LagPoint(f"lag-{word}-{kind}", kind, seconds)
        for word, seconds in (("short", short), ("long", long))
        for kind in kinds
    )


def launcher() -> Launcher:
    """Return this thread's launcher."""
    if not hasattr(_LAUNCHERS, "one"):
        _LAUNCHERS.one = Launcher()
        _RUNNING.append(_LAUNCHERS.one)
    return _LAUNCHERS.one  # type: ignore[no-any-return]  # thread-local attributes have no type


def close_launchers() -> None:
    """End the launchers of all threads."""
    while _RUNNING:
        _RUNNING.pop().close()


class World(ABC):
    """A machine: home folder, service, job files, and commands run in processes of their own.

    Args:
        folder: Everything is kept here; it must not exist.
        lagging: Whether the point is about lists that lag.
    """

    name: ClassVar[str]
    faults: ClassVar[Sequence[PlannedFault]]
    lags: ClassVar[Sequence[LagPoint]]
    job_file: ClassVar[str]
    expected_jobs: ClassVar[int] = 1
    """Jobs that the service should have made in the end."""
    secret: ClassVar[str | None] = None
    """The key in use; it may show up nowhere."""

    def __init__(self, folder: Path, *, lagging: bool = False) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.lagging = lagging
        self.last_words = ""
        self.tracebacks = 0
        self.leaks = 0
        self.pid = 0
        rows = [
            {
                "messages": [
                    {"role": "user", "content": f"question {number}"},
                    {"role": "assistant", "content": f"answer {number}"},
                ]
            }
            for number in range(12)
        ]
        (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "job.yaml").write_text(self.job_file)

    # --- what the service knows --------------------------------------------------------------

    @abstractmethod
    def inject(self, planned: PlannedFault, *, nth: int) -> None:
        """Let the `nth` request from now on meet a fault."""

    @abstractmethod
    def inject_lag(self, point: LagPoint) -> None:
        """Lose the answer to the next create request, and let lists lag."""

    @abstractmethod
    def operations(self) -> list[str]:
        """Return the requests received so far."""

    @abstractmethod
    def firings(self) -> int:
        """Return how many faults have fired."""

    @abstractmethod
    def job_ids(self) -> list[str]:
        """Return every job that the service has made."""

    @abstractmethod
    def stray_uploads(self) -> int:
        """Return how many files were made that nothing needed."""

    def orphans(self) -> int:
        """Return how many deployments are left that were to be gone, or were never needed."""
        return 0

    @abstractmethod
    def pass_the_lag(self, seconds: float) -> None:
        """Let time pass until a job is listed that lags by this much."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Return the environment variables by which a command finds the service."""

    # --- what is asked of it -----------------------------------------------------------------

    def steps(self) -> int:
        """Return how many commands the way has; each is repeated until it succeeds."""
        return 1

    def step(self, number: int) -> int:
        """Run one command of the way; return its exit code."""
        del number
        return self.submit()

    def submit(self) -> int:
        """Run the command under test; return its exit code, negative for a signal."""
        return self.run("submit", "job.yaml", "--wait", "--yes")

    def run(self, *arguments: str) -> int:
        """Run the command line in a process of its own."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(_SERVICES)},
            "FTPROVIDERS_HOME": str(self.folder / "home"),
            "FTPROVIDERS_CACHE": str(self.folder / "cache"),
            "FTPROVIDERS_CONFIG": str(self.folder / "config.toml"),
            "FTPROVIDERS_SETTLE_SECONDS": str(SETTLE_SECONDS),
            "FTPROVIDERS_POLL_SECONDS": str(_POLL_SECONDS),
            **self.settings(),
        }
        code, out, errors = launcher().run(
            arguments, folder=self.folder, environment=environment, started=self._started
        )
        self.last_words = errors.strip()[-300:]
        self.tracebacks += "Traceback" in errors
        self.leaks += self.secret is not None and self.secret in out + errors
        return code

    def _started(self, pid: int) -> None:
        self.pid = pid

    # --- what is left ------------------------------------------------------------------------

    def journal_records(self) -> list[JobRecord]:
        """Read the journal as it stands on the disk."""
        journal = Journal(self.folder / "home" / "journal.db")
        try:
            return list(journal.records())
        finally:
            journal.close()

    def leaked_keys(self) -> int:
        """Return how many outputs and files of ours hold the key."""
        if self.secret is None:
            return 0
        secret = self.secret.encode()
        files = [
            path
            for name in ("home", "cache")
            for path in (self.folder / name).rglob("*")
            if path.is_file()
        ]
        return self.leaks + sum(secret in path.read_bytes() for path in files)

    @abstractmethod
    def close(self) -> None:
        """End the service."""


class MemoryWorld(World):
    """The in-memory provider, its state in a folder."""

    name = "memory"
    job_file = (
        "provider: memory\nbase_model: memory-small\ntraining_file: train.jsonl\n"
        "hyperparameters: {n_epochs: 2}\n"
    )
    faults = (
        PlannedFault("kill-before", "kill"),
        PlannedFault("kill-after", "kill", "after"),
        PlannedFault("reset-before", "reset"),
        PlannedFault("reset-after", "reset", "after"),
        PlannedFault("timeout-before", "timeout"),
        PlannedFault("timeout-after", "timeout", "after"),
        PlannedFault("500-before", "server_error"),
        PlannedFault("500-after", "server_error", "after"),
        PlannedFault("503-before", "unavailable"),
        PlannedFault("429-before", "rate_limit"),
        PlannedFault("truncated-after", "truncated", "after"),
        PlannedFault("malformed-after", "malformed", "after"),
        PlannedFault("stale", "stale"),
        PlannedFault("unknown-status", "unknown_status"),
    )
    lags = lag_points("kill", "reset", "timeout", "server_error", "truncated", short=0.2, long=4.0)

    def __init__(self, folder: Path, *, lagging: bool = False) -> None:
        super().__init__(folder, lagging=lagging)
        self.server = MemoryServer(folder / "server")

    @override
    def inject(self, planned: PlannedFault, *, nth: int) -> None:
        fault = Fault("*", kind=planned.kind, when=planned.when, nth=nth, word="mystifying")
        self.server.inject(fault)

    @override
    def inject_lag(self, point: LagPoint) -> None:
        self.server.inject(
            Fault("create", kind="list_lag", seconds=point.lag_seconds),
            Fault("create", kind=point.kind, when="after"),
        )

    @override
    def operations(self) -> list[str]:
        return [request.operation for request in self.server.requests()]

    @override
    def firings(self) -> int:
        return len(self.server.firings())

    @override
    def job_ids(self) -> list[str]:
        return [job["id"] for job in self.server.jobs()]

    @override
    def stray_uploads(self) -> int:
        sent = self.server.requests("upload")
        carried_out = [r for r in sent if not r.outcome.startswith("before")]
        return max(len(carried_out) - 1, 0)

    @override
    def pass_the_lag(self, seconds: float) -> None:
        job: dict[str, Any] = self.server.jobs()[0]
        age = datetime.now(UTC) - datetime.fromisoformat(job["made_at"])
        time.sleep(max(seconds - age.total_seconds(), 0) + 0.1)

    @override
    def settings(self) -> dict[str, str]:
        return {"FTPROVIDERS_MEMORY_FOLDER": str(self.folder / "server")}

    @override
    def close(self) -> None:
        """Nothing runs here between two commands."""
