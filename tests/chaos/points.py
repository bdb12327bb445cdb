"""One point of chaos: a fault at one request, then the same command until it succeeds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ftproviders.journal import Journal
from ftproviders.schema.submission import JobRecord
from ftproviders.testing.memory.faults import Fault
from ftproviders.testing.memory.server import MemoryServer

__all__ = ["FAULTS", "LAG_POINTS", "LagPoint", "Outcome", "clean_requests", "run_lag", "run_point"]

SETTLE_SECONDS = 0.6
_SHORT_LAG_SECONDS = 0.2
_LONG_LAG_SECONDS = 4.0
_MOST_RUNS = 6
_UNKNOWN_OUTCOME = 4


@dataclass(frozen=True)
class PlannedFault:
    """A fault of the table."""

    name: str
    kind: str
    when: str = "before"


FAULTS = (
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


LAG_POINTS = tuple(
    LagPoint(f"lag-{word}-{kind}", kind, seconds)
    for word, seconds in (("short", _SHORT_LAG_SECONDS), ("long", _LONG_LAG_SECONDS))
    for kind in ("kill", "reset", "timeout", "server_error", "truncated")
)


@dataclass
class Outcome:
    """What one point came to."""

    name: str
    fired: bool = False
    resumes: int = 0
    unknown: int = 0
    duplicates: int = 0
    lost: int = 0
    stray_uploads: int = 0
    codes: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def clean_requests(folder: Path) -> list[str]:
    """Run the command once without faults; return the operations that it asked for, in order."""
    world = _Folder(folder)
    code = world.submit()
    if code != 0:
        raise SystemExit(f"the clean run answered {code}: {world.last_words}")
    return [request.operation for request in world.server.requests()]


def run_point(folder: Path, number: int, operation: str, planned: PlannedFault) -> Outcome:
    """Let request `number` of the command meet a fault, then run the command again."""
    outcome = Outcome(f"request {number} ({operation}) x {planned.name}")
    world = _Folder(folder)
    world.server.inject(
        Fault("*", kind=planned.kind, when=planned.when, nth=number, word="mystifying")
    )
    for _ in range(_MOST_RUNS):
        code = world.submit()
        outcome.codes.append(code)
        if code == 0:
            break
        outcome.unknown += code == _UNKNOWN_OUTCOME
        outcome.resumes += 1
    else:
        outcome.problems.append(f"never succeeded: {outcome.codes} {world.last_words}")
    _judge(outcome, world, expected_jobs=1)
    return outcome


def run_lag(folder: Path, point: LagPoint) -> Outcome:
    """Lose the answer to create while the list lags, shorter or longer than the window."""
    outcome = Outcome(point.name)
    world = _Folder(folder)
    world.server.inject(
        Fault("create", kind="list_lag", seconds=point.lag_seconds),
        Fault("create", kind=point.kind, when="after"),
    )
    first = world.submit()
    outcome.codes.append(first)
    if point.longer_than_the_window:
        _long_lag(outcome, world, point)
    else:
        while outcome.codes[-1] != 0 and outcome.resumes < _MOST_RUNS:
            outcome.resumes += 1
            outcome.codes.append(world.submit())
            outcome.unknown += outcome.codes[-1] == _UNKNOWN_OUTCOME
    _judge(outcome, world, expected_jobs=1)
    return outcome


def _long_lag(outcome: Outcome, world: _Folder, point: LagPoint) -> None:
    """The outcome must be called unknown; only reconcile, later, may settle it."""
    if outcome.codes[-1] == -signal.SIGKILL:
        outcome.resumes += 1
        outcome.codes.append(world.submit())
    if outcome.codes[-1] != _UNKNOWN_OUTCOME:
        outcome.problems.append(f"exit {outcome.codes[-1]} instead of 4: {world.last_words}")
    outcome.unknown += 1
    made_at = datetime.fromisoformat(world.server.jobs()[0]["made_at"])
    listed_in = point.lag_seconds - (datetime.now(UTC) - made_at).total_seconds()
    time.sleep(max(listed_in, 0) + 0.1)
    outcome.codes.append(world.run("reconcile"))
    outcome.resumes += 1
    outcome.codes.append(world.submit())
    if outcome.codes[-2:] != [0, 0]:
        outcome.problems.append(f"reconcile did not settle it: {outcome.codes} {world.last_words}")


def _judge(outcome: Outcome, world: _Folder, *, expected_jobs: int) -> None:
    outcome.fired = bool(world.server.firings())
    if not outcome.fired:
        outcome.problems.append("the point was not reached: its fault did not fire")
    jobs = world.server.jobs()
    known = {record.ref.id for record in world.journal_records() if record.ref is not None}
    outcome.duplicates = max(len(jobs) - expected_jobs, 0)
    outcome.lost = sum(job["id"] not in known for job in jobs) + (not jobs)
    uploads = [r for r in world.server.requests("upload") if not r.outcome.startswith("before")]
    outcome.stray_uploads = max(len(uploads) - 1, 0)
    for word in ("duplicates", "lost", "stray_uploads"):
        if getattr(outcome, word):
            outcome.problems.append(f"{word}: {getattr(outcome, word)} ({outcome.codes})")
    if world.tracebacks:
        outcome.problems.append(f"{world.tracebacks} run(s) printed a traceback")


class _Folder:
    """A machine: home folder, provider, job file, and commands run in processes of their own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.server = MemoryServer(folder / "server")
        self.last_words = ""
        self.tracebacks = 0
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
        (folder / "job.yaml").write_text(
            "provider: memory\nbase_model: memory-small\ntraining_file: train.jsonl\n"
            "hyperparameters: {n_epochs: 2}\n"
        )

    def submit(self) -> int:
        """Run the command under test; return its exit code, negative for a signal."""
        return self.run("submit", "job.yaml", "--wait", "--yes")

    def run(self, *arguments: str) -> int:
        """Run the command line in a process of its own."""
        environment = {
            **os.environ,
            "FTPROVIDERS_HOME": str(self.folder / "home"),
            "FTPROVIDERS_CACHE": str(self.folder / "cache"),
            "FTPROVIDERS_CONFIG": str(self.folder / "config.toml"),
            "FTPROVIDERS_MEMORY_FOLDER": str(self.folder / "server"),
            "FTPROVIDERS_SETTLE_SECONDS": str(SETTLE_SECONDS),
        }
        done = subprocess.run(
            [sys.executable, "-m", "ftproviders", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        self.last_words = done.stderr.strip()[-300:]
        self.tracebacks += "Traceback" in done.stderr
        return done.returncode

    def journal_records(self) -> list[JobRecord]:
        """Read the journal as it stands on the disk."""
        journal = Journal(self.folder / "home" / "journal.db")
        try:
            return list(journal.records())
        finally:
            journal.close()
