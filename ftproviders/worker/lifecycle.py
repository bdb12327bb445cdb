"""The life of a training worker: take the run over, work, leave a verdict. Standard library only.

What the work is comes as a function, so that this module starts in a blink and can be tested
without torch.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

from ftproviders.worker import process
from ftproviders.worker.failures import WorkCancelled, WorkError, explain
from ftproviders.worker.rundir import RunDirectory, now

__all__ = ["EXISTS", "READY", "Run", "run_worker"]

READY = "ready"
"""Word of a worker that has made the run its own."""
EXISTS = "exists"
"""Word of a worker that found the run there already, and left."""


class Run:
    """A run as the work sees it.

    Args:
        directory: The run's folder.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        self.job = directory.job()
        self._cancelled = False
        self._interruptible = False

    def event(self, message: str, *, level: str = "info") -> None:
        """Tell something to whoever watches."""
        sys.stdout.write(f"{message}\n")
        sys.stdout.flush()
        self.directory.append_event(message, level=level)

    def metrics(self, message: str, *, step: int, metrics: Mapping[str, float]) -> None:
        """Report numbers at an optimizer step."""
        self.directory.append_event(message, kind="metrics", step=step, metrics=metrics)

    def status(self, word: str) -> None:
        """Enter a phase: ``validating`` or ``running``."""
        self.directory.write_status({"status": word})

    def progress(self, *, step: int, total_steps: int) -> None:
        """Say how far the training is."""
        self.directory.write_status({"step": step, "total_steps": total_steps}, durable=False)

    def found(self, **facts: object) -> None:
        """Add to ``job.json`` what only the worker could find out."""
        self.job = {**self.job, **facts}
        self.directory.write_job(self.job)

    def check(self) -> None:
        """Go on, unless somebody asked to cancel.

        Raises:
            WorkCancelled: Somebody did.
        """
        if self._cancelled or self.directory.cancel_requested_at() is not None:
            raise WorkCancelled

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a request to cancel break into the block at once, not only at `check`."""
        self._interruptible = True
        try:
            self.check()
            yield
            self.check()
        finally:
            self._interruptible = False

    def on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM."""
        self._cancelled = True
        if self._interruptible:
            raise WorkCancelled


def run_worker(work: Callable[[Run], Mapping[str, object]]) -> int:
    """Be a worker. Command line: the prepared folder, then the run's final folder.

    The first act is to leave the parent, lock the prepared folder and rename it to its final name.
    The rename decides between two workers of one submission: it fails where a run is already.

    Args:
        work: Does the job; returns facts for ``status.json``.

    Returns:
        The exit code: 0 = succeeded or there was nothing to do, 1 = failed or cancelled.
    """
    prepared, final = RunDirectory(Path(sys.argv[1])), RunDirectory(Path(sys.argv[2]))
    process.daemonize()
    os.umask(0o077)
    process.hold(prepared.lock)
    if not _take_over(prepared, final):
        shutil.rmtree(prepared.path, ignore_errors=True)
        process.tell_parent(EXISTS)
        return 0
    run = Run(final)
    signal.signal(signal.SIGTERM, run.on_terminate)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process.tell_parent(READY)
    return _work(run, work)


def _take_over(prepared: RunDirectory, final: RunDirectory) -> bool:
    import psutil

    prepared.write_worker(pid=os.getpid(), started_at=psutil.Process().create_time())
    try:
        prepared.path.rename(final.path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    parent = os.open(final.path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
    return True


def _work(run: Run, work: Callable[[Run], Mapping[str, object]]) -> int:
    directory = run.directory
    try:
        directory.write_status({"status": "validating", "started_at": now()})
        facts = dict(work(run))
        run.event("Training succeeded.")
        directory.write_status(facts | {"status": "succeeded", "finished_at": now()})
        return 0
    except WorkCancelled:
        directory.append_event("Training was cancelled.", level="warning")
        directory.write_status({"status": "cancelled", "finished_at": now()})
    # The verdict must be written down whatever was raised; the log keeps the traceback.
    except BaseException as error:  # noqa: BLE001
        traceback.print_exc()
        _fail(run, explain(error, run.job.get("settings", {})))
    return 1


def _fail(run: Run, failure: WorkError) -> None:
    directory = run.directory
    message = failure.message
    if failure.code == "crashed":
        message += f". The whole story is in {directory.log}."
    error = {"message": message, "code": failure.code, "param": failure.param}
    # On a full disk the event may not fit; the verdict is tried all the same.
    with contextlib.suppress(OSError):
        directory.append_event(message, level="error")
    directory.write_status({"status": "failed", "error": error, "finished_at": now()})
