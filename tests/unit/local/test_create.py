"""Creating a job is one act: it is there whole, once, whoever is killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ftproviders.adapters.local.options import LocalOptions
from ftproviders.errors import NotFoundError, ProviderTimeoutError, ProviderUnavailableError
from ftproviders.schema.job import Absent, Found, JobRef, JobStatus, SubmissionQuery
from ftproviders.worker import process
from tests.unit.local.conftest import Rig, until

ROOT = Path(__file__).parents[3]
QUERY = SubmissionQuery(submission_id="ft1", base_model="x")


def child(rig: Rig, code: str) -> subprocess.Popen[str]:
    """Run code in a Python of its own that has the rig as ``rig``."""
    start = f"""
        import os, signal, sys
        from pathlib import Path
        from tests.unit.local.conftest import Rig
        from ftproviders.worker import process
        rig = Rig(Path({str(rig.folder)!r}))
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(start) + textwrap.dedent(code)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def leftovers(rig: Rig) -> list[str]:
    return [path.name for path in rig.run().parent.glob(".new-*")]


def starts(rig: Rig) -> int:
    return rig.run().joinpath("events.jsonl").read_text().count("Training succeeded.")


def test_a_job_goes_from_create_to_success(rig: Rig) -> None:
    ref = rig.create()
    assert str(ref) == "local:ft1"
    snapshot = rig.ended(ref)
    assert snapshot.status is JobStatus.SUCCEEDED
    assert (snapshot.step, snapshot.total_steps, snapshot.trained_tokens) == (3, 3, 30)
    assert snapshot.model is not None
    assert snapshot.model.name == str(rig.run() / "adapter")
    assert snapshot.finished_at is not None
    assert snapshot.created_at is not None
    assert snapshot.created_at < snapshot.finished_at
    assert not leftovers(rig)


def test_a_second_create_returns_the_same_job(rig: Rig) -> None:
    first = rig.create()
    rig.ended(first)
    assert rig.create("fail") == first
    assert rig.ended(first).status is JobStatus.SUCCEEDED
    assert starts(rig) == 1


def test_two_creates_at_once_make_one_run(rig: Rig) -> None:
    rig.uploaded()
    both = [child(rig, "print(rig.create())") for _ in range(2)]
    said = [one.communicate(timeout=120) for one in both]
    assert [out.strip() for out, _ in said] == ["local:ft1", "local:ft1"], said
    rig.ended(JobRef(provider="local", id="ft1"))
    assert starts(rig) == 1
    assert not leftovers(rig)


def test_the_loser_of_the_rename_leaves_nothing(rig: Rig) -> None:
    """The second worker is really started: the run appears between the look and the rename."""
    ref = rig.create()
    rig.ended(ref)
    adapter = rig.adapter("fail")
    prepared = adapter._prepare({"submission_id": "ft1"}, [rig.uploaded()], "ft1")
    word = process.launch(
        [*adapter.program, str(prepared.path), str(rig.run())],
        log=prepared.log,
        folder=adapter.runs.folder,
        environ=process.environment(),
        timeout_seconds=60,
    )
    assert word == "exists"
    assert rig.adapter().retrieve(ref).status is JobStatus.SUCCEEDED
    assert not leftovers(rig)


def test_killed_before_the_worker_starts_there_is_no_job(rig: Rig) -> None:
    one = child(
        rig,
        """
        process.launch = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
        rig.create()
        """,
    )
    one.communicate(timeout=120)
    assert one.returncode == -signal.SIGKILL
    assert isinstance(rig.adapter().find(QUERY), Absent)
    # The user tries again and gets a job; what is left over is swept once it is old.
    rig.ended(rig.create())
    assert starts(rig) == 1
    old = rig.run().parent / leftovers(rig)[0]
    os.utime(old, (1, 1))
    rig.create(name="ft2")
    assert not old.exists()


def test_killed_after_the_worker_starts_there_is_one_job(rig: Rig) -> None:
    one = child(
        rig,
        """
        process._read_word = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
        rig.create()
        """,
    )
    one.communicate(timeout=120)
    assert one.returncode == -signal.SIGKILL
    until(lambda: isinstance(rig.adapter().find(QUERY), Found))
    assert rig.create("fail") == JobRef(provider="local", id="ft1")
    assert rig.ended(JobRef(provider="local", id="ft1")).status is JobStatus.SUCCEEDED
    assert starts(rig) == 1
    assert not leftovers(rig)


def test_the_worker_outlives_its_parent(rig: Rig) -> None:
    one = child(rig, "print(rig.create('hang'))")
    out, err = one.communicate(timeout=120)
    assert out.strip() == "local:ft1", err
    ref = JobRef.parse("local:ft1")
    rig.working(ref)
    assert rig.adapter().retrieve(ref).status is JobStatus.RUNNING
    rig.adapter().cancel(ref)
    assert rig.ended(ref).status in (JobStatus.CANCELLING, JobStatus.CANCELLED)


def test_a_worker_that_cannot_start_says_why(rig: Rig) -> None:
    with pytest.raises(ProviderUnavailableError, match="planted fault") as caught:
        rig.create("stillborn")
    assert caught.value.maybe_executed is False
    assert isinstance(rig.adapter().find(QUERY), Absent)
    assert not leftovers(rig)


def test_a_worker_that_says_nothing_is_ended(rig: Rig) -> None:
    adapter = rig.adapter(start_seconds=0.2)
    adapter.program = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(ProviderTimeoutError, match="did not start"):
        adapter.create(
            rig.spec, options=LocalOptions(), files=[rig.uploaded()], submission_id="ft1"
        )
    assert not leftovers(rig)


def test_everything_is_for_the_user_only(rig: Rig) -> None:
    rig.ended(rig.create())
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in (rig.settings.home / "local").rglob("*")
    }
    assert modes
    assert {p: oct(m) for p, m in modes.items() if m != (0o700 if p.is_dir() else 0o600)} == {}


def test_a_deleted_upload_is_said(rig: Rig) -> None:
    file = rig.uploaded()
    rig.adapter().delete_file(file)
    with pytest.raises(NotFoundError, match="not in"):
        rig.adapter().create(rig.spec, options=LocalOptions(), files=[file], submission_id="ft1")
    assert not leftovers(rig)


def test_the_worker_starts_without_heavy_imports() -> None:
    code = "import sys, ftproviders.worker.train; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"torch", "transformers", "peft", "numpy", "pydantic"} & set(done.stdout.split())
