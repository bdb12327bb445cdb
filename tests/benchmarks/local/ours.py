"""Peer: a run of provider ``local``, trained by the function that its worker calls."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.benchmarks.local.task import SEED, Task

__all__ = ["prepare"]


def prepare(task: Task) -> None:
    """Make the run, as a submission does, without starting its worker."""
    from ftproviders.adapters.local.adapter import LocalTrainingAdapter
    from ftproviders.adapters.local.options import LocalOptions, LocalSettings
    from ftproviders.schema.dataset import PreparedFile
    from ftproviders.schema.job import JobSpec

    folder = Path(task.output)
    adapter = LocalTrainingAdapter(LocalSettings(home=folder / "home", cache=folder / "cache"))
    content = Path(task.rows).read_bytes()
    file = PreparedFile(
        path=Path(task.rows),
        name="train.jsonl",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
    )
    files = [adapter.upload(file, purpose="training", submission_id="ftbench")]
    stated = dict(task.extra)
    options = LocalOptions(chat_template=task.template, **stated.pop("options", {}))
    spec = JobSpec(
        provider="local",
        base_model=task.model,
        training_file=task.rows,
        hyperparameters={"n_epochs": task.epochs, **stated},
        seed=SEED,
    )
    document = adapter._document(spec, options, files, "ftbench")
    adapter._prepare(document, files, "ftbench").path.rename(folder / "run")
    adapter.close()


def main() -> None:
    """Train."""
    from tests.benchmarks.local.meter import Meter

    task = Task.from_argument()
    meter = Meter(task)

    from ftproviders.worker.lifecycle import Run
    from ftproviders.worker.rundir import RunDirectory
    from ftproviders.worker.unused import hide_unused

    run = Run(RunDirectory(Path(task.output) / "run"))
    hide_unused(run.job)
    from ftproviders.worker.training import train

    train(run)
    metrics = [event["metrics"] for event in run.directory.events()]
    losses = [found["train_loss"] for found in metrics if "train_loss" in found]
    meter.report(losses=losses, adapter=run.directory.adapter)


if __name__ == "__main__":
    main()
