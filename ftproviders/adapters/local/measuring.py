"""The tuning methods of this machine in numbers: real trainings of a few steps, one by one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.adapters.local.options import LocalOptions, LocalSettings
from ftproviders.errors import JobFailedError, UnexpectedResponseError
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.hyperparameters import Hyperparameters
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot, JobSpec, JobStatus
from ftproviders.schema.methods import (
    MethodMeasurements,
    ShardingMeasurement,
    TuningMeasurement,
)
from ftproviders.schema.value import JsonValue
from ftproviders.worker import hardware, process

__all__ = ["TUNINGS", "measure"]

TUNINGS: Sequence[tuple[str, str, str]] = (
    ("lora", "lora", "auto"),
    ("lora fp32", "lora", "fp32"),
    ("rslora", "rslora", "auto"),
    ("dora", "dora", "auto"),
    ("qlora", "qlora", "auto"),
    ("full", "full", "bf16"),
    ("full fp32", "full", "fp32"),
)
"""Name, option ``tuning``, option ``dtype``."""

_SEED = 7
_LOOK_SECONDS = 0.2
_SHOWN_LINES = 3


def measure(
    settings: LocalSettings,
    *,
    base_model: str,
    training_file: Path,
    held_out_file: Path,
    steps: int,
    batch_size: int,
    tunings: Sequence[tuple[str, str, str]] = TUNINGS,
    on_progress: Callable[[str], None],
) -> MethodMeasurements:
    """Train with each tuning and shard a small model with each strategy.

    Each training is the local provider's own, with equal rows, batches and steps, in a process of
    its own. Runs and models are removed afterwards.

    Args:
        settings: Connection settings; only the home folder is another.
        base_model: As users write it.
        training_file: Chat JSONL.
        held_out_file: Chat JSONL for the loss after the last step.
        steps: Optimizer steps.
        batch_size: Rows of a step.
        tunings: What to train.
        on_progress: Told what is being measured.

    Raises:
        JobFailedError: A training failed, and why.
    """
    found: list[TuningMeasurement] = []
    missing = []
    with tempfile.TemporaryDirectory(prefix="ftproviders-methods-") as folder:
        home = settings.model_copy(update={"home": Path(folder)})
        command = process.python_command("ftproviders.worker.measure")
        adapter = LocalTrainingAdapter(home, program=command)
        spec = JobSpec(
            provider="local",
            base_model=base_model,
            training_file=str(training_file),
            validation_file=str(held_out_file),
            hyperparameters=Hyperparameters(batch_size=batch_size, max_steps=steps, n_epochs=1000),
            seed=_SEED,
        )
        for name, tuning, dtype in tunings:
            if tuning == "qlora" and importlib.util.find_spec("bitsandbytes") is None:
                missing.append("QLoRA was not run: bitsandbytes is not installed.")
                continue
            on_progress(f"Training {steps} steps with {name} ...")
            options: dict[str, JsonValue] = {"tuning": tuning, "dtype": dtype}
            options |= {"checkpoints": 0, "save_strategy": "no", "logging_steps": 1}
            found.append(_train(adapter, spec, name=name, options=options))
    on_progress("Sharding a small model over two processes ...")
    sharding = _sharding(settings)
    return MethodMeasurements(
        provider="local",
        base_model=base_model,
        conditions={
            "steps": steps,
            "batch_size": batch_size,
            "training_rows": _rows(training_file),
            "held_out_rows": _rows(held_out_file),
            "seed": _SEED,
            **{key: str(value) for key, value in hardware.describe().items()},
        },
        tunings=tuple(found),
        sharding=tuple(_strategies(sharding["strategies"])),
        missing=" ".join([*missing, *filter(None, [sharding["missing"]])]) or None,
    )


def _rows(path: Path) -> int:
    return sum(1 for line in path.read_bytes().split(b"\n") if line.strip())


# --- one training ----------------------------------------------------------------------------


def _train(
    adapter: LocalTrainingAdapter, spec: JobSpec, *, name: str, options: Mapping[str, JsonValue]
) -> TuningMeasurement:
    marker = "ft" + name.replace(" ", "-")
    files = [
        _upload(adapter, Path(path), purpose=purpose)
        for purpose, path in (
            ("training", spec.training_file),
            ("validation", spec.validation_file or ""),
        )
    ]
    chosen = LocalOptions.model_validate(dict(options))
    with _ended(adapter):
        ref = adapter.create(spec, options=chosen, files=files, submission_id=marker)
        snapshot = _wait(adapter, ref)
    run = adapter.runs.at(ref.id)
    job, status = run.job(), run.status()
    if snapshot.status is not JobStatus.SUCCEEDED:
        reason = snapshot.error.message if snapshot.error else snapshot.raw_status
        raise JobFailedError(
            f"The training with {name} did not succeed: {reason}",
            snapshot=snapshot,
            operation="measure",
            hint="Correct the cause, or measure on another machine.",
        )
    metrics = [event["metrics"] for event in run.events()]
    speeds = [m["tokens_per_second"] for m in metrics if "tokens_per_second" in m]
    losses = [m["validation_loss"] for m in metrics if "validation_loss" in m]
    shutil.rmtree(run.path)
    return TuningMeasurement(
        name=name,
        tuning=chosen.tuning,
        dtype=job["dtype"],
        trainable_parameters=job["parameters"]["trainable"],
        total_parameters=job["parameters"]["total"],
        peak_bytes=status["peak_bytes"],
        library_bytes=status["library_bytes"],
        # The first step also pays for caches and allocations of all the others.
        tokens_per_second=statistics.median(speeds[1:] or speeds),
        held_out_loss=losses[-1],
    )


def _upload(adapter: LocalTrainingAdapter, path: Path, *, purpose: str) -> FileRef:
    content = path.read_bytes()
    file = PreparedFile(
        path=path,
        name=path.name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        purpose=purpose,
    )
    return adapter.upload(file, purpose=purpose, submission_id="measure")


@contextmanager
def _ended(adapter: LocalTrainingAdapter) -> Iterator[None]:
    """Leave no training behind when we are interrupted."""
    try:
        yield
    except BaseException:
        for _, run in adapter.runs.all():
            adapter.runs.signal(run, kill=True)
        raise


def _wait(adapter: LocalTrainingAdapter, ref: JobRef) -> JobSnapshot:
    while True:
        snapshot = adapter.retrieve(ref)
        if snapshot.status.terminal or snapshot.status is JobStatus.PAUSED:
            return snapshot
        time.sleep(_LOOK_SECONDS)


# --- sharding --------------------------------------------------------------------------------


def _sharding(settings: LocalSettings) -> dict[str, Any]:
    done = subprocess.run(
        process.python_command("ftproviders.worker.measure_sharding"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=process.environment(threads=settings.threads),
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        lines = done.stderr.decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
        raise UnexpectedResponseError(
            f"The processes that shard a model ended without an answer: {' / '.join(lines)}",
            provider="local",
            operation="measure",
            hint="Run `ftproviders doctor`; they need gloo, which comes with torch.",
        ) from error
    return found


def _strategies(found: Mapping[str, Mapping[str, int]]) -> Iterator[ShardingMeasurement]:
    for name, sizes in found.items():
        strategy, _, tuning = name.rpartition(" ")
        yield ShardingMeasurement(name=name, strategy=strategy, tuning=tuning, **sizes)
