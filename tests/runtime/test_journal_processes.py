"""Four processes write one journal at once while they are being killed at random."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from ftproviders.journal import Journal

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from ftproviders.journal import Journal
from ftproviders.schema.job import JobRef, JobSnapshot, JobStatus

name, first, last = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = Journal(Path(sys.argv[1]))
for number in range(first, last):
    ref = JobRef(provider="memory", id=f"{name}-{number}")
    snapshot = JobSnapshot(ref=ref, status=JobStatus.RUNNING, raw_status="running")
    journal.seen(snapshot, account="a", at=datetime.now(UTC))
    print(number, flush=True)
"""


class Writer:
    """A process that writes rows and prints each one that was acknowledged."""

    def __init__(self, path: Path, name: str, out: Path) -> None:
        self.path, self.name, self.out = path, name, out
        self.start(0)

    def acknowledged(self) -> list[int]:
        # A kill may cut the last line short; what was not printed whole was not acknowledged.
        text = self.out.read_text() if self.out.exists() else ""
        return [int(line) for line in text[: text.rfind("\n") + 1].split()]

    def start(self, first: int) -> None:
        with self.out.open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(self.path), self.name, str(first), "500"],
                stdout=out,
            )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        done = self.acknowledged()
        with self.out.open("a") as out:
            out.write("\n")
        self.start(done[-1] + 1 if done else 0)


def test_four_processes_killed_at_random_lose_no_acknowledged_row(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    chance = random.Random(7)
    writers = [Writer(path, f"w{n}", tmp_path / f"w{n}.txt") for n in range(4)]
    kills = 0
    deadline = time.monotonic() + 120
    while any(writer.process.poll() is None for writer in writers):
        assert time.monotonic() < deadline, "the writers do not come to an end"
        time.sleep(chance.uniform(0.05, 0.2))
        alive = [writer for writer in writers if writer.process.poll() is None]
        # On a busy machine one of them may wait long for its first row; the others are killed.
        ready = [writer for writer in alive if len(writer.acknowledged()) > 5]
        if ready and kills < 20:
            chance.choice(ready).kill()
            kills += 1
    assert kills >= 8, "too few kills to mean anything"
    assert [writer.process.returncode for writer in writers] == [0, 0, 0, 0]
    journal = Journal(path)
    ids = {record.ref.id for record in journal.records() if record.ref is not None}
    for writer in writers:
        done = writer.acknowledged()
        assert set(range(500)) == set(done)
        assert {f"{writer.name}-{number}" for number in done} <= ids
    assert len(ids) == 2000
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()
