"""Rows to train on, rows held out, and the order in which our sampler visits them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.local.task import SEED

__all__ = ["held_out", "read", "visiting_order", "write"]

_UNSEEN = ("waffle iron", "radio", "sewing machine", "espresso machine", "fan", "mixer", "scale")
_SEEN = re.compile(
    r"\b(air fryer|blender|coffee grinder|desk lamp|electric blanket|hair dryer|heater|juicer"
    r"|kettle|rice cooker|toaster|vacuum cleaner)\b"
)


def read(file: Path) -> list[str]:
    """Return the lines of a JSONL file."""
    return file.read_text(encoding="utf-8").splitlines()


def write(file: Path, lines: Sequence[str]) -> Path:
    """Write lines."""
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def held_out(training: Sequence[str], count: int) -> list[str]:
    """Return `count` different rows like those of `training`, about products that are not there.

    The same training rows give the same held-out rows.
    """
    chance = random.Random(SEED)
    known, found = set(training), dict.fromkeys(())
    shuffled = chance.sample(list(training), len(training))
    for line in shuffled * len(_UNSEEN):
        products = set(_SEEN.findall(line))
        if len(products) != 1:
            continue
        row = line.replace(products.pop(), chance.choice(_UNSEEN))
        if row not in known and len(found) < count:
            found[row] = None
    assert len(found) == count, f"only {len(found)} held-out rows could be made"
    return list(found)


def visiting_order(
    file: Path, *, model: Path, template: str, batch_size: int, epochs: int
) -> tuple[list[int], list[int]]:
    """Return which row comes when in a run of ours, and the tokens of each row.

    Imports torch.
    """
    from ftproviders.worker.encoding import encode_file
    from ftproviders.worker.loading import load_tokenizer
    from ftproviders.worker.trainer import LengthBuckets

    tokenizer = load_tokenizer(model, template)
    encoded = encode_file(file, tokenizer, max_length=2048, name=file.name).rows
    lengths = [len(row.input_ids) for row in encoded]
    buckets = LengthBuckets(lengths, batch_size=batch_size, seed=SEED)
    order: list[int] = []
    for epoch in range(epochs):
        buckets.set_epoch(epoch)
        order += list(buckets)
    return order, lengths
