"""How a job ends: verdicts, interruption, cancelling; and how it is read."""

from __future__ import annotations

import json
import math
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ftproviders.errors import ConfigurationError, NotFoundError
from ftproviders.schema.job import EventLevel, Found, JobRef, JobStatus, SubmissionQuery
from ftproviders.worker import process
from ftproviders.worker.rundir import RunDirectory
from tests.unit.local.conftest import Rig, until


def kill_worker(rig: Rig) -> None:
    run = RunDirectory(rig.run())
    os.kill(run.worker()["pid"], signal.SIGKILL)
    until(lambda: not process.alive(run.lock))


# --- verdicts ---------------------------------------------------------------------------------


def test_a_known_failure_is_told_in_its_words(rig: Rig) -> None:
    snapshot = rig.ended(rig.create("fail"))
    assert snapshot.status is JobStatus.FAILED
    assert snapshot.error is not None
    assert snapshot.error.message == "The data is of no use. Change it."
    assert (snapshot.error.code, snapshot.error.param) == ("no_use", "training")
    last = rig.adapter().events(snapshot.ref)[-1]
    assert (last.level, last.message) == (EventLevel.ERROR, snapshot.error.message)


@pytest.mark.parametrize(
    ("mode", "code", "words"),
    [("full", "disk_full", "Make room"), ("crash", "crashed", "ZeroDivisionError: by nothing")],
)
def test_other_exceptions_become_sentences(rig: Rig, mode: str, code: str, words: str) -> None:
    snapshot = rig.ended(rig.create(mode))
    assert snapshot.status is JobStatus.FAILED
    assert snapshot.error is not None
    assert snapshot.error.code == code
    assert words in snapshot.error.message
    assert (str(rig.run() / "worker.log") in snapshot.error.message) == (mode == "crash")
    assert "Traceback" in (rig.run() / "worker.log").read_text()


# --- interruption -----------------------------------------------------------------------------


def test_a_killed_worker_leaves_an_interrupted_job(rig: Rig) -> None:
    snapshot = rig.ended(rig.create("die"))
    assert (snapshot.status, snapshot.raw_status) == (JobStatus.PAUSED, "interrupted")
    assert snapshot.resumable is True
    assert snapshot.error is not None
    assert "step 2 of 9" in snapshot.error.message
    assert str(rig.run() / "worker.log") in snapshot.error.message
    assert "about to be killed" in (rig.run() / "worker.log").read_text()


def test_an_interrupted_job_can_be_cancelled(rig: Rig) -> None:
    ref = rig.ended(rig.create("die")).ref
    assert rig.adapter().cancel(ref).status is JobStatus.CANCELLED
    assert rig.adapter().retrieve(ref).status is JobStatus.CANCELLED
    assert rig.adapter().events(ref)[-1].message == "Training was cancelled."


def test_the_number_of_a_dead_worker_is_never_signalled(rig: Rig) -> None:
    """The number may belong to another process by now: here it is this very process."""
    ref = rig.ended(rig.create("die")).ref
    run = RunDirectory(rig.run())
    run.write_worker(pid=os.getpid(), started_at=run.worker()["started_at"])
    assert rig.adapter().cancel(ref).status is JobStatus.CANCELLED
    lock = process.hold(run.lock)
    try:
        assert process.signal_worker(os.getpid(), 1.0, kill=True) is False
    finally:
        process.release(lock)


# --- cancelling -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hang", "sleep_long"])
def test_a_running_job_is_cancelled(rig: Rig, mode: str) -> None:
    ref = rig.create(mode)
    rig.working(ref)
    assert rig.adapter().cancel(ref).status in (JobStatus.CANCELLING, JobStatus.CANCELLED)
    until(lambda: rig.adapter().retrieve(ref).status is JobStatus.CANCELLED)
    messages = [event.message for event in rig.adapter().events(ref)]
    assert messages[-1] == "Training was cancelled."
    assert rig.adapter().retrieve(ref).finished_at is not None


def test_a_stubborn_worker_is_killed_by_a_later_look(rig: Rig) -> None:
    ref = rig.create("stubborn")
    rig.working(ref)
    patient, strict = rig.adapter(), rig.adapter(grace_seconds=0)
    assert patient.cancel(ref).status is JobStatus.CANCELLING
    assert patient.retrieve(ref).raw_status == "cancelling"
    until(lambda: strict.retrieve(ref).status is JobStatus.CANCELLED)
    assert not process.alive(RunDirectory(rig.run()).lock)


def test_a_worker_killed_while_cancelling_is_cancelled(rig: Rig) -> None:
    ref = rig.create("stubborn")
    rig.working(ref)
    rig.adapter().cancel(ref)
    kill_worker(rig)
    assert rig.adapter().retrieve(ref).status is JobStatus.CANCELLED


@pytest.mark.parametrize("mode", ["succeed", "fail"])
def test_cancelling_an_ended_job_changes_nothing(rig: Rig, mode: str) -> None:
    before = rig.ended(rig.create(mode))
    assert rig.adapter().cancel(before.ref) == before
    assert not (rig.run() / "cancel.json").exists()


# --- reading ----------------------------------------------------------------------------------


def test_events_come_oldest_first_and_go_on_from_a_cursor(rig: Rig) -> None:
    ref = rig.ended(rig.create()).ref
    events = rig.adapter().events(ref)
    ids = [int(event.id) for event in events]
    assert ids == list(range(1, len(ids) + 1))
    metrics = [event for event in events if event.kind == "metrics"]
    assert [(e.step, e.metrics["train_loss"]) for e in metrics] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert rig.adapter().events(ref, after=events[1].id) == events[2:]
    assert list(rig.adapter().events(ref, after=events[-1].id)) == []


def test_a_torn_line_is_ignored_and_written_around(rig: Rig) -> None:
    ref = rig.ended(rig.create("die")).ref
    run = RunDirectory(rig.run())
    run.append_event("whole")
    with (rig.run() / "events.jsonl").open("ab") as file:
        file.write(b'{"id": 99, "mess')
    assert [e.message for e in rig.adapter().events(ref)] == ["whole"]
    rig.adapter().cancel(ref)
    after = rig.adapter().events(ref)
    assert [(e.id, e.message) for e in after] == [("1", "whole"), ("2", "Training was cancelled.")]


def test_an_unknown_word_is_unknown_and_no_error(rig: Rig) -> None:
    ref = rig.ended(rig.create()).ref
    RunDirectory(rig.run()).write_status({"status": "evaluating"})
    snapshot = rig.adapter().retrieve(ref)
    assert (snapshot.status, snapshot.raw_status) == (JobStatus.UNKNOWN, "evaluating")


def test_find_gives_back_the_marker(rig: Rig) -> None:
    ref = rig.ended(rig.create()).ref
    found = rig.adapter().find(SubmissionQuery(submission_id="ft1", base_model="other"))
    assert isinstance(found, Found)
    assert found.snapshot.ref == ref
    assert found.snapshot.submission_id == "ft1"


def test_jobs_are_listed_newest_first_in_pages(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftproviders.adapters.local.adapter._PAGE_ROWS", 2)
    runs = rig.settings.home / "local" / "runs"
    for number in range(5):
        run = RunDirectory(runs / f"ft{number}")
        run.path.mkdir(parents=True)
        moment = datetime(2026, 1, 1 + number, tzinfo=UTC).isoformat()
        run.write_job({"created_at": moment, "submission_id": run.path.name, "base_model": "x"})
        run.write_status({"status": "succeeded"})
    (runs / ".new-ft9-0000").mkdir()
    seen, cursor = [], None
    while True:
        page = rig.adapter().jobs(cursor=cursor)
        seen += [job.ref.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == ["ft4", "ft3", "ft2", "ft1", "ft0"]
    tuned = [model for model in rig.adapter().models() if model.tuned]
    assert len(tuned) == 5


# --- names ------------------------------------------------------------------------------------


def test_the_machine_has_one_lasting_name(rig: Rig) -> None:
    name = rig.adapter().account()
    assert rig.adapter().account() == name
    assert (rig.settings.home / "local" / "machine").read_text().strip() == name
    host, _, digits = name.rpartition("-")
    assert host
    assert len(digits) == 8
    assert int(digits, 16) >= 0
    assert rig.adapter().public_account() is None


def test_a_job_of_another_machine_is_an_error_that_names_it(rig: Rig) -> None:
    with pytest.raises(ConfigurationError, match="on the machine other-0badcafe"):
        rig.adapter().retrieve(JobRef.parse("local:other-0badcafe/ft1"))


@pytest.mark.parametrize("name", ["ft404", ".new-ft1-00", ".."])
def test_a_job_that_is_not_here_is_not_found(rig: Rig, name: str) -> None:
    rig.create()
    with pytest.raises(NotFoundError, match=rig.adapter().account()):
        rig.adapter().retrieve(JobRef(provider="local", id=name))


def test_the_job_file_says_what_was_asked_for(rig: Rig) -> None:
    rig.ended(rig.create())
    job = json.loads((rig.run() / "job.json").read_text())
    assert job["schema"] == "ftproviders.local-run/1"
    assert job["submission_id"] == "ft1"
    assert job["machine"] == rig.adapter().account()
    assert job["files"][0]["sha256"] == rig.prepared().sha256
    assert job["settings"]["lora_r"] == 8
    assert Path(job["base_model"]).is_absolute()
    assert (rig.run() / "training.jsonl").read_bytes() == rig.data.read_bytes()


def test_a_metric_that_is_no_number_stays_json(rig: Rig) -> None:
    ref = rig.ended(rig.create()).ref
    run = RunDirectory(rig.run())
    run.append_event("x", kind="metrics", metrics={"loss": math.nan, "norm": math.inf, "lr": 1.0})
    line = (rig.run() / "events.jsonl").read_text().splitlines()[-1]
    assert json.loads(line, parse_constant=pytest.fail)["metrics"] == {
        "loss": None,
        "norm": None,
        "lr": 1.0,
    }
    read = rig.adapter().events(ref)[-1].metrics
    assert math.isnan(read["loss"])
    assert read["lr"] == 1.0
