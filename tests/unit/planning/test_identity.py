"""Identities are frozen: a change here would make users pay for a job they already have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ftproviders.planning import identity, submission_id
from ftproviders.provider import ProviderOptions
from ftproviders.schema.dataset import Dataset
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import JobSpec


class Options(ProviderOptions):
    priority: str = "normal"
    depth: int = 4
    parts: tuple[float, ...] = ()


def dataset(letter: str, path: str = "train.jsonl") -> Dataset:
    return Dataset(path=Path(path), sha256=letter * 64, bytes=10, rows=1)


def content(
    *,
    options: ProviderOptions | None = None,
    validation: Dataset | None = None,
    training: Dataset | None = None,
    account: str = "acct",
    **spec: Any,
) -> Any:
    fields = {"provider": "memory", "base_model": "m", "training_file": "train.jsonl", **spec}
    return identity(
        JobSpec(**fields),
        account=account,
        base_model="m",
        options=options or Options(),
        training=training or dataset("a"),
        validation=validation,
    )


GOLDEN = {
    "bare": (content(), 1, "ftihqlbxcmmn2rytr3qspxxowp"),
    "second attempt": (content(), 2, "ft3hzfzmnydmwqbwcow2rtcyau"),
    "everything": (
        content(
            method=Method.DPO,
            hyperparameters=Hyperparameters(
                n_epochs=3, batch_size="auto", learning_rate=2e-4, lora_alpha=16, beta=0.1
            ),
            options=Options(priority="high", parts=(1.0, 0.5)),
            suffix="größe",
            seed=42,
            validation=dataset("b", "valid.jsonl"),
            account="https://api.example.com/v1 org-1 proj-2",
        ),
        1,
        "ftgwbypcljrgal3npycakcmgdn",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_identities(name: str) -> None:
    given, attempt, expected = GOLDEN[name]
    assert submission_id(given, attempt=attempt) == expected


def test_form_fits_every_provider() -> None:
    assert re.fullmatch(r"ft[a-z2-7]{24}", submission_id(content(), attempt=1))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"suffix": "x"},
        {"method": "dpo"},
        {"hyperparameters": Hyperparameters(n_epochs=1)},
        {"hyperparameters": Hyperparameters(n_epochs="auto")},
        {"hyperparameters": Hyperparameters(learning_rate=1.0)},
        {"hyperparameters": Hyperparameters(learning_rate_multiplier=1.0)},
        {"options": Options(depth=5)},
        {"options": Options(priority="normal")},
        {"training": dataset("c")},
        {"validation": dataset("a")},
        {"account": "other"},
        {"provider": "local"},
    ],
    ids=str,
)
def test_what_the_user_states_is_in_it(change: dict[str, Any]) -> None:
    assert submission_id(content(**change), attempt=1) != submission_id(content(), attempt=1)


@pytest.mark.parametrize(
    "change",
    [
        {"training_file": "/elsewhere/other-name.jsonl"},
        {"training": dataset("a", "/moved.jsonl")},
        {"max_cost_usd": 3.0},
        {"strict": True},
        {"note": "for the boss"},
        {"base_model": {"memory": "m", "openai": "x"}},
        {"options": Options()},
    ],
    ids=str,
)
def test_what_does_not_change_the_job_is_not_in_it(change: dict[str, Any]) -> None:
    assert submission_id(content(**change), attempt=1) == submission_id(content(), attempt=1)


def test_whole_numbers_are_equal_whatever_their_type() -> None:
    one = content(hyperparameters=Hyperparameters(lora_alpha=16))
    two = content(hyperparameters=Hyperparameters(lora_alpha=16.0))
    assert submission_id(one, attempt=1) == submission_id(two, attempt=1)
