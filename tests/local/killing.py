"""The real worker, but something happens at one point; its arguments are PLAN, PREPARED, FINAL.

PLAN is a JSON list, one entry for each attempt: null, or ``[point, n]`` = at the n-th time that the
worker comes to the point. The worker itself knows nothing of this.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ftproviders.worker.lifecycle import Run, run_worker

__all__ = ["main"]


def kill(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at(owner: Any, name: str, number: int, deed: Callable[..., None], *, after: bool) -> None:
    """Have `deed` done before or after the n-th call of a function."""
    original = getattr(owner, name)
    calls = 0

    def watched(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and not after:
            deed(*arguments)
        answer = original(*arguments, **named)
        if calls == number and after:
            deed(*arguments)
        return answer

    setattr(owner, name, watched)


def no_larger_files(size_bytes: int) -> None:
    """Have the system refuse to write larger files, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def plan(point: str, number: int, run: Run) -> None:
    from transformers import Trainer

    from ftproviders.worker import checkpoints, lifecycle, merge, saving
    from ftproviders.worker.checkpointing import CheckpointWriter
    from ftproviders.worker.checkpoints import Checkpoints
    from ftproviders.worker.evaluating import Evaluation
    from ftproviders.worker.reporting import Reporter

    def half_written(_trainer: Any, state: str) -> None:
        file = Path(state, "rng_state.pth")
        file.write_bytes(file.read_bytes()[:100])
        kill()

    def ask_to_pause(*_: Any) -> None:
        run.directory.request_pause()

    places: Mapping[str, tuple[Any, str, Callable[..., None], bool]] = {
        "before step 1": (CheckpointWriter, "on_train_begin", kill, True),
        "inside a step": (Trainer, "training_step", kill, True),
        "temporary write": (Trainer, "_save_rng_state", half_written, True),
        "before the rename": (checkpoints, "sync_tree", kill, True),
        "before the pointer": (checkpoints, "write_json", kill, False),
        "before old ones go": (Checkpoints, "_prune", kill, False),
        "while old ones go": (checkpoints.shutil, "rmtree", kill, False),
        "evaluation": (Evaluation, "_validate", kill, False),
        "final save": (saving, "sync_tree", kill, False),
        "before the merge": (merge, "_check_free", kill, False),
        "merge": (merge, "_put", kill, False),
        "before the verdict": (lifecycle, "_end", kill, False),
        "pause": (Reporter, "on_step_end", ask_to_pause, False),
        "small files": (Checkpoints, "draft", lambda *_: no_larger_files(number), True),
        "small files at once": (Checkpoints, "draft", lambda *_: no_larger_files(number), True),
    }
    owner, name, deed, after = places[point]
    # Each checkpoint writes its manifest first, and then the pointer.
    special = {"before the pointer": 2 * number, "small files": 2, "small files at once": 1}
    times = special.get(point, number)
    at(owner, name, times, deed, after=after)


def main(arguments: list[str]) -> int:
    """Be a worker that follows a plan; returns its exit code."""
    steps: list[list[Any] | None] = json.loads(arguments[0])
    sys.argv = ["killing", *arguments[1:]]

    def work(run: Run) -> Mapping[str, object]:
        now = steps[run.attempt - 1] if run.attempt <= len(steps) else None
        if now is not None:
            plan(now[0], now[1], run)
        from ftproviders.worker.training import train

        return train(run)

    return run_worker(work)
