"""The life of a training worker: take the run over, work, leave a verdict. Standard library only.

A run has one worker at a time, the holder of its lock. The first one makes the run; after a pause
or a death another goes on with it.

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
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import FrameType

from ftproviders.worker import process
from ftproviders.worker.failures import WorkCancelled, WorkError, WorkPaused, explain
from ftproviders.worker.rundir import RunDirectory, now

__all__ = ["EXISTS", "PAUSED_WORDS", "READY", "TERMINAL_WORDS", "Request", "Run", "run_worker"]

READY = "ready"
"""Word of a worker that has made the run its own."""
EXISTS = "exists"
"""Word of a worker that found the run there already, or at work, or ended, and left."""

TERMINAL_WORDS = ("succeeded", "failed", "cancelled")
"""Words of ``status.json`` after which nothing happens any more."""
PAUSED_WORDS = ("paused", "disk_full")
"""Words of a worker that left on purpose and can be followed by another."""

_CAN_BE_PUT_RIGHT = ("disk_full", "file_changed", "settings_changed", "base_model_changed")
"""Codes of failures after which a person can make room, or put back what was changed."""
_OUTSIDE = (
    "base_model", "file_missing", "io_error", "missing_dependency", "model_changed",
    "model_unavailable", "no_model", "out_of_memory", "permission", "rank_died", "read_only",
    "target_taken",
)  # fmt: skip
"""Codes of failures that lie around the job and not in it: what has begun well is not ended by
them. A first attempt is: nobody has found out yet whether the job can be done here at all."""

_PATIENCE_SECONDS = 10.0
"""How long a worker waits for one that is leaving; lookers hold the lock for an instant only."""
_GLANCE_SECONDS = 1.0
"""How long a worker looks before it believes that another one works here."""


class Request(StrEnum):
    """What somebody asked a worker for."""

    CANCEL = "cancel"
    PAUSE = "pause"


class Run:
    """A run as the work sees it.

    Args:
        directory: The run's folder.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        self.shared = directory
        """The folder that all processes of the run share; in most runs that is the only one."""
        self.job = directory.job()
        status = directory.status()
        self.attempt = int(status.get("attempts", 1))
        """1 for the first worker of the run, one more for each that went on with it."""
        self.lock: int | None = None
        """The run's lock, open, in the worker that holds it."""
        self._cancelled = False
        self._interruptible = False
        self._seconds_before = float(status.get("worked_seconds", 0.0))
        self._since = time.monotonic()

    @property
    def worked_seconds(self) -> float:
        """How long the run's workers have worked, all attempts together."""
        return round(self._seconds_before + time.monotonic() - self._since, 3)

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
        facts = {"step": step, "total_steps": total_steps, "worked_seconds": self.worked_seconds}
        self.directory.write_status(facts, durable=False)

    def found(self, **facts: object) -> None:
        """Add to ``job.json`` what only the worker could find out."""
        self.job = {**self.job, **facts}
        self.directory.write_job(self.job)

    def requested(self) -> Request | None:
        """Return what somebody asked for; a cancel comes before a pause."""
        if self._cancelled or self.directory.cancel_requested_at() is not None:
            return Request.CANCEL
        return Request.PAUSE if self.directory.pause_requested() else None

    def check(self) -> None:
        """Go on, unless somebody asked to cancel. A pause waits until a checkpoint is written.

        Raises:
            WorkCancelled: Somebody did.
        """
        if self.requested() is Request.CANCEL:
            raise WorkCancelled

    def _break_off(self) -> None:
        self.check()
        if self.requested() is Request.PAUSE:
            raise WorkPaused

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a request break into the block at once: in it, nothing is lost by leaving."""
        self._interruptible = True
        try:
            self._break_off()
            yield
            self._break_off()
        finally:
            self._interruptible = False

    def on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM."""
        self._cancelled = True
        if self._interruptible:
            raise WorkCancelled

    def on_pause(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGUSR1, which says that a request to pause has been written down."""
        if self._interruptible:
            self._break_off()


def run_worker(work: Callable[[Run], Mapping[str, object]]) -> int:
    """Be a worker. Command line: the prepared folder, then the run's final folder.

    The first act is to leave the parent, lock the prepared folder and rename it to its final name.
    The rename decides between two workers of one submission: it fails where a run is already.
    Where both are one folder, the worker goes on with that run; there the lock decides.

    Args:
        work: Does the job; returns facts for ``status.json``.

    Returns:
        The exit code: 0 = succeeded, paused, or there was nothing to do, 1 = failed or cancelled.
    """
    prepared, final = RunDirectory(Path(sys.argv[1])), RunDirectory(Path(sys.argv[2]))
    process.daemonize()
    os.umask(0o077)
    # Until there is somebody to handle it: the request itself is a file and is not lost.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    lock = _go_on(final) if prepared.path == final.path else _begin(prepared, final)
    if lock is None:
        process.tell_parent(EXISTS)
        return 0
    run = Run(final)
    run.lock = lock
    signal.signal(signal.SIGTERM, run.on_terminate)
    signal.signal(signal.SIGUSR1, run.on_pause)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process.tell_parent(READY)
    return _work(run, work)


def _begin(prepared: RunDirectory, final: RunDirectory) -> int | None:
    lock = process.hold(prepared.lock)
    if _take_over(prepared, final):
        return lock
    shutil.rmtree(prepared.path, ignore_errors=True)
    return None


def _go_on(directory: RunDirectory) -> int | None:
    """Make a run that has no worker ours; None when it has one, or has ended."""
    lock = _follow(directory)
    if lock is None:
        return None
    status = directory.status()
    if status.get("status") in TERMINAL_WORDS or directory.cancel_requested_at() is not None:
        return None
    directory.sweep()
    _sign(directory)
    attempt = int(status.get("attempts", 1)) + 1
    directory.write_status({"status": "pending", "attempts": attempt, "error": None})
    return lock


def _follow(directory: RunDirectory) -> int | None:
    """Take the lock of a run; wait for a worker that is leaving, but not for one at work."""
    began = time.monotonic()
    while (lock := process.try_hold(directory.lock)) is None:
        leaving = directory.status().get("status") in PAUSED_WORDS
        if time.monotonic() - began > (_PATIENCE_SECONDS if leaving else _GLANCE_SECONDS):
            return None
        time.sleep(0.02)
    return lock


def _sign(directory: RunDirectory) -> None:
    import psutil

    directory.write_worker(pid=os.getpid(), started_at=psutil.Process().create_time())


def _take_over(prepared: RunDirectory, final: RunDirectory) -> bool:
    _sign(prepared)
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
        first = directory.status().get("started_at")
        directory.write_status({"status": "validating", "started_at": first or now()})
        facts = dict(work(run))
        run.event("Training succeeded.")
        _end(run, "succeeded", **facts)
        return 0
    except WorkPaused:
        directory.append_event("Training is paused.")
        _leave(run, "paused")
        return 0
    except WorkCancelled:
        directory.append_event("Training was cancelled.", level="warning")
        _end(run, "cancelled")
    # The verdict must be written down whatever was raised; the log keeps the traceback.
    except BaseException as error:  # noqa: BLE001
        traceback.print_exc()
        _fail(run, explain(error, run.job.get("settings", {})))
    return 1


def _end(run: Run, word: str, **facts: object) -> None:
    _leave(run, word, finished_at=now(), **facts)


def _leave(run: Run, word: str, **facts: object) -> None:
    run.directory.write_status({**facts, "status": word, "worked_seconds": run.worked_seconds})


def _fail(run: Run, failure: WorkError) -> None:
    directory = run.directory
    message = failure.message
    step = directory.checkpoint_step()
    # What can be put right is not the end of a training that has something to go on from, or that
    # somebody meant to go on.
    paused = failure.code in _CAN_BE_PUT_RIGHT and (step is not None or run.attempt > 1)
    if paused and failure.code == "disk_full" and step is not None:
        message += f" Then resume: the checkpoint of step {step} is whole."
    if failure.code in _OUTSIDE and run.attempt > 1:
        paused = True
        message = f"{message.rstrip('.')}. The job stays paused; resume it when that is put right."
        if failure.code == "out_of_memory":
            message += " It goes on with its own settings only; for others, submit with --again."
    if failure.code == "crashed":
        message += f". The whole story is in {directory.log}."
    error = {"message": message, "code": failure.code, "param": failure.param}
    # On a full disk the event may not fit; the verdict is tried all the same.
    with contextlib.suppress(OSError):
        directory.append_event(message, level="error")
    if paused:
        _leave(run, "disk_full" if failure.code == "disk_full" else "paused", error=error)
    else:
        _end(run, "failed", error=error)
