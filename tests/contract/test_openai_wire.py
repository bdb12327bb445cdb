"""Jobs over the real SDK: lost answers, late events, result files, refusals and their rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ftproviders.errors import (
    DatasetError,
    InvalidRequestError,
    JobFailedError,
    ModelRetiredError,
    NotFoundError,
    OutcomeUnknownError,
)
from ftproviders.schema.job import JobEvent, JobSnapshot
from ftproviders.testing.openai import OpenAIEmulator
from ftproviders.testing.openai.wire import RawRequest, Reply
from tests.contract.openai_world import MODEL, Make
from tests.emulators.planting import KEYS


def test_retry_after_is_what_is_waited(make: Make) -> None:
    world = make()
    world.inject("createFineTuningJob", "rate_limit", seconds=7.0)
    client = world.client()
    client.submit(client.plan(world.spec()))
    assert 7.0 in world.clock.slept
    assert world.sent("createFineTuningJob") == 2


LOST = ["reset", "server_error", "unavailable", "bad_gateway", "timeout", "truncated", "empty"]


@pytest.mark.parametrize("kind", [*LOST, "malformed", "request_timeout"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_to_create_makes_one_job(make: Make, kind: str, when: str) -> None:
    world = make()
    world.inject("createFineTuningJob", kind, when=when, seconds=0.1)
    client = world.client(timeout_seconds=0.5)
    if when == "before":
        with pytest.raises(OutcomeUnknownError):
            client.submit(client.plan(world.spec()))
        assert world.sent("createFineTuningJob") == 1
    job = client.submit(client.plan(world.spec()))
    assert [made["id"] for made in world.server.jobs()] == [job.ref.id]


def test_a_job_whose_mark_was_dropped_is_reported(make: Make) -> None:
    world = make()
    for operation in (
        "createFineTuningJob",
        "listPaginatedFineTuningJobs",
        "retrieveFineTuningJob",
    ):
        world.inject(operation, "drop_metadata", times=None)
    world.inject("createFineTuningJob", "reset", when="after")
    client = world.client()
    with pytest.raises(OutcomeUnknownError) as caught:
        client.submit(client.plan(world.spec()))
    (job,) = world.server.jobs()
    assert [seen.ref.id for seen in caught.value.similar] == [job["id"]]


def test_the_last_events_come_although_the_job_has_ended(make: Make) -> None:
    world = make(late_events_seconds=12.0, metrics_in_data=False)
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    told: list[str] = []

    def note(_snapshot: JobSnapshot, events: list[JobEvent]) -> None:
        told.extend(event.message for event in events)

    job.wait(on_update=note)
    assert told[-1] == "The job has successfully completed"
    assert len(told) == len(set(told))


def test_a_late_event_with_an_earlier_time_is_told_too(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, late = OpenAIEmulator._handle, list[str]()

    def handle(self: OpenAIEmulator, raw: RawRequest) -> Reply:
        reply = usual(self, raw)
        if "/events" not in raw.target or not isinstance(reply.payload, dict):
            return reply
        late.extend(job["id"] for job in self.jobs() if job["status"] == "succeeded")
        if len(late) >= 3:
            return reply
        early = [e for e in reply.payload["data"] if "job started" not in e["message"]]
        return replace(reply, payload={**reply.payload, "data": early})

    monkeypatch.setattr(OpenAIEmulator, "_handle", handle)
    world = make()
    client = world.client()
    told: list[str] = []
    client.submit(client.plan(world.spec())).wait(
        on_update=lambda _snapshot, events: told.extend(event.message for event in events)
    )
    assert [text for text in told if "job started" in text] == ["Fine-tuning job started"]
    assert len(told) == len(set(told))


def test_live_progress_has_steps(make: Make) -> None:
    world = make()
    client = world.client()
    seen: list[tuple[int | None, int | None]] = []
    client.submit(client.plan(world.spec())).wait(
        on_update=lambda snapshot, _events: seen.append((snapshot.step, snapshot.total_steps))
    )
    assert seen[-1] == (24, 24)
    assert len(set(seen)) > 3


@pytest.mark.parametrize("in_data", [True, False])
def test_events_and_result_files_are_one_series(make: Make, in_data: bool) -> None:
    world = make(metrics_in_data=in_data)
    client = world.client()
    job = client.submit(client.plan(world.spec(validation_file=str(world.training_file))))
    job.wait()
    points = [(e.step, name) for e in job.metrics() for name in e.metrics]
    assert len(points) == len(set(points)), "each number of a step is there once"
    curve = [e.metrics["train_loss"] for e in job.metrics() if "train_loss" in e.metrics]
    assert len(curve) == 24
    assert any(round(value, 2) != value for value in curve), "from the file: not rounded"
    assert any("full_valid_loss" in e.metrics for e in job.metrics()), "from the events"


def test_metrics_remain_when_the_result_file_is_gone(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    job.wait()
    world.inject("downloadFile", "not_found")
    assert len(job.metrics()) == 24


def test_why_a_job_failed_and_what_to_do(make: Make) -> None:
    world = make()
    world.server.fail_next_job(
        code="invalid_training_file", message="Line 3 has a wrong role.", param="training_file"
    )
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    with pytest.raises(JobFailedError, match="Line 3 has a wrong role") as caught:
        job.wait()
    assert "See row 3 of the file." in caught.value.hint
    job.acknowledge()
    with pytest.raises(JobFailedError) as again:
        client.submit(client.plan(world.spec()))
    assert "See row 3" in again.value.hint


def test_the_rows_that_a_failed_job_names_are_quoted_from_our_file(make: Make) -> None:
    world = make()
    lines = world.training_file.read_text().splitlines(keepends=True)
    keyed = lines[2].replace("answer-2", KEYS["openai"])
    world.training_file.write_text("".join([*lines[:2], keyed, *lines[3:]]))
    world.server.fail_next_job(
        code="invalid_training_file", message="Line(s) 2, 3, 99: bad role.", param="training_file"
    )
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    with pytest.raises(JobFailedError) as caught:
        job.wait()
    assert "See row 2, 3, 99 of the file." in caught.value.hint
    assert f"train.jsonl:2: {lines[1][:40]}" in caught.value.hint
    assert "train.jsonl:3: " in caught.value.hint
    assert KEYS["openai"] not in caught.value.hint
    assert "train.jsonl:99" not in caught.value.hint, "the file has no such row"
    with pytest.raises(JobFailedError) as again:
        client.submit(client.plan(world.spec()))
    assert "train.jsonl:2: " in again.value.hint
    world.training_file.write_text("".join(lines))
    with pytest.raises(JobFailedError) as changed:
        job.wait()
    assert "train.jsonl:2" not in changed.value.hint, "another file than the one that was sent"


REFUSED = {"error": {"message": "Example 2 has no role.", "code": "invalid_training_file"}}
BROKEN = {"id": "file-1", "status": "error", "status_details": "Example 2 has no role."}


@pytest.mark.parametrize(
    ("start", "reply"),
    [("POST /v1/fine_tuning/jobs", Reply(400, REFUSED)), ("GET /v1/files/", Reply(200, BROKEN))],
)
def test_the_rows_that_a_refusal_names_are_quoted(
    make: Make, start: str, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = OpenAIEmulator._handle

    def handle(self: OpenAIEmulator, raw: RawRequest) -> Reply:
        return reply if f"{raw.method} {raw.target}".startswith(start) else usual(self, raw)

    monkeypatch.setattr(OpenAIEmulator, "_handle", handle)
    world = make(processing_seconds=60.0 if start.startswith("GET") else 0.0)
    client = world.client()
    with pytest.raises(InvalidRequestError) as caught:
        client.submit(client.plan(world.spec()))
    row = world.training_file.read_text().splitlines()[1]
    assert f"train.jsonl:2: {row[:40]}" in caught.value.hint
    assert caught.value.rows == (2,)


def test_closed_to_new_jobs_names_alternatives(make: Make) -> None:
    world = make(closed=True)
    client = world.client()
    with pytest.raises(ModelRetiredError) as caught:
        client.submit(client.plan(world.spec()))
    assert "azure-openai" in caught.value.hint
    assert "2027-01-05" in caught.value.hint
    assert caught.value.raw


def test_the_plan_warns_of_what_the_service_itself_tells(make: Make) -> None:
    world = make()
    client = world.client()
    assert not [w for w in client.plan(world.spec()).warnings if "answer until" in w]
    to_november = datetime(2026, 11, 22, tzinfo=UTC) - world.clock.now()
    world.clock.advance(to_november.total_seconds())
    (warning,) = (w for w in client.plan(world.spec()).warnings if "answer until" in w)
    assert "2027-01-13" in warning
    assert "openai itself tells" in warning


def test_the_command_that_shows_all_findings_names_the_model_where_it_matters(make: Make) -> None:
    world = make()
    with pytest.raises(DatasetError, match="method supervised") as caught:
        world.client().plan(world.spec(base_model={"openai": "o4-mini-2025-04-16"}))
    assert "--provider openai --model o4-mini-2025-04-16" in caught.value.hint


def test_a_plan_can_be_made_while_the_service_is_down(make: Make) -> None:
    world = make()
    world.inject("*", "reset", times=None)
    assert world.client().plan(world.spec()).base_model == MODEL


def test_going_on_from_a_tuned_model_and_asking_checkpoints(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    job.wait()
    first, last = job.checkpoints()[0], job.checkpoints()[-1]
    assert job.chat("What is on shelf number 7?", checkpoint=first.id).text == "answer-7"
    assert job.model is not None
    for base in (job.model.name, last.model.name):
        further = client.submit(client.plan(world.spec(base_model=base)))
        assert further.snapshot.base_model == base


def test_models_and_files_can_be_deleted(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    job.wait()
    assert job.delete_model() == job.model
    with pytest.raises(NotFoundError):
        job.delete_model()
    with pytest.raises(NotFoundError):
        job.chat("Are you there?")
