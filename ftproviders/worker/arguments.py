"""The job's settings -> ``transformers.TrainingArguments``. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainingArguments

from ftproviders.worker.lifecycle import Run

__all__ = ["training_arguments"]

_METRICS_EVENTS = 200
"""About this many metrics events for a whole training."""


def training_arguments(run: Run, settings: Mapping[str, Any], rows: int) -> Any:
    """Return the Trainer's arguments.

    Args:
        run: The run.
        settings: The job's resolved settings.
        rows: Rows of the training file.
    """
    pieces = settings["gradient_accumulation_steps"]
    micro = settings["batch_size"] // pieces
    steps = math.ceil(math.ceil(rows / micro) / pieces) * settings["n_epochs"]
    steps = min(steps, settings["max_steps"] or steps)
    return TrainingArguments(
        output_dir=str(run.directory.path / "trainer"),
        num_train_epochs=settings["n_epochs"],
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=pieces,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["lr_scheduler"],
        warmup_steps=math.ceil(steps * settings["warmup_ratio"]),
        weight_decay=settings["weight_decay"],
        logging_steps=max(1, steps // _METRICS_EVENTS),
        logging_nan_inf_filter=False,
        seed=settings["seed"],
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
