"""The job's settings -> ``transformers.TrainingArguments``. Imports torch."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from ftproviders.worker.distributed import parallel_arguments, world_size
from ftproviders.worker.lifecycle import Run

__all__ = ["argument_values", "training_arguments"]

_METRICS_EVENTS = 200
"""About this many metrics events for a whole training."""


def training_arguments(run: Run, settings: Mapping[str, Any], rows: int) -> Any:
    """Return the Trainer's arguments.

    Args:
        run: The run.
        settings: The job's resolved settings.
        rows: Rows of the training file, or packed sequences of them.
    """
    return TrainingArguments(**argument_values(run, settings, rows))


def argument_values(run: Run, settings: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return the Trainer's arguments as keywords, for every kind of Trainer; see above."""
    pieces = settings["gradient_accumulation_steps"]
    micro = settings["batch_size"] // pieces // world_size()
    passes = math.ceil(rows / (micro * world_size()))
    steps = math.ceil(passes / pieces) * settings["n_epochs"]
    steps = min(steps, settings["max_steps"] or steps)
    return {
        "output_dir": str(run.directory.path / "trainer"),
        "run_name": run.job["submission_id"],
        "num_train_epochs": settings["n_epochs"],
        "max_steps": steps,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": pieces,
        "learning_rate": settings["learning_rate"],
        "lr_scheduler_type": settings["lr_scheduler"],
        "warmup_steps": math.ceil(steps * settings["warmup_ratio"]),
        "weight_decay": settings["weight_decay"],
        "max_grad_norm": settings["max_grad_norm"],
        "optim": settings["optim"],
        "neftune_noise_alpha": settings["neftune_noise_alpha"],
        "logging_steps": settings["logging_steps"] or max(1, steps // _METRICS_EVENTS),
        "logging_nan_inf_filter": False,
        "seed": settings["seed"],
        "use_cpu": not torch.cuda.is_available(),
        "tf32": True if settings["tf32"] and torch.cuda.is_available() else None,
        "save_strategy": "no",
        "report_to": _trackers(settings["trackers"], run.directory.path / "trackers"),
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
        **parallel_arguments(settings, micro=micro),
    }


def _trackers(names: str, folder: Path) -> list[str]:
    """Return the trackers, and have them write into the run unless the user said otherwise.

    Trackers read their own variables; keys are never handed over by us. W&B goes to the network
    only when its mode is set to ``online``.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if wanted:
        folder.mkdir(mode=0o700, exist_ok=True)
    own: dict[str, dict[str, object]] = {
        "tensorboard": {"TENSORBOARD_LOGGING_DIR": folder / "tensorboard"},
        "wandb": {"WANDB_DIR": folder, "WANDB_MODE": "offline", "WANDB_PROJECT": "ftproviders"},
        "mlflow": {"MLFLOW_TRACKING_URI": (folder / "mlflow").as_uri()},
        "trackio": {"TRACKIO_DIR": folder / "trackio"},
    }
    for name in wanted:
        for variable, value in own[name].items():
            os.environ.setdefault(variable, str(value))
    return wanted or ["none"]
