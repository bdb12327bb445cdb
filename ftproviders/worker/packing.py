"""Rows joined to long sequences, so that no position is padding. Imports torch.

The rows of a sequence do not see each other: their positions start at 0 again, from which the
attention of transformers makes a mask of blocks. Whether a model's attention does that is tried on
the model itself before anything is trained.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ftproviders.worker.encoding import IGNORED, EncodedRow
from ftproviders.worker.failures import WorkError

__all__ = ["PackedRow", "check_packing", "collate_packed", "pack"]

_TOLERANCE = 0.02
"""Relative difference of losses that rounding in bf16 explains."""


@dataclass(frozen=True, kw_only=True)
class PackedRow(EncodedRow):
    """Several rows, one after another."""

    positions: list[int]
    """Position of each token within its own row."""


def pack(rows: Sequence[EncodedRow], *, length: int) -> list[PackedRow]:
    """Join rows to as few sequences of at most `length` tokens as best fit finds.

    The same rows give the same sequences. No row is cut, and the first token of a row never has a
    label, so nothing is learned across rows.
    """
    order = sorted(range(len(rows)), key=lambda index: (-len(rows[index].input_ids), index))
    groups: list[list[int]] = []
    room: list[tuple[int, int]] = []  # tokens that still fit, number of the group; sorted
    for index in order:
        size = len(rows[index].input_ids)
        place = bisect_left(room, (size, -1))
        if place == len(room):
            groups.append([index])
            left, number = length - size, len(groups) - 1
        else:
            left, number = room.pop(place)
            groups[number].append(index)
            left -= size
        insort(room, (left, number))
    return [_join([rows[index] for index in sorted(group)]) for group in groups]


def _join(rows: Sequence[EncodedRow]) -> PackedRow:
    return PackedRow(
        input_ids=[token for row in rows for token in row.input_ids],
        labels=[label for row in rows for label in row.labels],
        positions=[position for row in rows for position in range(len(row.input_ids))],
        cut=any(row.cut for row in rows),
    )


def collate_packed(rows: Sequence[Any], pad_id: int) -> dict[str, torch.Tensor]:
    """Pad `PackedRow` on the right; what is padded counts as a row of its own, without labels.

    Returns:
        ``input_ids``, ``labels``, ``position_ids`` and ``attention_mask``, each int64 of shape
        (rows, longest). The mask only says which tokens are real: the model gets the positions.
    """
    longest = max(len(row.input_ids) for row in rows)

    def padded(values: list[int], filler: int) -> list[int]:
        return values + [filler] * (longest - len(values))

    positions = [row.positions + list(range(longest - len(row.positions))) for row in rows]
    return {
        "input_ids": torch.tensor([padded(row.input_ids, pad_id) for row in rows]),
        "attention_mask": torch.tensor([padded([1] * len(row.input_ids), 0) for row in rows]),
        "labels": torch.tensor([padded(row.labels, IGNORED) for row in rows]),
        "position_ids": torch.tensor(positions),
    }


def check_packing(
    model: Any, rows: Sequence[EncodedRow], *, loss: Callable[[Sequence[EncodedRow]], float]
) -> None:
    """Make sure that rows in one sequence do not see each other.

    Args:
        model: The model that will be trained.
        rows: Rows of the job; the two shortest are tried.
        loss: Summed loss of a batch of rows, packed or not.

    Raises:
        WorkError: The losses differ.
    """
    tried = sorted(rows, key=lambda row: len(row.input_ids))[:2]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            apart = sum(loss([row]) for row in tried)
            joined = loss([_join(tried)])
    finally:
        model.train(was_training)
    if abs(apart - joined) > _TOLERANCE * max(abs(apart), 1e-3):
        raise WorkError(
            f"Rows cannot be packed for this model: its attention lets packed rows see each other "
            f"(loss {joined:.4f} instead of {apart:.4f}). Leave packing out, or try another "
            "attn_implementation.",
            code="packing",
            param="packing",
        )
