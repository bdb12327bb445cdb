"""Program: train one run and write down how much memory that took at most.

Started like the worker ``train``, with the same folders; the same training, in one process. The
facts come into ``status.json``: ``library_bytes`` after every library was imported, ``peak_bytes``
at the end. Both are the peak of resident memory that the system keeps for the process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from ftproviders.worker.lifecycle import Run, run_worker
from ftproviders.worker.unused import hide_unused

__all__ = ["main", "peak_bytes"]

_KIBI = 1024


def peak_bytes() -> int:
    """Return the largest resident memory that this process ever had, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In kibibytes, but for macOS, which counts bytes.
    return peak if sys.platform == "darwin" else peak * _KIBI


def _work(run: Run) -> Mapping[str, object]:
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    with run.interruptible():
        hide_unused(run.job)
        import peft  # noqa: F401 - imported here so that it counts as a library in each run
        from transformers import Trainer  # noqa: F401 - the same

        from ftproviders.worker.training import train
    libraries = peak_bytes()
    facts = train(run)
    return {**facts, "library_bytes": libraries, "peak_bytes": peak_bytes()}


def main() -> int:
    """Be the worker of one measured run; returns the exit code."""
    return run_worker(_work)


if __name__ == "__main__":
    sys.exit(main())
