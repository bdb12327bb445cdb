"""What comes after the tuned model is there. Standard library only, unless it is to be merged."""

from __future__ import annotations

from pathlib import Path

from ftproviders.worker.checkpoints import Checkpoints
from ftproviders.worker.lifecycle import Run

__all__ = ["finish"]


def finish(run: Run) -> None:
    """Merge the adapter if that was asked for, then forget what only going on needed.

    It can be done again by another worker when this one dies in it.

    Args:
        run: The run, in the process that holds its lock.
    """
    settings = run.job["settings"]
    if settings.get("merge"):
        with run.interruptible():
            from ftproviders.worker.merge import merge_adapter

            cache, directory = Path(run.job["cache"]), run.directory
            merge_adapter(directory.adapter, directory.merged, cache=cache, report=run.event)
    keep = settings["checkpoints"]
    Checkpoints(run.directory.checkpoints, keep=keep).finish(keep=keep)
