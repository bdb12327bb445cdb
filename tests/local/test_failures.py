"""Everything that commonly goes wrong in a training, caused for real; each is a sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftproviders.schema.job import JobStatus
from ftproviders.worker.failures import WorkError, explain
from tests.local.conftest import PLAIN, Bench, chat, make_model

LIMITED = """
import resource, sys
from pathlib import Path
kind, limit = getattr(resource, sys.argv[1]), int(sys.argv[2])
from ftproviders.worker import training, trainers, saving  # loaded before the limit
import torch, peft, transformers
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.rundir import RunDirectory
from ftproviders.worker.failures import explain
run = Run(RunDirectory(Path(sys.argv[3])))
if sys.argv[1] == "RLIMIT_AS":
    import psutil
    limit += psutil.Process().memory_info().vms
resource.setrlimit(kind, (limit, limit))
try:
    training.train(run)
except BaseException as error:
    failure = explain(error, run.job["settings"])
    print("FAILED", failure.code, failure.message)
"""
"""Program: a training with a limit of the system's on it."""


def limited(run: Any, kind: str, limit: int) -> str:
    command = [sys.executable, "-c", LIMITED, kind, str(limit), str(run.directory.path)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    environ |= {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240)
    told = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert told, done.stdout[-2000:] + done.stderr[-4000:]
    return told[0].removeprefix("FAILED ")


def refused(bench: Bench, **knobs: Any) -> WorkError:
    with pytest.raises(WorkError) as caught:
        bench.train(**knobs)
    return caught.value


def test_rows_whose_every_label_is_masked(bench: Bench) -> None:
    bench.rows = [chat("a", "b", weight=0), chat("c " * 60, "d")]
    failure = refused(bench, max_length_tokens=20)
    assert failure.code == "no_labels"
    assert "(lines 1, 2)" in failure.message
    assert "Remove these rows, shorten what stands before" in failure.message


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_learning_rate_that_is_far_too_high(bench: Bench, tuning: str) -> None:
    failure = refused(
        bench, n_epochs=20, learning_rate=1e30, options={"tuning": tuning, "max_grad_norm": 0.0}
    )
    assert failure.code == "diverged"
    assert failure.param == "learning_rate"
    assert "Lower learning_rate, now 1e+30" in failure.message


def test_a_machine_without_enough_memory(bench: Bench) -> None:
    # One activation of the batch takes 100 MB: what is allocated in small pieces still fits.
    bench.rows = [chat(f"why {i}", f"so {i} " * 40) for i in range(1024)]
    run = bench.prepare(batch_size=1024, n_epochs=1, max_length_tokens=256)
    told = limited(run, "RLIMIT_AS", 400 * 1024**2)
    assert told.startswith("out_of_memory "), told
    assert "batch_size=1024" in told
    assert "gradient_accumulation_steps" in told


def test_a_disk_on_which_the_model_does_not_fit(bench: Bench) -> None:
    # A process may be forbidden to write large files: the same as a full disk, without its owner.
    run = bench.prepare(n_epochs=1, lora_r=64, options={"checkpoints": 0, "save_strategy": "no"})
    told = limited(run, "RLIMIT_FSIZE", 300_000)
    assert told.startswith("disk_full "), told
    assert "Make room" in told
    assert not run.directory.adapter.exists()


def test_a_template_that_refuses_a_role(bench: Bench, tmp_path: Path) -> None:
    strict = PLAIN.replace(
        "{% for m in messages %}",
        "{% for m in messages %}{% if m['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}",
    )
    bench.base = make_model(tmp_path / "strict", strict)
    bench.rows = [chat("a", "b"), {"messages": [{"role": "system", "content": "s"},
                                                *chat("c", "d")["messages"]]}]  # fmt: skip
    ref = bench.create(n_epochs=1)
    snapshot = bench.ended(ref)
    assert snapshot.status is JobStatus.FAILED
    assert snapshot.error is not None
    assert snapshot.error.code == "chat_template"
    assert "train.jsonl, line 2" in snapshot.error.message
    assert "System role not supported" in snapshot.error.message
    assert "option chat_template" in snapshot.error.message


def test_a_template_that_rewrites_earlier_messages_gets_ours(bench: Bench, tmp_path: Path) -> None:
    rewriting = PLAIN.replace("m['content']", "(m['content'] if loop.last else 'earlier')")
    bench.base = make_model(tmp_path / "rewriting", rewriting)
    run = bench.train(n_epochs=1)
    job = run.directory.job()
    assert "{%- generation -%}" in job["chat_template"]
    assert job["assistant_tokens_by"] == "template marks"
    assert any("ChatML template of ftproviders" in e["message"] for e in run.directory.events())
    saved = run.directory.adapter / "chat_template.jinja"
    assert saved.read_text() == job["chat_template"]


def test_a_stated_template_that_rewrites_is_not_replaced(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "own.jinja"
    file.write_text(PLAIN.replace("m['content']", "(m['content'] if loop.last else 'earlier')"))
    failure = refused(bench, options={"chat_template": str(file)})
    assert failure.code == "template_rewrites"
    assert "{% generation %}" in failure.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory: x"),
         "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (OSError(errno.ENOMEM, "x"), "out_of_memory"),
        (OSError(errno.ENOSPC, "x", "f"), "disk_full"),
        (OSError(errno.EFBIG, "x", "f"), "disk_full"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "crashed"),
    ],
)  # fmt: skip
def test_what_is_raised_is_known_by_its_kind(error: Exception, code: str) -> None:
    assert explain(error, {}).code == code
