"""The same clock for every peer, whatever its loop looks like. Imports torch.

Moments are ages of the process. Training begins with the first forward pass that keeps gradients
and ends with the last optimizer step; all that a loop does between steps (batches, clipping,
schedule, logging, checkpoints) is in the wall time.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

from tests.benchmarks.local.task import Task

__all__ = ["Meter", "age_seconds", "work_seconds"]

_PROFILED = range(2, 6)
"""Steps, counted from 1, after the first of which the profiler starts and after the last stops."""
_OPERATIONS = 12


def age_seconds() -> float:
    """Return how long ago this process was started, to the kernel's hundredth of a second."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def work_seconds() -> float:
    """Return the processor time of this process so far, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Meter:
    """Notes when training begins and when each optimizer step has finished."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.begin: float | None = None
        self.steps: list[float] = []
        self.work: list[float] = []
        """Processor time after each step."""
        self._profiler: Any = torch.profiler.profile() if task.profile else None
        self._forward = register_module_forward_pre_hook(self._on_forward)
        register_optimizer_step_post_hook(self._on_step)

    def _on_forward(self, module: torch.nn.Module, _inputs: object) -> None:
        if module.training and torch.is_grad_enabled():
            self.begin = age_seconds()
            self._forward.remove()

    def _on_step(self, *_: object) -> None:
        self.steps.append(age_seconds())
        self.work.append(work_seconds())
        if self._profiler is not None and len(self.steps) in (_PROFILED[0], _PROFILED[-1]):
            self._profiler.start() if len(self.steps) == _PROFILED[0] else self._profiler.stop()

    def report(self, *, losses: Sequence[float], adapter: Path) -> None:
        """Print the run as one JSON line; the adapter is saved by now."""
        begin = self.begin
        assert begin is not None, "nothing was trained"
        gaps = [after - before for before, after in zip(self.steps, self.steps[1:], strict=False)]
        wall = self.steps[-1] - begin
        line = {
            "peer": self.task.peer,
            "steps": len(self.steps),
            "tokens": self.task.tokens,
            "tokens_per_second": self.task.tokens / wall,
            "train_seconds": wall,
            "step_ms": 1e3 * statistics.median(gaps or [wall]),
            "first_step_seconds": self.steps[0],
            "first_step_work_seconds": self.work[0],
            "step_work_ms": 1e3 * (self.work[-1] - self.work[0]) / max(len(gaps), 1),
            "saved_seconds": age_seconds(),
            "losses": list(losses),
            "final_loss": statistics.fmean(losses[-5:]),
            "peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "adapter": str(adapter),
            "profile": self._operations(),
        }
        print(json.dumps(line), flush=True)

    def _operations(self) -> list[dict[str, Any]]:
        if self._profiler is None:
            return []
        assert len(self.steps) >= _PROFILED[-1], f"a profile needs {_PROFILED[-1]} steps"
        found = self._profiler.key_averages()
        total = sum(row.self_cpu_time_total for row in found)
        found = sorted(found, key=lambda row: -row.self_cpu_time_total)[:_OPERATIONS]
        return [
            {
                "operation": row.key,
                "share": row.self_cpu_time_total / total,
                "calls_per_step": row.count / (len(_PROFILED) - 1),
            }
            for row in found
        ]
