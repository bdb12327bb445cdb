"""Trainings in several processes on this machine, over gloo: the same result as in one."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from ftproviders.schema.job import JobRef, JobSnapshot, JobStatus
from ftproviders.worker import process
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.rundir import RunDirectory, read_json
from tests.local.conftest import ANSWERS, Bench, chat, losses

KNOBS: dict[str, Any] = {"n_epochs": 2, "batch_size": 4, "learning_rate": 1e-2}
LONG: dict[str, Any] = {"n_epochs": 60, "batch_size": 4, "learning_rate": 1e-3}
"""180 steps: time to interrupt them."""


def nine_rows(bench: Bench) -> None:
    """The last batch of an epoch has one row, so that process 1 has none."""
    bench.rows = [chat(q, a) for q, a in ANSWERS.items()] * 2 + [chat("Hello", "[PRAISE] " * 9)]
    bench.validation = [
        chat("My clock leaks", "[BROKEN] repair"),
        chat("Where is it", "[DELIVERY] tracing it now"),
        *([chat("Money", "[REFUND] opened")] * 3),
    ]


def submit(bench: Bench, name: str, knobs: dict[str, Any], **options: Any) -> JobRef:
    asked = bench.request(knobs, {"dtype": "fp32", "processes": 2, **options})
    return bench.adapter.create(**asked, submission_id=name)


def run_of(bench: Bench, ref: JobRef) -> Run:
    return Run(RunDirectory(bench.adapter.runs.folder / ref.id))


def wait(
    bench: Bench, ref: JobRef, done: Callable[[JobSnapshot], bool], seconds: float = 240
) -> JobSnapshot:
    end = time.monotonic() + seconds
    while not done(snapshot := bench.adapter.retrieve(ref)):
        log = bench.adapter.runs.folder / ref.id / "worker.log"
        assert time.monotonic() < end, (snapshot, log.read_text())
        time.sleep(0.02)
    return snapshot


def at_step(number: int) -> Callable[[JobSnapshot], bool]:
    def reached(snapshot: JobSnapshot) -> bool:
        assert not snapshot.status.terminal, snapshot
        return (snapshot.step or 0) >= number

    return reached


def succeeded(bench: Bench, ref: JobRef) -> Run:
    snapshot = wait(bench, ref, lambda s: s.status.terminal)
    run = run_of(bench, ref)
    assert snapshot.status is JobStatus.SUCCEEDED, (snapshot.error, run.directory.log.read_text())
    return run


def tensors(run: Run) -> dict[str, torch.Tensor]:
    return dict(load_file(run.directory.adapter / "adapter_model.safetensors"))


def assert_same_adapter(first: Run, second: Run, tolerance: float) -> None:
    ours, theirs = tensors(first), tensors(second)
    assert ours.keys() == theirs.keys()
    assert any(tensor.any() for name, tensor in ours.items() if "lora_B" in name)
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=tolerance)


def members(worker: int) -> list[psutil.Process]:
    """Return torchrun and the processes it started."""
    return psutil.Process(worker).children(recursive=True)


def rank_process(worker: int, rank: int) -> psutil.Process:
    found = [p for p in members(worker) if p.environ().get("RANK") == str(rank)]
    assert len(found) == 1, found
    return found[0]


# --- the same result --------------------------------------------------------------------------


@pytest.mark.parametrize(("parallel", "pieces"), [("ddp", 2), ("zero1", 2), ("zero3", 1)])
def test_two_processes_learn_what_one_does(bench: Bench, parallel: str, pieces: int) -> None:
    nine_rows(bench)
    knobs = KNOBS | {"gradient_accumulation_steps": pieces}
    one = bench.train("one", **knobs)
    two = succeeded(bench, submit(bench, "two", knobs, parallel=parallel))
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert len(losses(two)) == 6
    validation = losses(one, "validation_loss")
    assert losses(two, "validation_loss") == pytest.approx(validation, rel=1e-4)
    tokens = one.directory.status()["trained_tokens"]
    assert two.directory.status()["trained_tokens"] == tokens > 0
    # Adam divides by the size of gradients, which makes much of a rounding in the smallest ones.
    assert_same_adapter(one, two, tolerance=2e-3)
    events = [event["message"] for event in two.directory.events()]
    assert f"Training with {parallel} in 2 processes." in events
    # One process reports; the other only has a log.
    steps = [e["step"] for e in two.directory.events() if "train_loss" in e["metrics"]]
    assert steps == list(range(1, 7))
    left = {path.name for path in two.directory.path.iterdir()}
    assert "rank-1.log" in left
    assert not {"rank-1.json", "agent.json", "trainer"} & left
    assert not [name for name in left if name.startswith(".new")]


def test_a_whole_model_in_pieces_is_saved_whole(bench: Bench) -> None:
    nine_rows(bench)
    knobs = KNOBS | {"n_epochs": 1, "learning_rate": 1e-3}
    one = bench.train("one", **knobs, options={"tuning": "full"})
    two = succeeded(bench, submit(bench, "two", knobs, parallel="zero3", tuning="full"))
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    ours = load_file(one.directory.adapter / "model.safetensors")
    theirs = load_file(two.directory.adapter / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=5e-4)


# --- stopping and going on --------------------------------------------------------------------


def pause_at(bench: Bench, ref: JobRef, step: int) -> int:
    """Pause a job after `step`; returns the step of its checkpoint."""
    wait(bench, ref, at_step(step))
    bench.adapter.pause(ref)
    paused = wait(bench, ref, lambda s: s.status is not JobStatus.RUNNING)
    assert (paused.status, paused.raw_status) == (JobStatus.PAUSED, "paused"), paused
    # Both were asked at the same step: the checkpoint is that of the last one.
    kept = run_of(bench, ref).directory.checkpoint_step()
    assert kept == paused.step
    assert kept is not None
    return kept


def test_zero_goes_on_after_a_pause_to_what_one_process_learns(bench: Bench) -> None:
    nine_rows(bench)
    knobs = LONG | {"n_epochs": 20, "gradient_accumulation_steps": 2}
    one = bench.train("one", **knobs, options={"save_strategy": "no"})
    ref = submit(bench, "two", knobs, parallel="zero2", save_strategy="no")
    kept = pause_at(bench, ref, 7)
    bench.adapter.resume(ref)
    two = succeeded(bench, ref)
    assert f"Resumed from step {kept} " in str(two.directory.events())
    assert losses(two) == pytest.approx(losses(one), rel=1e-3)
    assert_same_adapter(one, two, tolerance=2e-3)


def test_pause_and_death_change_nothing(bench: Bench) -> None:
    nine_rows(bench)
    options = {"save_strategy": "steps", "save_steps": 5}
    knobs = LONG | {"n_epochs": 20, "lora_dropout": 0.1}
    whole = succeeded(bench, submit(bench, "whole", knobs, **options))
    broken = submit(bench, "broken", knobs, **options)
    kept = pause_at(bench, broken, 7)
    run = run_of(bench, broken)
    bench.adapter.resume(broken)
    wait(bench, broken, at_step(kept + 6))
    worker = run.directory.worker()["pid"]
    started = members(worker)
    assert len(started) == 3
    psutil.Process(worker).kill()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    killed = bench.adapter.retrieve(broken)
    assert (killed.status, killed.raw_status) == (JobStatus.PAUSED, "interrupted")
    bench.adapter.resume(broken)
    again = succeeded(bench, broken)
    assert_same_adapter(whole, again, tolerance=0)
    tokens = whole.directory.status()["trained_tokens"]
    assert again.directory.status()["trained_tokens"] == tokens


def test_a_cancel_reaches_all(bench: Bench) -> None:
    nine_rows(bench)
    ref = submit(bench, "job", LONG | {"n_epochs": 9000}, save_strategy="no")
    wait(bench, ref, at_step(3))
    worker = psutil.Process(run_of(bench, ref).directory.worker()["pid"])
    started = members(worker.pid)
    bench.adapter.cancel(ref)
    assert wait(bench, ref, lambda s: s.status.terminal).status is JobStatus.CANCELLED
    # At a step, not by force: process 0 said so.
    assert read_json(run_of(bench, ref).directory.path / "rank-0.json") == {"outcome": "cancelled"}
    assert not psutil.wait_procs([*started, worker], timeout=20)[1]
    assert not process.alive(run_of(bench, ref).directory.lock)


def test_a_cancel_before_the_first_step(bench: Bench) -> None:
    ref = submit(bench, "job", LONG)
    wait(bench, ref, lambda s: len(members(run_of(bench, ref).directory.worker()["pid"])) > 1)
    started = members(run_of(bench, ref).directory.worker()["pid"])
    bench.adapter.cancel(ref)
    assert wait(bench, ref, lambda s: s.status.terminal).status is JobStatus.CANCELLED
    assert not psutil.wait_procs(started, timeout=20)[1]


# --- failures ---------------------------------------------------------------------------------


def test_a_process_that_dies_fails_the_job(bench: Bench) -> None:
    nine_rows(bench)
    ref = submit(bench, "job", LONG | {"n_epochs": 9000}, save_strategy="no")
    wait(bench, ref, at_step(2))
    run = run_of(bench, ref)
    rank_process(run.directory.worker()["pid"], 1).kill()
    failed = wait(bench, ref, lambda s: s.status.terminal)
    assert failed.status is JobStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == "rank_died"
    assert "Process 1 of the training was ended by signal 9 (SIGKILL)" in failed.error.message
    assert "Its last words: " in failed.error.message


def test_a_failure_of_all_has_its_own_sentence(bench: Bench) -> None:
    bench.rows = [chat("a", "b"), chat("c", "d", weight=0)]
    ref = submit(bench, "job", KNOBS)
    failed = wait(bench, ref, lambda s: s.status.terminal)
    assert failed.error is not None
    assert failed.error.code == "no_labels"
    assert "1 rows have no assistant token to learn from (lines 2)" in failed.error.message


def test_another_wrapper_than_the_one_asked_for_is_refused(bench: Bench) -> None:
    """The plan refuses FSDP on CPUs; here the worker is made to try it all the same."""
    ref = submit(bench, "job", KNOBS, parallel="fsdp")
    failed = wait(bench, ref, lambda s: s.status.terminal)
    assert failed.status is JobStatus.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == ("wrapper", "parallel")
    assert "parallel=fsdp was asked for, but the training would run as ddp" in failed.error.message
    assert not losses(run_of(bench, ref))


# --- several machines -------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_printed_line_joins_a_second_machine(bench: Bench) -> None:
    """Two machines are two launchers on this one, which share the run's folder."""
    nine_rows(bench)
    one = bench.train("one", **KNOBS)
    ref = submit(bench, "two", KNOBS, processes=1, nodes=2, rendezvous=f"127.0.0.1:{free_port()}")
    marker = "Run there: "

    def told(_: JobSnapshot) -> bool:
        return any(marker in event.message for event in bench.adapter.events(ref))

    wait(bench, ref, told)
    line = next(e.message for e in bench.adapter.events(ref) if marker in e.message)
    command = shlex.split(line.partition(marker)[2])
    assert command[0] == "torchrun"
    folder = Path(process.python_command("x")[0]).parent
    environ = process.environment() | {"GLOO_SOCKET_IFNAME": "lo"}
    environ["PATH"] = f"{folder}{os.pathsep}{environ['PATH']}"
    other = subprocess.run(
        command, env=environ, cwd=bench.folder, capture_output=True, text=True, timeout=240
    )
    assert other.returncode == 0, other.stderr
    two = succeeded(bench, ref)
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert_same_adapter(one, two, tolerance=2e-3)
