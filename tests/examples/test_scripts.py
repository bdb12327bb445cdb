"""The scripts and files of ``examples/`` work as they stand."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ftproviders.demo

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(*arguments: str) -> str:
    """Run a script in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_memory_quick_start_walks_to_an_answer() -> None:
    printed = run(str(EXAMPLES / "quickstart_memory.py")).splitlines()

    assert printed[0].startswith("200 rows, about ")
    assert "ignored: lora_r: memory has no lora_r for method supervised" in printed
    assert any("(and again: memory:" in line and "reused: True" in line for line in printed)
    assert "  succeeded" in printed
    assert printed[-1].startswith("[")


def test_job_file_goes_to_each_provider_it_names() -> None:
    for provider, model in (("memory", "memory-small"), ("local", "smollm2-135m")):
        job = str(EXAMPLES / "job.yaml")
        printed = run("-m", "ftproviders", "plan", job, "--provider", provider)
        rows = [line.split() for line in printed.splitlines()]
        assert ["provider", provider] in [row[:2] for row in rows]
        assert ["model", model] in rows


@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl"])
def test_example_data_is_the_data_of_the_demo(name: str) -> None:
    shipped = Path(ftproviders.demo.__file__).parent / "data" / name

    assert (EXAMPLES / "data" / name).read_bytes() == shipped.read_bytes()


def test_cookbook_data_preparation_has_the_published_numbers() -> None:
    pytest.importorskip("quicktok", reason="the ranks of the encodings are an extra: tokens")
    printed = run(str(EXAMPLES / "cookbook_data_preparation.py")).splitlines()

    assert [line for line in printed if not line.startswith("tokens a")] == [
        "format errors: 0",
        "the file itself: the file has 5 rows, fewer than 10 for training",
        "rows without system: 1",
        "rows without user: 1",
        "messages a row: min 2, max 9, mean 3.8, median 3, q10 2, q90 6.6",
        "tokens of the assistant a row: min 4, max 8000, mean 1610.2, median 10, q10 6, q90 4811.2",
        "rows over 4096 tokens: 1",
        "tokens to pay for in one epoch: 4306",
        "epochs by default: 20",
        "tokens to pay for in all: 86120",
    ]
    assert "tokens a row: min 26, max 8032, mean 1648.4, median 45, q10 26.8, q90 4863.6" in printed


def test_cookbook_data_is_the_published_file() -> None:
    file = EXAMPLES / "data" / "openai_cookbook" / "toy_chat_fine_tuning.jsonl"

    assert len(file.read_bytes()) == 27_385
    assert "MIT License" in (file.parent / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_text_to_sql_follows_the_guide(tmp_path: Path) -> None:
    """Twenty steps of random weights: they learn no SQL, but they learn."""
    model = tmp_path / "tiny"
    run("-W", "default", "-m", "tests.contract.tiny_model", str(model), "1024")
    settings = {"max_steps": 20, "learning_rate": 0.01, "r": 16, "logging_steps": 1}
    given = [part for pair in settings.items() for part in ("--set", "{}={}".format(*pair))]
    script = str(EXAMPLES / "text_to_sql.py")
    printed = run(script, "--model", str(model), "--questions", "3", *given).splitlines()

    assert "exact match before: 0 of 3 (greedy)" in printed
    assert re.fullmatch(r"exact match after: \d of 3 \(greedy\)", printed[-1])
    first, last = map(float, re.findall(r"(\d+\.\d+) at", "".join(printed)))
    assert last < 0.7 * first
    checked = next(line for line in printed if line.startswith("merged model beside the adapter"))
    numbers = ast.literal_eval(checked.partition(": ")[2])
    assert numbers["kl_nats"] <= numbers["bounds"]["kl_nats"] <= 0.005
    assert numbers["logit_difference"] <= numbers["bounds"]["logit_difference"]
    assert numbers["top1_agreement"] >= 0.9


def test_text_to_sql_rows_are_made_by_their_script() -> None:
    folder = EXAMPLES / "data" / "text_to_sql"

    assert run(str(folder / "make_questions.py")) == (folder / "questions.jsonl").read_text()
