"""The runs on this machine: found by name, read as snapshots, signalled, closed when dead."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from ftproviders.adapters.local.wire import to_snapshot
from ftproviders.errors import ConfigurationError, InvalidRequestError, NotFoundError
from ftproviders.provider.machine import machine_name
from ftproviders.schema.job import JobRef, JobSnapshot, JobStatus
from ftproviders.worker import process
from ftproviders.worker.lifecycle import TERMINAL_WORDS, death_untold, note_death
from ftproviders.worker.rundir import RunDirectory, now

__all__ = ["Runs"]


class Runs:
    """The folder of all runs.

    Args:
        folder: The provider's state folder.
    """

    def __init__(self, folder: Path) -> None:
        self.state = folder
        self.folder = folder / "runs"

    def at(self, name: str) -> RunDirectory:
        """Return the run directory of that name; it need not exist."""
        return RunDirectory(self.folder / name)

    def all(self) -> list[tuple[str, RunDirectory]]:
        """Return every run with its sort key: moment of creation and name."""
        paths = [path for path in self.folder.glob("*") if not path.name.startswith(".")]
        runs = [RunDirectory(path) for path in paths]
        return [(f"{r.job().get('created_at', '')} {r.path.name}", r) for r in runs if r.exists()]

    def data_files(self, file_id: str) -> Iterator[Path]:
        """Yield where runs keep a data file that they were made from."""
        for _, run in self.all():
            for file in run.job().get("files", []):
                if file["id"] == file_id:
                    yield run.data(file["purpose"])

    def existing(self, ref: JobRef) -> RunDirectory:
        """Return the run of a job.

        Raises:
            ConfigurationError: The job is on another machine.
            NotFoundError: There is no such job.
        """
        here = machine_name(self.state.parent)
        if ref.account not in (None, here):
            raise ConfigurationError(
                f"Job {ref} is on the machine {ref.account}; this is {here}.",
                provider="local",
                hint=f"Run the command on {ref.account}, or set FTPROVIDERS_HOME to its folder.",
                ref=ref,
            )
        run = self.at(ref.id)
        if "/" in ref.id or ref.id.startswith(".") or not run.exists():
            raise NotFoundError(
                f"There is no job {ref.id} on this machine ({here}).",
                provider="local",
                operation="retrieve",
                hint="`ftproviders jobs --remote` lists the jobs here; FTPROVIDERS_HOME chooses "
                "the folder they are in.",
                ref=ref,
            )
        return run

    def snapshot(self, run: RunDirectory) -> JobSnapshot:
        """Read a run."""
        # First the lock, then the status: what a dead worker wrote is final.
        alive = process.alive(run.lock)
        return to_snapshot(
            JobRef(provider="local", id=run.path.name),
            job=run.job(),
            status=run.status(),
            alive=alive,
            cancelling=run.cancel_requested_at() is not None,
            checkpoint_step=run.checkpoint_step(),
            adapter=str(run.adapter),
            log=str(run.log),
        )

    def signal(
        self, run: RunDirectory, *, kill: bool = False, number: int = signal.SIGTERM
    ) -> None:
        """Ask the run's worker for something, or end it; nothing when it is gone.

        Args:
            run: The run.
            kill: End the worker and all that it started.
            number: What it is asked with; the default asks it to stop.
        """
        worker = run.worker()
        # Only the holder of the lock is the worker; the number of a dead one may be somebody's.
        if worker and process.alive(run.lock):
            process.signal_worker(worker["pid"], worker["started_at"], kill=kill, number=number)

    def goes_on(self, run: RunDirectory, *, operation: str) -> JobSnapshot:
        """Read a run that is to be paused or resumed.

        Raises:
            InvalidRequestError: It has ended, or is about to.
        """
        snapshot = self.snapshot(run)
        cancelling = run.cancel_requested_at() is not None
        if not (snapshot.status.terminal or cancelling):
            return snapshot
        word = snapshot.status.value if snapshot.status.terminal else "being cancelled"
        raise InvalidRequestError(
            f"{snapshot.ref} is {word}, so there is nothing to {operation}.",
            provider="local",
            operation=operation,
            hint=_instead(snapshot, operation=operation),
            ref=snapshot.ref,
        )

    def pause(self, run: RunDirectory) -> None:
        """Ask a run's worker to write a checkpoint and to leave."""
        run.request_pause()
        self.signal(run, number=signal.SIGUSR1)

    def note_death(self, run: RunDirectory) -> None:
        """Add an event for a worker that was killed; nothing when it lives or left word."""
        if not death_untold(run.status()) or process.alive(run.lock):
            return
        # The disk may be full; what was told before is told all the same.
        with contextlib.suppress(OSError):
            lock = process.try_hold(run.lock)
            if lock is None:
                return
            try:
                note_death(run)
            finally:
                process.release(lock)

    def finish_cancelled(self, run: RunDirectory) -> JobSnapshot:
        """Write the verdict for a worker that is gone; when it still goes, a later look does it."""
        lock = process.try_hold(run.lock)
        if lock is not None:
            try:
                if run.status().get("status") not in TERMINAL_WORDS:
                    run.append_event("Training was cancelled.", level="warning")
                    run.write_status({"status": "cancelled", "finished_at": now()})
            finally:
                process.release(lock)
        return self.snapshot(run)


def _instead(snapshot: JobSnapshot, *, operation: str) -> str:
    """Say what to do with a job that cannot be paused or resumed."""
    ref = snapshot.ref
    if not snapshot.status.terminal:
        return f"See how it ends: ftproviders watch {ref}"
    if snapshot.status is JobStatus.SUCCEEDED:
        return f"Its tuned model: ftproviders model {ref}"
    if operation == "pause":
        return f"See how it ended: ftproviders status {ref}"
    return "To train once more, submit again with --again."
