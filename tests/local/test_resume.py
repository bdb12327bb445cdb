"""A training that was killed or paused ends with the bits of one that was not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.adapters.local.options import LocalSettings
from ftproviders.errors import InvalidRequestError
from ftproviders.schema.job import JobRef, JobSnapshot, JobStatus
from ftproviders.worker import process
from ftproviders.worker.checkpoints import sealed
from ftproviders.worker.rundir import RunDirectory, read_json
from tests.local.conftest import Bench, chat

NURSERY = Path(__file__).with_name("nursery.py")

KNOBS: Mapping[str, Any] = {
    "n_epochs": 2,
    "batch_size": 4,
    "gradient_accumulation_steps": 2,
    "learning_rate": 1e-2,
    "lora_dropout": 0.1,
    "seed": 7,
}
"""13 rows: 4 steps an epoch, the last of them with a single micro-batch of a single row."""
OPTIONS: Mapping[str, Any] = {"save_strategy": "steps", "save_steps": 3}
"""A checkpoint within the first epoch, one within the second, and one after the last step."""

ROWS = [chat(f"Question {i} {'a kettle ' * (i % 5)}", f"[KIND{i % 3}] ok") for i in range(13)]
VALIDATION = [chat("My clock leaks", "[BROKEN] repair booked"), chat("Hello", "[PRAISE] hi")]


def pair(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as a preference for its answer."""
    asked, told = row["messages"]
    worse = [{"role": "assistant", "content": "no idea"}]
    return {
        "input": {"messages": [asked]},
        "preferred_output": [told],
        "non_preferred_output": worse,
    }


Plan = list[tuple[str, int] | None]


class Broken(Bench):
    """Trainings in workers that follow a plan."""

    def __init__(self, folder: Path, base: Path, nursery: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.nursery = nursery
        super().__init__(folder, base)
        self.settings = LocalSettings(home=folder / "home", cache=folder / "cache", threads=1)
        self.rows, self.validation = ROWS, VALIDATION
        self.follow([])

    def follow(self, plan: Plan) -> None:
        program = [sys.executable, "-P", str(NURSERY), "start", str(self.nursery), json.dumps(plan)]
        self.adapter = LocalTrainingAdapter(self.settings, program=program)

    def teach(self, method: str) -> None:
        """Choose the method, and rows for it."""
        if method == "dpo":
            self.method = method
            self.rows, self.validation = map(list, (map(pair, ROWS), map(pair, VALIDATION)))

    def start(self, knobs: Mapping[str, Any] = KNOBS, **options: Any) -> JobRef:
        asked = self.request(dict(knobs), {"dtype": "fp32", **OPTIONS, **options})
        return self.adapter.create(**asked, submission_id="ft1")

    def stopped(self, ref: JobRef) -> JobSnapshot:
        """Wait until the worker has gone."""
        return self.until(ref, lambda: not process.alive(self.run.lock))

    def until(self, ref: JobRef, truth: Callable[[], bool]) -> JobSnapshot:
        end = time.monotonic() + 240
        while not truth():
            assert time.monotonic() < end, self.run.log.read_text()
            time.sleep(0.02)
        return self.adapter.retrieve(ref)

    def to_the_end(self, ref: JobRef, *, pauses: int) -> JobSnapshot:
        """Resume a job each time it stops; it must stop `pauses` times."""
        for _ in range(pauses):
            snapshot = self.stopped(ref)
            assert (snapshot.status, snapshot.resumable) == (JobStatus.PAUSED, True), snapshot
            self.adapter.resume(ref)
        snapshot = self.stopped(ref)
        assert snapshot.status is JobStatus.SUCCEEDED, (snapshot.error, self.run.log.read_text())
        return snapshot

    @property
    def run(self) -> RunDirectory:
        return RunDirectory(self.settings.home / "local/runs/ft1")


def tensors(folder: Path) -> dict[str, bytes]:
    """Return the weights in `folder` and below, byte by byte."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.safetensors")}


def metrics(run: RunDirectory) -> dict[int, dict[str, float]]:
    """Return what was measured at each step; of repeated steps the last."""
    found: dict[int, dict[str, float]] = {}
    for event in run.events():
        kept = {k: v for k, v in event["metrics"].items() if k != "tokens_per_second"}
        if kept:
            found.setdefault(event["step"], {}).update(kept)
    return found


def assert_same(broken: Broken, whole: Broken) -> None:
    """Compare a run that was stopped with one that was not."""
    assert tensors(broken.run.adapter) == tensors(whole.run.adapter)
    assert tensors(broken.run.merged) == tensors(whole.run.merged)
    assert metrics(broken.run) == metrics(whole.run)
    assert broken.run.status()["trained_tokens"] == whole.run.status()["trained_tokens"]
    left = [p.name for p in broken.run.path.rglob("*") if ".new-" in p.name or ".old-" in p.name]
    assert left == []
    assert not list(broken.run.checkpoints.rglob("state"))
    ids = [event["id"] for event in broken.run.events()]
    assert ids == list(range(1, len(ids) + 1))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Path]:
    """Where workers are born."""
    # The name of a socket must be short.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "nursery")
        environ = {**process.environment(threads=1), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-P", str(NURSERY), "serve", str(path)]
        with subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield path
            assert server.stdin is not None
            server.stdin.close()


@pytest.fixture(scope="module")
def whole(
    base: Path, nursery: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Broken]:
    """Give trainings without a break, each made once."""
    made: dict[str, Broken] = {}

    def train(knobs: Mapping[str, Any] = KNOBS, *, method: str = "", **options: Any) -> Broken:
        name = json.dumps([dict(knobs), method, options])
        if name not in made:
            made[name] = bench = Broken(tmp_path_factory.mktemp("whole"), base, nursery)
            bench.teach(method)
            bench.stopped(bench.start(knobs, **options))
            assert bench.run.status()["status"] == "succeeded", bench.run.log.read_text()
        return made[name]

    return train


@pytest.fixture
def broken(tmp_path: Path, base: Path, nursery: Path) -> Iterator[Broken]:
    bench = Broken(tmp_path, base, nursery)
    yield bench
    bench.adapter.close()


POINTS: Mapping[str, Plan] = {
    "before step 1": [("before step 1", 1)],
    "inside a step": [("inside a step", 8)],
    "inside a step, before any checkpoint": [("inside a step", 2)],
    "temporary write": [("temporary write", 2)],
    "temporary write, the first": [("temporary write", 1)],
    "before the rename": [("before the rename", 2)],
    "before the pointer": [("before the pointer", 2)],
    "before the pointer, the first": [("before the pointer", 1)],
    "before old ones go": [("before old ones go", 3)],
    "while old ones go": [("while old ones go", 1)],
    "evaluation": [("evaluation", 2)],
    "final save": [("final save", 1)],
    "before the merge": [("before the merge", 1)],
    "merge": [("merge", 1)],
    "before the verdict": [("before the verdict", 1)],
    "twice": [("inside a step", 9), ("temporary write", 2)],
    "three times": [("before the pointer", 1), ("evaluation", 2), ("merge", 1)],
}
IN_BF16 = ("inside a step", "temporary write", "final save", "twice")
CASES = [(name, "fp32") for name in POINTS] + [(name, "bf16") for name in IN_BF16]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_killed_anywhere_it_ends_with_the_same_bits(
    name: str, dtype: str, broken: Broken, whole: Callable[..., Broken]
) -> None:
    broken.follow(POINTS[name])
    ref = broken.start(dtype=dtype, merge=True)
    first = broken.stopped(ref)
    assert first.raw_status == "interrupted"
    assert first.error is not None
    began = broken.run.status()["started_at"]
    broken.to_the_end(ref, pauses=len(POINTS[name]))
    assert_same(broken, whole(dtype=dtype, merge=True))
    assert broken.run.status()["started_at"] == began
    assert broken.run.status()["attempts"] == 1 + len(POINTS[name])


KINDS: Mapping[str, Mapping[str, Any]] = {
    "without dropout": {"dtype": "bf16"},
    "dora": {"tuning": "dora", "dtype": "bf16"},
    "qlora": {"tuning": "qlora"},
    "full": {"tuning": "full", "merge": True},
    "full in bf16": {"tuning": "full", "dtype": "bf16"},
    "best and early": {
        "eval_strategy": "steps",
        "eval_steps": 1,
        "keep_best": True,
        "early_stopping_patience": 3,
        "logging_steps": 2,
    },
    "noise and recomputation": {"neftune_noise_alpha": 5.0, "gradient_checkpointing": True},
    "packing": {"packing": True, "save_steps": 2},
    "dpo": {"method": "dpo"},
    "dpo in bf16": {"method": "dpo", "dtype": "bf16"},
    "dpo, full": {"method": "dpo", "tuning": "full"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tuning_goes_on_with_the_same_bits(
    kind: str, broken: Broken, whole: Callable[..., Broken]
) -> None:
    options = dict(KINDS[kind])
    knobs: dict[str, Any] = {**KNOBS, "learning_rate": 1e-3}
    if kind == "without dropout":  # which has the fastest ways of computing
        knobs["lora_dropout"] = 0
    if kind == "packing":
        knobs |= {"max_length_tokens": 96, "batch_size": 2, "gradient_accumulation_steps": 1}
    broken.teach(options.pop("method", ""))
    # Killed in the fifth step, or where micro-batches are steps in the ninth; then paused.
    broken.follow([("inside a step", 8), ("pause", 1)])
    ref = broken.start(knobs, **options)
    broken.to_the_end(ref, pauses=2)
    told = [e["message"] for e in broken.run.events() if e["message"].startswith("Resumed from")]
    assert len(told) == 2
    assert not any("beginning" in text for text in told)
    assert_same(broken, whole(knobs, **KINDS[kind]))


# --- pausing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plan",
    [[("pause", 2)], [("pause", 4)], [("pause", 2), ("pause", 3)], [("pause", 8)]],
    ids=["within an epoch", "at its end", "twice", "at the last step"],
)
def test_paused_and_resumed_it_ends_with_the_same_bits(
    plan: Plan, broken: Broken, whole: Callable[..., Broken]
) -> None:
    broken.follow(plan)
    ref = broken.start(merge=True)
    paused = broken.stopped(ref)
    step = plan[0][1]
    assert (paused.raw_status, paused.step) == ("paused", step)
    assert paused.error is None
    assert broken.run.checkpoint_step() == step
    broken.to_the_end(ref, pauses=len(plan))
    told = [event["message"] for event in broken.run.events()]
    assert f"Resumed from step {step} (step-{step:08d})." in told
    assert "Training is paused." in told
    assert_same(broken, whole(merge=True))


def test_a_pause_is_a_checkpoint_where_there_are_no_others(
    broken: Broken, whole: Callable[..., Broken]
) -> None:
    options = {"save_strategy": "no", "checkpoints": 0}
    broken.follow([("pause", 3)])
    ref = broken.start(**options)
    assert broken.stopped(ref).status is JobStatus.PAUSED
    assert [c.step for c in broken.adapter.checkpoints(ref)] == [3]
    broken.to_the_end(ref, pauses=1)
    assert not broken.run.checkpoints.exists()
    assert_same(broken, whole(**options))


def test_a_pause_while_loading_loses_nothing(broken: Broken) -> None:
    ref = broken.start()
    told = broken.adapter.pause(ref)
    assert told.status in (JobStatus.PENDING, JobStatus.VALIDATING, JobStatus.PAUSED)
    paused = broken.stopped(ref)
    assert (paused.raw_status, paused.step, paused.resumable) == ("paused", None, True)
    assert broken.adapter.pause(ref).status is JobStatus.PAUSED
    broken.to_the_end(ref, pauses=1)
    beginnings = [e["message"] for e in broken.run.events() if "no checkpoint yet" in e["message"]]
    assert len(beginnings) == 1


def test_a_running_training_is_paused_from_outside(broken: Broken) -> None:
    ref = broken.start({**KNOBS, "n_epochs": 2000}, save_steps=1000)
    broken.until(ref, lambda: (broken.run.status().get("step") or 0) > 2)
    broken.adapter.pause(ref)
    paused = broken.stopped(ref)
    assert (paused.raw_status, paused.resumable) == ("paused", True)
    assert paused.step == broken.run.checkpoint_step()
    seconds = broken.run.status()["worked_seconds"]
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: broken.adapter.resume(ref), range(2)))
    assert all(snapshot.status is not JobStatus.PAUSED for snapshot in both)
    broken.until(ref, lambda: broken.run.status()["step"] > paused.step)
    assert broken.run.status()["attempts"] == 2
    assert broken.adapter.resume(ref).status is JobStatus.RUNNING
    assert broken.run.status()["worked_seconds"] > seconds
    broken.adapter.cancel(ref)
    assert broken.stopped(ref).status is JobStatus.CANCELLED
    for refused in (broken.adapter.pause, broken.adapter.resume):
        with pytest.raises(InvalidRequestError, match="is cancelled, so there is nothing to"):
            refused(ref)


# --- what a checkpoint belongs to -------------------------------------------------------------


def refusal(broken: Broken, ref: JobRef) -> str:
    """Resume a job that must not go on, and return why not; it stays paused."""
    broken.adapter.resume(ref)
    snapshot = broken.stopped(ref)
    assert (snapshot.raw_status, snapshot.resumable) == ("paused", True)
    assert snapshot.error is not None
    return f"{snapshot.error.code}: {snapshot.error.message}"


def test_what_was_changed_is_refused_until_it_is_put_back(
    broken: Broken, tmp_path: Path, whole: Callable[..., Broken]
) -> None:
    base = broken.base
    broken.base = tmp_path / "model"
    shutil.copytree(base, broken.base)
    broken.follow([("pause", 3)])
    ref = broken.start(merge=True)
    broken.stopped(ref)

    weights = broken.base / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    why = refusal(broken, ref)
    assert why.startswith("base_model_changed: The base model in")
    assert "model.safetensors was changed" in why
    weights.write_bytes(content)  # another file of the same bytes is the same model

    job = broken.run.job()
    broken.run.write_job({**job, "settings": {**job["settings"], "learning_rate": 0.5}})
    assert "with another learning_rate than job.json has now" in refusal(broken, ref)
    broken.run.write_job(job)

    rows = broken.run.data("training").read_bytes()
    broken.run.data("training").write_bytes(rows + b"{}\n")
    assert refusal(broken, ref).startswith("file_changed")
    broken.run.data("training").write_bytes(rows)

    broken.to_the_end(ref, pauses=1)
    assert_same(broken, whole(merge=True))


def test_other_surroundings_are_said(broken: Broken) -> None:
    broken.follow([("pause", 3)])
    ref = broken.start()
    broken.stopped(ref)
    manifest = broken.run.checkpoints / "step-00000003/state/manifest.json"
    kept = read_json(manifest)
    kept["belongs"]["surroundings"]["torch"] = "1.0"
    manifest.write_text(json.dumps(sealed(kept)))
    broken.to_the_end(ref, pauses=1)
    warned = [e["message"] for e in broken.run.events() if e["level"] == "warning"]
    assert len(warned) == 1
    assert "torch was 1.0 and is 2." in warned[0]
    assert "may differ in the last bits" in warned[0]


def test_a_damaged_checkpoint_is_left_for_the_one_before(
    broken: Broken, whole: Callable[..., Broken]
) -> None:
    broken.follow([("pause", 7)])
    ref = broken.start(merge=True)
    broken.stopped(ref)
    state = broken.run.checkpoints / "step-00000007/state/optimizer.pt"
    state.write_bytes(state.read_bytes()[:-1])
    broken.to_the_end(ref, pauses=1)
    told = [event["message"] for event in broken.run.events()]
    assert any("step-00000007 is damaged" in text and "optimizer.pt" in text for text in told)
    assert "Resumed from step 6 (step-00000006)." in told
    assert_same(broken, whole(merge=True))


# --- a full disk ------------------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [30_000, 130_000], ids=["the model", "the optimizer"])
def test_a_full_disk_keeps_the_last_whole_checkpoint(
    size_bytes: int, broken: Broken, whole: Callable[..., Broken]
) -> None:
    broken.follow([("small files", size_bytes)])
    ref = broken.start(merge=True)
    full = broken.stopped(ref)
    assert (full.status, full.raw_status, full.resumable) == (JobStatus.PAUSED, "disk_full", True)
    assert full.error is not None
    assert full.error.code == "disk_full"
    assert "Then resume: the checkpoint of step 3 is whole." in full.error.message
    assert [path.name for path in broken.run.checkpoints.glob("*")] != []
    assert not list(broken.run.checkpoints.glob(".new-*"))
    broken.to_the_end(ref, pauses=1)
    assert_same(broken, whole(merge=True))


def test_a_disk_that_is_full_from_the_beginning_is_a_failure(broken: Broken) -> None:
    broken.follow([("small files at once", 30_000)])
    failed = broken.stopped(broken.start())
    assert (failed.status, failed.resumable) == (JobStatus.FAILED, False)
    assert failed.error is not None
    assert failed.error.code == "disk_full"
    assert "Make room" in failed.error.message
    assert not list(broken.run.checkpoints.glob(".new-*"))
