"""The files of a job -> rows that are ready for training. Imports transformers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ftproviders.data.template import default_template
from ftproviders.worker.encoding import REWRITES, Encoded, encode_file, encode_row
from ftproviders.worker.failures import WorkError
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.pairs import EncodedPair, encode_pair

__all__ = ["Data", "encode_job", "longest_row"]


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a model is trained on."""

    training: Encoded
    validation: Encoded | None


def longest_row(run: Run, config: Any) -> int:
    """Return the most tokens of a row: what the job says, or what the model can, if less.

    Args:
        run: The run.
        config: The model's configuration.
    """
    limit = getattr(config, "max_position_embeddings", None) or math.inf
    return int(min(run.job["settings"]["max_length_tokens"], limit))


def encode_job(run: Run, tokenizer: Any, config: Any) -> Data:
    """Encode every file of the job.

    A template of the model's own through which the assistant's words cannot be followed is
    replaced by ours, in the tokenizer too.

    Args:
        run: The run.
        tokenizer: A fast tokenizer with a chat template.
        config: The model's configuration.

    Raises:
        WorkError: A row cannot be learned from, and why.
    """
    length = longest_row(run, config)
    encode = _encoder(run)
    try:
        encoded = _files(run, tokenizer, length, encode)
    except WorkError as failure:
        if failure.code != REWRITES or run.job.get("chat_template"):
            raise
        run.event(
            "The model's own chat template writes earlier messages differently when one is added, "
            "so the assistant's words cannot be told apart in it. The ChatML template of "
            "ftproviders is used instead, and saved with the tuned model.",
            level="warning",
        )
        tokenizer.chat_template = default_template()
        encoded = _files(run, tokenizer, length, encode)
    for purpose, found in encoded.items():
        _check_vocabulary(found, config, purpose=purpose)
        cut = sum(row.cut for row in found.rows)
        if cut:
            run.event(
                f"{cut} of {len(found.rows)} {purpose} rows are longer than {length} tokens and "
                f"were cut.",
                level="warning",
            )
    return Data(training=encoded["training"], validation=encoded.get("validation"))


def _check_vocabulary(encoded: Encoded, config: Any, *, purpose: str) -> None:
    size = getattr(config, "vocab_size", None)
    largest = max((max(ids, default=0) for row in encoded.rows for ids in _ids(row)), default=0)
    if size is not None and largest >= size:
        raise WorkError(
            f"The tokenizer makes token {largest} of a {purpose} row, and the model knows only "
            f"those below {size}. Save the tokenizer that belongs to the model with it.",
            code="tokenizer",
            param="base_model",
        )


def _ids(row: Any) -> Sequence[Sequence[int]]:
    """Return the token ids of a row, or those of both rows of a pair."""
    both = (row.chosen, row.rejected) if isinstance(row, EncodedPair) else (row,)
    return [part.input_ids for part in both]


def _encoder(run: Run) -> Callable[..., Any]:
    if run.job["method"] == "dpo":
        return encode_pair
    return partial(encode_row, learn_all=not run.job["settings"]["assistant_only_loss"])


def _files(run: Run, tokenizer: Any, length: int, encode: Callable[..., Any]) -> dict[str, Encoded]:
    return {
        file["purpose"]: encode_file(
            run.directory.data(file["purpose"]),
            tokenizer,
            max_length=length,
            name=file["name"],
            encode=encode,
        )
        for file in run.job["files"]
    }
