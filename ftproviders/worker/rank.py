"""Program: one of several processes of a training: ``torchrun ... -m ftproviders.worker.rank RUN``.

Process 0 reports as a training of one process does. The others write nothing but their own log,
``rank-1.log``, and, when they fail, why: ``rank-1.json``.
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from pathlib import Path

from typing_extensions import override

from ftproviders.worker import process
from ftproviders.worker.agent import AGENT_VARIABLE
from ftproviders.worker.failures import WorkCancelled, WorkError, WorkPaused, explain
from ftproviders.worker.launching import (
    CORES_VARIABLE,
    outcome_file,
    receive_lock,
    scratch_folder,
    threads_each,
)
from ftproviders.worker.lifecycle import Request, Run
from ftproviders.worker.rundir import RunDirectory, write_json
from ftproviders.worker.unused import hide_unused

__all__ = ["RankRun", "main"]


class RankRun(Run):
    """A run as one of several processes sees it.

    Process 0 has the run's folder. Each other one has a scratch folder that looks the same, so
    that the training need not ask who it is before it writes.

    Args:
        directory: The run's folder.
        rank: Number of this process among all.
    """

    def __init__(self, directory: RunDirectory, rank: int) -> None:
        super().__init__(directory if rank == 0 else _scratch(directory, rank))
        self.rank = rank
        self.shared = directory

    @override
    def requested(self) -> Request | None:
        """Return what was asked for, as process 0 sees it: all of them stop at the same step.

        It is an exchange: every process must call it, in the same order as the others.
        """
        from ftproviders.worker import distributed

        seen = super().requested() if self.rank == 0 else None
        word = distributed.agreed(seen.value if seen else "")
        return Request(word) if word else None


def main() -> int:
    """Be one of the processes; returns the exit code."""
    rank = int(os.environ["RANK"])
    directory = RunDirectory(Path(sys.argv[1]).absolute())
    agent = os.environ.get(AGENT_VARIABLE)
    if agent is not None:
        process.die_with_parent(int(agent))
        receive_lock()
    os.umask(0o077)
    if rank > 0:
        _log_to(directory.path / f"rank-{rank}.log")
    run = RankRun(directory, rank)
    _environment(run)
    try:
        outcome = _train(run)
    # Whatever it was must be written down: the worker judges by it.
    except BaseException as error:  # noqa: BLE001
        traceback.print_exc()
        failure = explain(error, run.job.get("settings", {}))
        write_json(outcome_file(directory.path, rank), _failed(failure))
        sys.stdout.flush()
        sys.stderr.flush()
        # The others may wait for this process in an exchange: no farewell, which would wait too.
        os._exit(1)
    if rank == 0:
        write_json(outcome_file(directory.path, rank), outcome)
    return 0


def _scratch(directory: RunDirectory, rank: int) -> RunDirectory:
    scratch = RunDirectory(scratch_folder(directory.path, rank))
    shutil.rmtree(scratch.path, ignore_errors=True)
    scratch.path.mkdir(mode=0o700)
    for name in ("job.json", "status.json", "events.jsonl"):
        if (directory.path / name).exists():
            shutil.copyfile(directory.path / name, scratch.path / name)
    for best in directory.path.glob("best-*/*.json"):
        (scratch.path / best.parent.name).mkdir(exist_ok=True)
        shutil.copyfile(best, scratch.path / best.parent.name / best.name)
    for data in (directory.data("training"), directory.data("validation")):
        if data.exists():
            scratch.data(data.stem).symlink_to(data)
    return scratch


def _environment(run: Run) -> None:
    each = run.job["settings"]["processes"]
    threads = threads_each(each, os.environ.get(CORES_VARIABLE))
    # Read when torch is imported, which has not happened yet.
    os.environ.update(process.environment(threads=threads))


def _log_to(path: Path) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(number, 1)
    os.dup2(number, 2)
    os.close(number)


def _failed(failure: WorkError) -> dict[str, object]:
    return {
        "outcome": "failed",
        "message": failure.message,
        "code": failure.code,
        "param": failure.param,
    }


def _train(run: Run) -> dict[str, object]:
    hide_unused(run.job)
    from ftproviders.worker import distributed
    from ftproviders.worker.training import train

    distributed.start(run.job["settings"])
    try:
        outcome: dict[str, object] = {"outcome": "done", "facts": dict(train(run))}
    except WorkCancelled:
        outcome = {"outcome": "cancelled"}
    except WorkPaused:
        outcome = {"outcome": "paused"}
    distributed.finish()
    return outcome


if __name__ == "__main__":
    sys.exit(main())
