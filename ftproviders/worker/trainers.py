"""Which Trainer a job needs, made ready. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ftproviders.worker.arguments import training_arguments
from ftproviders.worker.attention import stated_attention
from ftproviders.worker.encoding import EncodedRow
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.loading import choose_dtype, load_model
from ftproviders.worker.packing import check_packing, pack
from ftproviders.worker.rows import Data, longest_row
from ftproviders.worker.trainer import ChatTrainer, collate, label_loss, mean_loss

__all__ = ["make_trainer"]

Measure = Callable[[Any], float]


def make_trainer(
    run: Run, model: Any, tokenizer: Any, *, data: Data, base: Path
) -> tuple[Any, Measure | None]:
    """Make the trainer of a job, and what measures its validation loss.

    Args:
        run: The run.
        model: The model with what is trained on it.
        tokenizer: Its tokenizer.
        data: The job's rows.
        base: Folder of the base model.

    Returns:
        The trainer, and a function from model to validation loss; None = no validation file.

    Raises:
        WorkError: The model cannot be trained with the job's settings.
    """
    if run.job["method"] == "dpo":
        return _preference(run, model, tokenizer, data=data, base=base)
    settings, pad_id = run.job["settings"], tokenizer.pad_token_id
    rows: Sequence[Any] = data.training.rows
    if settings["packing"]:
        rows = _packed(run, model, rows, pad_id)
    trainer = ChatTrainer(
        pad_id=pad_id,
        model=model,
        args=training_arguments(run, settings, len(rows)),
        rows=rows,
    )
    if data.validation is None:
        return trainer, None
    validation, size = data.validation.rows, trainer.args.per_device_train_batch_size
    return trainer, lambda model: mean_loss(model, validation, batch_size=size, pad_id=pad_id)


def _packed(run: Run, model: Any, rows: Sequence[EncodedRow], pad_id: int) -> Sequence[Any]:
    def loss(batch: Sequence[EncodedRow]) -> float:
        inputs = {k: v.to(model.device) for k, v in collate(batch, pad_id).items()}
        return float(label_loss(model, inputs))

    check_packing(model, rows, loss=loss)
    packed = pack(rows, length=longest_row(run, model.config))
    run.event(f"{len(rows)} rows are packed into {len(packed)} sequences.")
    return packed


def _preference(
    run: Run, model: Any, tokenizer: Any, *, data: Data, base: Path
) -> tuple[Any, Measure | None]:
    # TRL takes seconds to import, and only preferences need it.
    from ftproviders.worker.preference import preference_trainer

    settings = run.job["settings"]
    dtype = choose_dtype(settings["dtype"])
    trainer = preference_trainer(
        run,
        model=model,
        tokenizer=tokenizer,
        rows=data.training.rows,
        dtype=dtype,
        reference=lambda: load_model(base, dtype=dtype, attention=stated_attention(settings)),
    )
    if data.validation is None:
        return trainer, None
    validation = data.validation.rows
    return trainer, lambda _: trainer.validation_loss(validation)
