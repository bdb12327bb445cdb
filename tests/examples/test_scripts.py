"""The scripts and files of ``examples/`` work as they stand."""

from __future__ import annotations

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
