"""Running the command line over the in-memory provider, in this process and as a program."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftproviders.cli.main import main
from tests.cli.program import Result, Run, Spawn, environment, row

JOB = """\
provider: memory
base_model: memory-small
training_file: train.jsonl
hyperparameters:
  n_epochs: 2
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a data file and a job file."""
    rows = [row(f"Question number {n}?", f"Answer number {n}.") for n in range(12)]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "job.yaml").write_text(JOB, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def submitted(run: Run) -> str:
    """The ref of a job that has just been submitted."""
    return run("submit", "job.yaml").out.strip()


@pytest.fixture
def finished(run: Run) -> str:
    """The ref of a job that has succeeded."""
    result = run("submit", "job.yaml", "--wait")
    assert result.code == 0, result.err
    return result.out.splitlines()[0]


@pytest.fixture
def spawn(folder: Path) -> Iterator[Spawn]:
    """Start the program as a shell would."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **settings: Any) -> subprocess.Popen[bytes]:
        streams = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "ftproviders", *arguments],
            env={**environment(), **settings.pop("env", {})},
            **{**streams, **settings},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
