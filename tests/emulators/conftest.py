"""An emulator by a fake clock, and the real SDK's client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from ftproviders.schema.hyperparameters import Method
from ftproviders.testing import FakeClock
from ftproviders.testing.openai import OpenAIEmulator
from ftproviders.testing.openai.rig import training_rows
from tests.emulators.calls import make_client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def emulator(clock: FakeClock) -> Iterator[OpenAIEmulator]:
    with OpenAIEmulator(clock=clock) as server:
        yield server


@pytest.fixture
def client(emulator: OpenAIEmulator) -> Iterator[openai.OpenAI]:
    with make_client(emulator) as made:
        yield made


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_text(training_rows(Method.SUPERVISED))
    return path
