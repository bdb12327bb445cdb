"""Several processes without training: plans, refusals, the verdict over what they left behind."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftproviders.adapters.local.options import LocalOptions
from ftproviders.adapters.local.parallel import about_parallel, missing_means
from ftproviders.adapters.local.settings import resolve
from ftproviders.errors import ConfigurationError, MissingDependencyError
from ftproviders.schema.job import JobSpec
from ftproviders.worker import hardware
from ftproviders.worker.failures import WorkCancelled, WorkError, WorkPaused
from ftproviders.worker.launching import _judge, outcome_file, threads_each
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.rundir import RunDirectory, write_json


def settings(knobs: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    more = {"method": options.pop("method")} if "method" in options else {}
    spec = JobSpec(
        provider="local",
        base_model="smollm2-135m",
        training_file="train.jsonl",
        hyperparameters=dict(knobs or {}),
        **more,
    )
    return resolve(spec, LocalOptions(**options))


def refused(knobs: Mapping[str, Any] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings(knobs, **options)
    return f"{caught.value} {caught.value.hint}"


def test_one_process_says_nothing() -> None:
    assert settings()["parallel"] == "none"
    assert list(about_parallel(settings())) == []


def test_several_processes_are_ddp_and_share_the_batch() -> None:
    chosen = settings({"batch_size": 24, "gradient_accumulation_steps": 3}, processes=4)
    assert chosen["parallel"] == "ddp"
    lines = list(about_parallel(chosen))
    assert "Processes: 4 (on this machine), ddp over gloo." in lines
    assert "Batch: 24 rows in one optimizer step = 4 processes x 3 passes x 2 rows." in lines


def test_machines_get_their_lines() -> None:
    chosen = settings({"batch_size": 12}, processes=2, nodes=3, rendezvous="gpu0:29500")
    text = "\n".join(about_parallel(chosen))
    for node in (1, 2):
        assert (
            f"torchrun --nnodes 3 --nproc-per-node 2 --node-rank {node} --rdzv-backend static "
            "--rdzv-endpoint gpu0:29500 --rdzv-id JOB -m ftproviders.worker.rank "
            "FTPROVIDERS_HOME/local/runs/JOB" in text
        )
    assert "--node-rank 0" not in text
    assert "one file system under the same path" in text


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    said = refused({"batch_size": 8, "gradient_accumulation_steps": 2}, processes=3)
    assert "3 processes x 2 passes" in said
    assert "multiple of 6" in said


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"processes": 2, "parallel": "none"}, "parallel=none does not go with 2 processes"),
        ({"parallel": "zero2"}, "there is only one"),
        ({"processes": 2, "nodes": 2}, "need a place to meet"),
        ({"nodes": 2, "rendezvous": "no port"}, "need a place to meet"),
        ({"processes": 2, "rendezvous": "host:1"}, "nodes is 1"),
        ({"processes": 2, "parallel": "zero3", "tuning": "qlora"}, "4-bit"),
        ({"processes": 2, "method": "dpo"}, "one process only"),
    ],
)
def test_what_does_not_go_together(options: dict[str, Any], part: str) -> None:
    assert part in refused(**options)


def test_fsdp_without_a_gpu_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(processes=2, parallel="fsdp")
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: False)
    (problem,) = missing_means(chosen)
    assert "silently run it as ddp" in str(problem)
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: True)
    assert not [p for p in missing_means(chosen) if "silently" in str(p)]


def test_missing_deepspeed_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (problem,) = missing_means(settings(processes=2, parallel="zero1"))
    assert isinstance(problem, MissingDependencyError)
    assert problem.hint == "Run: DS_BUILD_OPS=0 pip install 'ftproviders[distributed]'"


def test_threads_are_shared_out() -> None:
    assert threads_each(2, "8") == 4
    assert threads_each(4, "2") == 1
    assert threads_each(1, None) >= 1


# --- the verdict over processes that failed ---------------------------------------------------

FAILED = {"outcome": "failed", "message": "Connection closed by peer", "code": "crashed"}


@pytest.mark.parametrize(
    ("ends", "words", "code", "part"),
    [
        # Process 0 saw the other one go, or was ended by torchrun before it could.
        (
            {0: 1, 1: -9},
            {0: FAILED},
            "rank_died",
            "Process 1 of the training was ended by signal 9",
        ),
        ({0: -15, 1: -9}, {}, "rank_died", "Process 1 of the training was ended by signal 9"),
        ({0: -15, 1: 3}, {}, "rank_died", "Process 1 of the training was ended by exit code 3"),
        ({0: -15, 1: 1}, {1: FAILED}, "crashed", "Process 1 of the training failed: Connection"),
        (
            {0: 1, 1: 1},
            {0: FAILED, 1: FAILED | {"message": "Out of memory", "code": "out_of_memory"}},
            "out_of_memory",
            "Out of memory",
        ),
        ({}, {}, "crashed", "torchrun ended with exit code 1 without a result"),
    ],
)
def test_the_first_failure_is_the_one_that_is_told(
    tmp_path: Path, ends: dict[int, int], words: dict[int, Any], code: str, part: str
) -> None:
    failures = [{"rank": rank, "exit_code": number} for rank, number in ends.items()]
    write_json(tmp_path / "agent.json", {"failures": failures})
    for rank, said in words.items():
        write_json(outcome_file(tmp_path, rank), {"param": None, **said})
    with pytest.raises(WorkError) as caught:
        _judge(Run(RunDirectory(tmp_path)), code=1)
    assert caught.value.code == code
    assert part in caught.value.message


def test_success_needs_outcome_and_model(tmp_path: Path) -> None:
    run = Run(RunDirectory(tmp_path))
    write_json(outcome_file(tmp_path, 0), {"outcome": "done", "facts": {"trained_tokens": 3}})
    with pytest.raises(WorkError):
        _judge(run, code=0)
    run.directory.adapter.mkdir()
    assert _judge(run, code=0) == {"trained_tokens": 3}


@pytest.mark.parametrize("code", [0, 1])
def test_who_stumbles_after_the_end_changes_nothing(tmp_path: Path, code: int) -> None:
    """Process 0 writes its outcome when all have come to the end, whatever they do afterwards."""
    run = Run(RunDirectory(tmp_path))
    run.directory.adapter.mkdir()
    write_json(tmp_path / "agent.json", {"failures": [{"rank": 1, "exit_code": -6}]})
    write_json(outcome_file(tmp_path, 1), FAILED | {"param": None})
    write_json(outcome_file(tmp_path, 0), {"outcome": "done", "facts": {"trained_tokens": 3}})
    assert _judge(run, code=code) == {"trained_tokens": 3}
    for word, raised in (("paused", WorkPaused), ("cancelled", WorkCancelled)):
        write_json(outcome_file(tmp_path, 0), {"outcome": word})
        with pytest.raises(raised):
            _judge(run, code=code)
