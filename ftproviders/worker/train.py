"""Program: train one run. Started as ``python -m ftproviders.worker.train PREPARED FINAL``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from ftproviders.worker.finishing import finish
from ftproviders.worker.launching import is_distributed, launch_ranks
from ftproviders.worker.lifecycle import Run, run_worker
from ftproviders.worker.unused import hide_unused

__all__ = ["main"]


def _work(run: Run) -> Mapping[str, object]:
    if is_distributed(run.job["settings"]):
        return _train_together(run)
    # One process has one device.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    with run.interruptible():
        hide_unused(run.job)
        # Only now, when the run is ours and can be cancelled: this takes seconds.
        from ftproviders.worker.training import train
    return train(run)


def _train_together(run: Run) -> Mapping[str, object]:
    if run.directory.adapter.is_dir():  # by a worker that died after it
        facts: Mapping[str, object] = {"trained_tokens": run.directory.status()["trained_tokens"]}
    else:
        facts = launch_ranks(run)
    finish(run)
    return facts


def main() -> int:
    """Be the worker of one run; returns the exit code."""
    return run_worker(_work)


if __name__ == "__main__":
    sys.exit(main())
