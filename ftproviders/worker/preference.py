"""Preference tuning (DPO) through TRL, with rows, checkpoints and reports of ours. Imports torch.

Each pair is encoded as two rows in the way of supervised tuning, so that what is compared is what
the assistant says and nothing else. The reference of an adapter is the base model without it; of a
whole model it is a second copy, which nobody trains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from typing_extensions import override

from ftproviders.worker.adapting import is_adapter
from ftproviders.worker.arguments import argument_values
from ftproviders.worker.checkpointing import KeepsCheckpoints
from ftproviders.worker.encoding import IGNORED
from ftproviders.worker.failures import WorkError
from ftproviders.worker.finite import KnowsNorm
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.pairs import EncodedPair
from ftproviders.worker.trainer import collate

__all__ = ["PreferenceTrainer", "preference_trainer"]


class PreferenceTrainer(
    KeepsCheckpoints,
    KnowsNorm,
    DPOTrainer,  # type: ignore[misc]  # trl is untyped here
):
    """TRL's trainer over rows that are encoded already."""

    trained_tokens = 0

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    @override
    def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        if model.training:
            self.trained_tokens += int(inputs["attention_mask"].sum())
        return super().compute_loss(model, inputs, *rest, **named)

    def validation_loss(self, rows: Sequence[EncodedPair]) -> float:
        """Return the mean loss of pairs against the reference."""
        found = self.evaluate(eval_dataset=_dataset(rows))
        return float(found["eval_loss"])


def preference_trainer(
    run: Run,
    *,
    model: Any,
    tokenizer: Any,
    rows: Sequence[EncodedPair],
    dtype: torch.dtype,
    reference: Callable[[], Any],
) -> PreferenceTrainer:
    """Make the trainer.

    Args:
        run: The run.
        model: The model with what is trained on it.
        tokenizer: Its tokenizer.
        rows: Training rows.
        dtype: Data type of what is trained.
        reference: Loads the base model again, for tuning that has no adapter to leave out.

    Raises:
        WorkError: TRL cannot train the model with these settings.
    """
    settings = run.job["settings"]
    adapter = is_adapter(model)
    pad_id = tokenizer.pad_token_id
    try:
        trainer = PreferenceTrainer(
            model=model,
            ref_model=None if adapter else reference(),
            args=DPOConfig(**_values(run, settings, len(rows))),
            data_collator=lambda pairs: _collate(pairs, pad_id),
            train_dataset=_dataset(rows),
            processing_class=tokenizer,
        )
    except ValueError as error:
        raise WorkError(
            f"The model cannot be tuned on preferences with these settings: {error}",
            code="preference",
        ) from error
    if adapter:
        # TRL's copy of the untrained adapter, which adds nothing: the base model is the reference.
        model.delete_adapter("ref")
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(dtype)
    return trainer


def _values(run: Run, settings: Mapping[str, Any], rows: int) -> dict[str, Any]:
    return {
        **argument_values(run, settings, rows),
        "per_device_eval_batch_size": (
            settings["batch_size"] // settings["gradient_accumulation_steps"]
        ),
        "beta": settings["beta"],
        "disable_dropout": not settings["lora_dropout"],
        "bf16": False,
        "activation_checkpointing": settings["gradient_checkpointing"],
        "max_length": None,
    }


def _dataset(rows: Sequence[EncodedPair]) -> Any:
    return Dataset.from_list(
        [
            {
                "chosen_ids": row.chosen.input_ids,
                "chosen_labels": row.chosen.labels,
                "rejected_ids": row.rejected.input_ids,
                "rejected_labels": row.rejected.labels,
            }
            for row in rows
        ]
    )


class _Side:
    """One answer of a pair, as `collate` wants rows."""

    def __init__(self, pair: Mapping[str, list[int]], name: str) -> None:
        self.input_ids = pair[f"{name}_ids"]
        self.labels = pair[f"{name}_labels"]


def _collate(pairs: Sequence[Mapping[str, list[int]]], pad_id: int) -> dict[str, torch.Tensor]:
    """Put all preferred rows before all rejected ones; mark what is compared."""
    sides: list[Any] = [_Side(pair, name) for name in ("chosen", "rejected") for pair in pairs]
    batch = collate(sides, pad_id)
    learned = (batch.pop("labels") != IGNORED).long()
    return {**batch, "completion_mask": learned}
