"""Microsoft's tutorial as a program of its own, against both emulated planes of a resource."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from ftproviders.testing import FakeClock
from ftproviders.testing.azure_openai import (
    ArmEmulator,
    AzureOpenAIEmulator,
    HostingBehaviour,
    Resource,
)
from tests.examples.statements import logical_lines
from tests.examples.test_openai import EXAMPLES, run

SCRIPT = EXAMPLES / "clippy.py"
MODEL = "gpt-4.1-mini-2025-04-14"
TABLE = [
    # The numbers that were published for these files, in the encodings of both model families.
    "sft_training_set.jsonl, cl100k_base: min / max: 47 / 62, mean / median: 52.1 / 50.5",
    "  of the assistant: min / max: 13 / 30, mean / median: 17.6 / 15.5",
    "sft_training_set.jsonl, o200k_base: min / max: 46 / 59, mean / median: 49.8 / 48.5",
    "  of the assistant: min / max: 13 / 28, mean / median: 16.5 / 14.0",
    "sft_validation_set.jsonl, cl100k_base: min / max: 43 / 65, mean / median: 51.4 / 49.0",
    "  of the assistant: min / max: 8 / 29, mean / median: 15.9 / 13.5",
    "sft_validation_set.jsonl, o200k_base: min / max: 41 / 64, mean / median: 48.9 / 47.0",
    "  of the assistant: min / max: 8 / 29, mean / median: 15.0 / 12.5",
]


class Azure(NamedTuple):
    """One resource: where jobs run, and where it is managed."""

    data: AzureOpenAIEmulator
    arm: ArmEmulator
    resource: Resource


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """Both planes, whose time goes on with each request; programs find them by the environment."""
    clock = FakeClock()
    with ExitStack() as stack:
        resource = Resource(clock=clock, behaviour=HostingBehaviour(silent_seconds=60))
        arm = stack.enter_context(ArmEmulator(resource, tick_seconds=5))
        emulator = AzureOpenAIEmulator(
            clock=clock, resource=resource, identity=arm.identity, tick_seconds=5
        )
        data = stack.enter_context(emulator)
        for name, value in {**data.environment, **arm.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FTPROVIDERS_POLL_SECONDS", "0.01")
        yield Azure(data, arm, resource)


def test_clippy_is_checked_tuned_deployed_asked_and_cleared_up(
    azure: Azure, tmp_path: Path
) -> None:
    printed = run(SCRIPT, tmp_path)

    assert printed[: len(TABLE)] == TABLE
    (created,) = azure.data.requests_of("createFineTuningJob")
    assert isinstance(created.body, dict)
    assert created.body["seed"] == 105
    assert created.body["model"] == MODEL
    steps = [line.split(":")[0] for line in printed if line.startswith("Step ")]
    assert steps == [f"Step {step}" for step in (1, *range(10, 101, 10))]
    (checkpoints,) = [line for line in printed if line.startswith("checkpoints: ")]
    assert re.findall(r"step (\d+): ftchkpt-[0-9a-f]{32}", checkpoints) == ["80", "90", "100"]
    last = printed[printed.index("results:") + 3]
    assert re.fullmatch(
        r"step 100: \{'train_loss': .*'valid_loss': .*'valid_mean_token_accuracy': .*"
        r"'full_valid_loss': .*'full_valid_mean_token_accuracy': .*\}",
        last,
    )
    rows = (EXAMPLES / "data" / "clippy" / "sft_training_set.jsonl").read_text("utf-8").splitlines()
    learned = {
        row["messages"][1]["content"]: row["messages"][2]["content"]
        for row in map(json.loads, rows)
    }
    assert printed[-1] == learned["Who discovered Antarctica?"]


def test_the_deployment_is_what_the_tutorial_puts_and_goes_again(
    azure: Azure, tmp_path: Path
) -> None:
    printed = run(SCRIPT, tmp_path)

    (job,) = azure.data.jobs()
    tuned = job["fine_tuned_model"]
    (ref,) = [line.removesuffix(" answers:") for line in printed if line.endswith(" answers:")]
    name = ref.rpartition("/")[2]
    management = [r for r in azure.arm.requests if r.path.endswith(f"/deployments/{name}")]
    (put,) = [r for r in management if r.method == "PUT"]
    assert put.path == (
        f"/subscriptions/{azure.resource.subscription}/resourceGroups/{azure.resource.group}"
        f"/providers/Microsoft.CognitiveServices/accounts/{azure.resource.name}/deployments/{name}"
    )
    body = put.body
    assert isinstance(body, dict)
    assert body["properties"]["model"] == {"format": "OpenAI", "name": tuned, "version": "1"}
    assert set(body["sku"]) == {"name", "capacity"}
    assert body["tags"], "the lease"
    # Chats go to the deployment by its name; the first of them only asks whether it answers.
    asked = azure.data.requests_of("createChatCompletion")
    assert {r.body["model"] for r in asked if isinstance(r.body, dict)} == {name}
    assert [r.method for r in management if r.method == "DELETE"] == ["DELETE"]
    assert list(azure.resource.deployments) == []


def test_a_second_run_finds_the_job_and_pays_once(azure: Azure, tmp_path: Path) -> None:
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        run(SCRIPT, folder)

    assert len(azure.data.jobs()) == 1
    assert len(azure.data.requests_of("createFile")) == 2


def test_the_file_for_several_providers_runs_here_by_provider_alone(
    azure: Azure, tmp_path: Path
) -> None:
    file = EXAMPLES / "one_spec.yaml"
    words = ["submit", str(file), "--provider", "azure-openai", "--wait", "--yes"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "ftproviders", *words],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    (created,) = azure.data.requests_of("createFineTuningJob")
    body = created.body
    assert isinstance(body, dict)
    knobs = {"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 1.5}
    assert body["method"] == {"type": "supervised", "supervised": {"hyperparameters": knobs}}
    assert (body["model"], body["seed"], body["suffix"]) == (MODEL, 7, "intents")
    assert body["trainingType"] == "standard"
    (job,) = azure.data.jobs()
    assert job["status"] == "succeeded"


def test_the_tutorial_is_short() -> None:
    assert logical_lines(SCRIPT) <= 15
