"""The tokens with which all rows of a batch begin, computed once instead of once a row.

Chats of one file mostly open with the same system message. In a causal model no token sees those
after it, so keys and values of a common beginning are the same in every row; they are computed for
one row, gradients included, and handed to the others as the cache that generation uses. Loss and
gradients are those of the usual way, but for rounding. Imports torch.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ftproviders.worker.encoding import IGNORED

__all__ = ["begin_together", "can_share", "common_beginning"]

_LEAST_SHARE = 0.1
"""A second, short pass must save at least this share of the batch's positions to be worth it."""


def can_share(base: Any) -> bool:
    """Say whether a base model's beginnings can be shared in training.

    It must be a decoder that keeps keys and values of all positions, without dropout between them
    and not recomputed in the backward pass.

    Args:
        base: A causal language model, below its adapter.
    """
    decoder = getattr(base, getattr(base, "base_model_prefix", ""), None)
    if decoder is None or decoder is base or base.config.is_encoder_decoder:
        return False
    if "past_key_values" not in inspect.signature(decoder.forward).parameters:
        return False
    drops = any(isinstance(part, torch.nn.Dropout) and part.p > 0 for part in base.modules())
    drops = drops or getattr(base.config, "attention_dropout", 0.0) > 0
    recomputes = any(getattr(part, "gradient_checkpointing", False) for part in base.modules())
    layers = DynamicCache(config=base.config).layers
    plain = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
    return plain and not drops and not recomputes


def common_beginning(input_ids: torch.Tensor, labels: torch.Tensor) -> int:
    """Return how many first tokens can be computed once for the whole batch; 0 = not worth it.

    All rows have them in common, none of them predicts a labelled token, and at least one token of
    every row is left.

    Args:
        input_ids: int64 of shape (rows, longest), padded on the right.
        labels: The same shape.
    """
    rows, longest = input_ids.shape
    same = int((input_ids == input_ids[0]).all(dim=0).long().cumprod(dim=0).sum())
    learned = (labels != IGNORED).any(dim=0).nonzero()
    first = int(learned[0]) if len(learned) else 0
    length = max(0, min(same, first - 1))
    return length if length * (rows - 1) >= _LEAST_SHARE * rows * longest else 0


def begin_together(base: Any, input_ids: torch.Tensor, length: int) -> Any:
    """Return the cache of all rows after their common beginning.

    Args:
        base: The model below its adapter; the adapter is in its layers.
        input_ids: As above.
        length: Tokens of the common beginning.
    """
    cache = DynamicCache(config=base.config)
    decoder = getattr(base, base.base_model_prefix)
    decoder(input_ids=input_ids[:1, :length], past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(input_ids))
    return cache
