"""Preference tuning, on a real model in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from ftproviders.worker.encoding import encode_row
from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import load_tokenizer, load_tuned
from ftproviders.worker.pairs import encode_pair
from ftproviders.worker.trainer import collate, label_loss
from tests.local.conftest import ANSWERS, Bench, losses

WORSE = "no idea"


def pair(question: str, answer: str) -> dict[str, Any]:
    return {
        "input": {"messages": [{"role": "user", "content": question}]},
        "preferred_output": [{"role": "assistant", "content": answer}],
        "non_preferred_output": [{"role": "assistant", "content": WORSE}],
    }


@pytest.fixture
def pairs(bench: Bench) -> Bench:
    bench.rows = [pair(q, a) for q, a in ANSWERS.items()]
    bench.method = "dpo"
    return bench


def margin(model: Any, tokenizer: Any, row: Mapping[str, Any]) -> float:
    """Return by how much the preferred answer is likelier, in nats."""
    both = encode_pair(row, tokenizer, max_length=256)
    with torch.no_grad():
        better, worse = (
            -label_loss(model, collate([side], tokenizer.pad_token_id)).item()
            for side in (both.chosen, both.rejected)
        )
    return better - worse


def test_a_pair_is_two_rows_with_the_answers_alone_compared(pairs: Bench) -> None:
    tokenizer = load_tokenizer(pairs.base)
    row = pair("a", "b")
    row["input"]["messages"][:0] = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "said before"},
    ]
    both = encode_pair(row, tokenizer, max_length=256)
    for side, answer in ((both.chosen, "b"), (both.rejected, WORSE)):
        learned = [token for token in side.labels if token >= 0]
        assert tokenizer.decode(learned) == f"{answer}<|im_end|>"
    columns = {
        "prompt": row["input"]["messages"],
        "chosen": row["preferred_output"],
        "rejected": row["non_preferred_output"],
    }
    assert encode_pair(columns, tokenizer, max_length=256) == both
    asked = columns.pop("prompt")
    joined = {name: [*asked, *answer] for name, answer in columns.items()}
    assert encode_pair(joined, tokenizer, max_length=256) == both
    words = {"prompt": "first", "chosen": "b", "rejected": WORSE}
    assert tokenizer.decode(encode_pair(words, tokenizer, max_length=256).chosen.input_ids) == (
        "<|im_start|>user\nfirst<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
    )
    whole = {"messages": [*row["input"]["messages"], *row["preferred_output"]]}
    assert encode_row(whole, tokenizer, max_length=256).input_ids == both.chosen.input_ids


@pytest.mark.parametrize("tuning", ["lora", "full", "qlora"])
def test_the_preferred_answer_becomes_likelier(pairs: Bench, tuning: str) -> None:
    pairs.validation = pairs.rows
    run = pairs.train(
        n_epochs=4,
        batch_size=2,
        learning_rate=1e-2 if tuning != "full" else 1e-3,
        beta=0.5,
        options={"tuning": tuning},
    )
    seen = losses(run)
    # Model and reference are equal at the first step: -log sigmoid(0).
    assert seen[0] == pytest.approx(0.6931, abs=1e-3)
    assert seen[-1] < 0.5
    assert losses(run, "validation_loss")[-1] < 0.5
    assert losses(run, "reward_margin")[-1] > 0
    assert run.directory.status()["trained_tokens"] > 0
    names = {path.name for path in run.directory.adapter.iterdir()}
    assert "ref" not in names
    tuned = load_tuned(run.directory.adapter, pairs.settings.cache)
    base = load_tuned(pairs.base, pairs.settings.cache)
    for row in pairs.rows:
        assert margin(*tuned, row) > margin(*base, row)


def test_the_same_seed_gives_the_same_bytes(pairs: Bench) -> None:
    knobs = {"n_epochs": 1, "batch_size": 2, "learning_rate": 1e-2, "lora_dropout": 0.1, "seed": 3}
    first, second = pairs.train("ft1", **knobs), pairs.train("ft2", **knobs)
    files = [run.directory.adapter / "adapter_model.safetensors" for run in (first, second)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_pair_without_an_answer_is_named(pairs: Bench) -> None:
    pairs.rows[1]["non_preferred_output"][0]["weight"] = 0
    with pytest.raises(WorkError, match=r"1 rows have no assistant token.*lines 2"):
        pairs.train()
