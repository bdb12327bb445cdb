"""The thin use of ``transformers.Trainer``: loss where there are labels, length buckets.

Imports torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer
from typing_extensions import override

from ftproviders.worker.checkpointing import KeepsCheckpoints
from ftproviders.worker.distributed import RankBatches, shares, summed, world_size
from ftproviders.worker.encoding import IGNORED, EncodedRow
from ftproviders.worker.finite import KnowsNorm
from ftproviders.worker.fused_lora import fuse_adapters
from ftproviders.worker.packing import PackedRow, collate_packed
from ftproviders.worker.shared_prefix import begin_together, can_share, common_beginning
from ftproviders.worker.token_loss import summed_cross_entropy

__all__ = ["ChatTrainer", "LengthBuckets", "collate", "label_loss", "mean_loss"]

_POOL_BATCHES = 50
"""Rows are sorted by length within pools of this many batches, so that order stays random."""


def collate(rows: Sequence[EncodedRow], pad_id: int) -> dict[str, torch.Tensor]:
    """Pad rows on the right to the longest of them.

    Returns:
        ``input_ids``, ``attention_mask`` and ``labels``, each int64 of shape (rows, longest). No
        rows give one token without a label: a process that has nothing to learn in a step takes
        part in it all the same.
    """
    if not rows:
        nothing = torch.full((1, 1), pad_id)
        return {
            "input_ids": nothing,
            "attention_mask": torch.ones_like(nothing),
            "labels": torch.full_like(nothing, IGNORED),
        }
    if isinstance(rows[0], PackedRow):
        return collate_packed(rows, pad_id)
    longest = max(len(row.input_ids) for row in rows)

    def padded(values: list[int], filler: int) -> list[int]:
        return values + [filler] * (longest - len(values))

    return {
        "input_ids": torch.tensor([padded(row.input_ids, pad_id) for row in rows]),
        "attention_mask": torch.tensor([padded([1] * len(row.input_ids), 0) for row in rows]),
        "labels": torch.tensor([padded(row.labels, IGNORED) for row in rows]),
    }


class LengthBuckets(Sampler[int]):  # type: ignore[misc]  # torch is not followed by mypy
    """Random order in which neighbours have similar lengths, so that batches hold little padding.

    Args:
        lengths: Tokens of each row.
        batch_size: Rows in a batch.
        seed: The same seed and epoch give the same order.
    """

    def __init__(self, lengths: Sequence[int], *, batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; the Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    @override
    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        pool = self.batch_size * _POOL_BATCHES
        batches = []
        for start in range(0, len(order), pool):
            rows = sorted(order[start : start + pool], key=self.lengths.__getitem__)
            batches += [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        # A batch that is not full must come last: batches are cut from the flat order again.
        full = [batch for batch in batches if len(batch) == self.batch_size]
        rest = [batch for batch in batches if len(batch) < self.batch_size]
        for index in torch.randperm(len(full), generator=generator).tolist():
            yield from full[index]
        for batch in rest:
            yield from batch


def label_loss(
    model: Any, inputs: dict[str, torch.Tensor], *, shortcuts: bool = False
) -> torch.Tensor:
    """Return the summed cross-entropy over the labelled tokens.

    The vocabulary projection is the dearest single product of a small model, so it is computed
    only at positions where some row of the batch has a label, if the model can do that.

    Args:
        model: A causal language model, adapted or not.
        inputs: As `collate` makes them.
        shortcuts: Compute a common beginning of the rows once, and leave the mask out, which
            hides only what stands behind a row; for models where `can_share` is true.
    """
    ids, labels = inputs["input_ids"], inputs["labels"]
    targets = torch.full_like(labels, IGNORED)
    targets[:, :-1] = labels[:, 1:]
    inner = getattr(model, "module", model)  # below the wrapper of several processes
    base = inner.get_base_model() if hasattr(inner, "get_base_model") else inner
    arguments: dict[str, Any] = {"use_cache": False}
    if "position_ids" in inputs:
        # Packed rows are kept apart by their positions; a mask would hide these from the model.
        arguments["position_ids"] = inputs["position_ids"]
    elif not shortcuts:
        arguments["attention_mask"] = inputs["attention_mask"]
    elif begun := common_beginning(ids, labels):
        cache = begin_together(base, ids, begun)
        arguments = {"use_cache": True, "past_key_values": cache}
        ids, targets = ids[:, begun:], targets[:, begun:]
    if "logits_to_keep" in inspect.signature(base.forward).parameters:
        kept = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)
        arguments["logits_to_keep"] = kept
        targets = targets[:, kept]
    logits = model(input_ids=ids, **arguments).logits
    return summed_cross_entropy(logits.flatten(0, 1), targets.flatten())


def mean_loss(model: Any, rows: Sequence[EncodedRow], *, batch_size: int, pad_id: int) -> float:
    """Return the mean loss per labelled token over `rows`, in evaluation mode.

    Several processes share the rows; all of them must call it.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    ordered = sorted(rows, key=lambda row: len(row.input_ids))
    batches = [ordered[i : i + batch_size] for i in range(0, len(ordered), batch_size)]
    total, tokens = 0.0, 0
    for some in shares(batches):
        batch = collate(some or [], pad_id)
        with torch.no_grad():
            total += label_loss(model, {k: v.to(device) for k, v in batch.items()}).item()
        tokens += int((batch["labels"] != IGNORED).sum())
    model.train(was_training)
    total, count = summed(total, tokens)
    return total / count


class ChatTrainer(KeepsCheckpoints, KnowsNorm, Trainer):  # type: ignore[misc]  # transformers ships no types
    """Trainer whose batches are length buckets and whose loss needs only the labelled positions."""

    loss_is_scaled_for_ga = True

    def __init__(self, *, rows: Any, pad_id: int, **arguments: Any) -> None:
        self.rows: Sequence[EncodedRow] = rows
        self.pad_id = pad_id
        super().__init__(
            train_dataset=rows, data_collator=lambda rows: collate(rows, pad_id), **arguments
        )
        # The loss is divided by the labelled tokens of the whole optimizer step, whatever the
        # model's own forward takes; this makes the Trainer count them.
        self.model_accepts_loss_kwargs = True
        self.trained_tokens = 0
        # Where one process has the whole model, it can be computed in other ways than PEFT's and
        # once for all rows; noise on the embeddings is drawn for each row.
        alone = world_size() == 1
        whole: Any = self.model
        inner = whole.get_base_model() if hasattr(whole, "get_base_model") else whole
        self.shortcuts = alone and not self.args.neftune_noise_alpha and can_share(inner)
        if alone:
            fuse_adapters(whole)

    @override
    def get_train_dataloader(self) -> Any:
        size = self._train_batch_size
        lengths = [len(row.input_ids) for row in self.rows]
        together = size * world_size()
        # Buckets are those of a whole optimizer step, so that splitting it changes no result.
        step = together * self.args.gradient_accumulation_steps
        order = LengthBuckets(lengths, batch_size=step, seed=self.args.seed)
        data: Any = self.rows
        if world_size() > 1:
            # Not prepared by accelerate, which fills the last batch up by repeating rows.
            mine = RankBatches(order, batch_size=together)
            return DataLoader(data, batch_sampler=mine, collate_fn=self.data_collator)
        loader = DataLoader(data, batch_size=size, sampler=order, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)

    @override
    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        learned = (inputs["labels"] != IGNORED).any(dim=1, keepdim=True)
        self.trained_tokens += int((inputs["attention_mask"] * learned).sum())
        count = num_items_in_batch
        if count is None:
            count = (inputs["labels"] != IGNORED).sum()
        # The labels are counted over all processes, but gradients and losses are averaged over
        # them.
        loss = label_loss(model, inputs, shortcuts=self.shortcuts) / count
        loss = loss * world_size()
        return (loss, {}) if return_outputs else loss
