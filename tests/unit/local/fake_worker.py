"""A worker with the real life cycle and little work: ``fake_worker.py MODE PREPARED FINAL``."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Mapping

from ftproviders.worker.failures import WorkError
from ftproviders.worker.lifecycle import Run, run_worker

MODE = sys.argv.pop(1)


def succeed(run: Run) -> Mapping[str, object]:
    run.status("running")
    for step in range(1, 4):
        run.progress(step=step, total_steps=3)
        run.metrics(f"Step {step}", step=step, metrics={"train_loss": 1.0 / step})
        run.check()
    run.directory.adapter.mkdir()
    return {"trained_tokens": 30}


def hang(run: Run) -> Mapping[str, object]:
    run.status("running")
    run.progress(step=1, total_steps=9)
    run.event("working")
    while True:
        time.sleep(0.01)
        run.check()


def stubborn(run: Run) -> Mapping[str, object]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.status("running")
    run.event("working")
    while True:
        time.sleep(0.01)


def sleep_long(run: Run) -> Mapping[str, object]:
    run.status("running")
    with run.interruptible():
        run.event("working")
        time.sleep(600)
    return {}


def fail(run: Run) -> Mapping[str, object]:
    raise WorkError("The data is of no use. Change it.", code="no_use", param="training")


def full(run: Run) -> Mapping[str, object]:
    raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/adapter")


def crash(run: Run) -> Mapping[str, object]:
    raise ZeroDivisionError("by nothing")


def die(run: Run) -> Mapping[str, object]:
    run.status("running")
    run.progress(step=2, total_steps=9)
    print("about to be killed", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


if MODE == "stillborn":
    sys.exit("I cannot start because of a planted fault")
sys.exit(run_worker(globals()[MODE]))
