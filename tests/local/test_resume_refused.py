"""What stands in the way of a resume leaves the job paused; put right, it goes on."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftproviders.schema.job import JobRef, JobStatus
from ftproviders.worker import lifecycle
from ftproviders.worker.failures import WorkError
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.reporting import Reporter
from ftproviders.worker.rundir import RunDirectory
from tests.local.conftest import Bench

OPTIONS = {"save_strategy": "steps", "save_steps": 1}


def attempt(run: Run) -> dict[str, Any]:
    """Be the next worker of a run, in this process; returns what ``status.json`` says then."""
    from ftproviders.worker.training import train

    lifecycle._work(run, train)
    return run.directory.status()


def following(directory: RunDirectory) -> Run:
    """Return the run as the next worker would see it."""
    directory.withdraw_pause()
    attempts = int(directory.status()["attempts"]) + 1
    directory.write_status({"status": "pending", "attempts": attempts, "error": None})
    return Run(RunDirectory(directory.path))


@pytest.fixture
def paused(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A training with whole checkpoints of steps 1 and 2, and a base model of its own."""
    bench.base = Path(shutil.copytree(bench.base, tmp_path / "model"))
    run = bench.prepare(n_epochs=2, batch_size=2, options=OPTIONS)
    run.directory.write_status({"attempts": 1})
    original = Reporter.on_step_end

    def asked(self: Reporter, args: Any, state: Any, control: Any, **named: Any) -> None:
        if state.global_step == 2:
            run.directory.request_pause()
        original(self, args, state, control, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "on_step_end", asked)
        assert attempt(run)["status"] == "paused"
    assert run.directory.checkpoint_step() == 2
    return run.directory


def test_a_missing_file_and_a_missing_base_model_can_be_put_back(
    bench: Bench, paused: RunDirectory, tmp_path: Path
) -> None:
    rows = paused.data("training")
    rows.rename(tmp_path / "elsewhere.jsonl")
    status = attempt(following(paused))
    assert (status["status"], status["error"]["code"]) == ("paused", "file_missing")
    assert (
        f"The training file train.jsonl is missing. Put it back as {rows}"
        in (status["error"]["message"])
    )
    assert "The job stays paused; resume it when that is put right." in status["error"]["message"]
    (tmp_path / "elsewhere.jsonl").rename(rows)

    bench.base.rename(tmp_path / "elsewhere")
    status = attempt(following(paused))
    assert (status["status"], status["error"]["code"]) == ("paused", "base_model")
    assert f"{bench.base} is not a folder" in status["error"]["message"]
    snapshot = bench.adapter.retrieve(JobRef(provider="local", id="ft1"))
    assert (snapshot.status, snapshot.resumable) == (JobStatus.PAUSED, True)
    (tmp_path / "elsewhere").rename(bench.base)

    assert attempt(following(paused))["status"] == "succeeded"
    assert "Resumed from step 2 (step-00000002)." in [e["message"] for e in paused.events()]


def test_when_every_checkpoint_is_damaged_it_says_so(paused: RunDirectory) -> None:
    for weights in paused.checkpoints.glob("step-*/adapter_model.safetensors"):
        content = bytearray(weights.read_bytes())
        content[-5] ^= 4
        weights.write_bytes(bytes(content))
    assert attempt(following(paused))["status"] == "succeeded"
    told = [event["message"] for event in paused.events()]
    assert sum("is damaged and is not used" in text for text in told) == 2
    assert "Resumed from the beginning: no checkpoint is whole. The result is the same." in told
    assert not any("no checkpoint yet" in text for text in told)


# --- the verdict alone ------------------------------------------------------------------------

AROUND: dict[str, Callable[[], Exception]] = {
    "base_model": lambda: WorkError("/x is not a folder.", code="base_model"),
    "model_unavailable": lambda: WorkError("It could not be fetched.", code="model_unavailable"),
    "out_of_memory": MemoryError,
    "disk_full": lambda: OSError(errno.ENOSPC, "No space left on device", "/x/weights"),
    "read_only": lambda: OSError(errno.EROFS, "Read-only file system", "/x/weights"),
    "io_error": lambda: OSError(errno.EIO, "Input/output error", "/x/weights"),
    "permission": lambda: PermissionError(errno.EACCES, "Permission denied", "/x/weights"),
    "file_missing": lambda: FileNotFoundError(errno.ENOENT, "No such file", "/x/weights"),
    "missing_dependency": lambda: ImportError("No module named 'trl'", name="trl"),
}
WITHIN: dict[str, Callable[[], Exception]] = {
    "diverged": lambda: WorkError("No number.", code="diverged"),
    "no_labels": lambda: WorkError("All masked.", code="no_labels"),
    "chat_template": lambda: WorkError("It refuses a role.", code="chat_template"),
    "crashed": lambda: RuntimeError("shapes"),
}


def verdict(folder: Path, error: Exception, *, attempts: int) -> dict[str, Any]:
    """Return what is written down about a worker that met `error`."""
    directory = RunDirectory(folder / "run")
    directory.path.mkdir()
    directory.write_job({"settings": {}})
    directory.write_status({"status": "running", "attempts": attempts})

    def work(_run: Run) -> dict[str, object]:
        raise error

    lifecycle._work(Run(directory), work)
    return directory.status()


@pytest.mark.parametrize("code", AROUND)
def test_a_cause_around_the_job_pauses_a_resume(code: str, tmp_path: Path) -> None:
    status = verdict(tmp_path, AROUND[code](), attempts=2)
    word = "disk_full" if code == "disk_full" else "paused"
    assert (status["status"], status["error"]["code"]) == (word, code)
    assert "finished_at" not in status


@pytest.mark.parametrize("code", AROUND)
def test_a_cause_around_the_job_fails_a_first_attempt(code: str, tmp_path: Path) -> None:
    status = verdict(tmp_path, AROUND[code](), attempts=1)
    assert (status["status"], status["error"]["code"]) == ("failed", code)
    assert "stays paused" not in status["error"]["message"]


@pytest.mark.parametrize("code", WITHIN)
def test_a_cause_within_the_job_ends_it(code: str, tmp_path: Path) -> None:
    status = verdict(tmp_path, WITHIN[code](), attempts=2)
    assert (status["status"], status["error"]["code"]) == ("failed", code)
