"""What the contract suite cannot know: parts, redirects, result files, keys, ends."""

from __future__ import annotations

import hashlib
import logging
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import openai
import pytest
from pydantic import SecretStr
from typing_extensions import override

from ftproviders.adapters.openai.adapter import OpenAIAdapter, OpenAIHosting
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.errors import (
    AuthenticationError,
    DatasetError,
    FineTuneError,
    InvalidRequestError,
    JobFailedError,
    MissingCredentialsError,
    ModelRetiredError,
    NotFoundError,
    OutcomeUnknownError,
    ProviderConnectionError,
    ProviderError,
    UnexpectedResponseError,
)
from ftproviders.schema.dataset import Dataset
from ftproviders.schema.job import FileRef, JobEvent, JobRef, JobSnapshot, SubmissionQuery
from ftproviders.testing.checks import as_runtime
from ftproviders.testing.openai import OpenAIEmulator
from ftproviders.testing.openai.wire import RawRequest, Reply
from tests.contract.openai_world import MODEL, OpenAIWorld
from tests.emulators.planting import KEYS
from tests.unit.data.test_secrets import CASES

Make = Callable[..., OpenAIWorld]
KEY = "sk-planted-" + "0a1B" * 6


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[OpenAIWorld] = []

    def world(**behaviour: object) -> OpenAIWorld:
        made.append(OpenAIWorld(tmp_path, **behaviour))
        return made[-1]

    yield world
    for one in made:
        one.close()


# --- files ----------------------------------------------------------------------------------------


def test_a_download_that_breaks_off_begins_anew(make: Make, tmp_path: Path) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    (file_id,) = job.snapshot.training_files
    adapter, target = OpenAIAdapter(world.settings()), tmp_path / "back.jsonl"
    world.inject("downloadFile", "truncated", when="after")

    def download() -> FileRef:
        return adapter.download_file(file_id, target=target)

    with pytest.raises(ProviderConnectionError, match="download_file failed") as caught:
        as_runtime(adapter, "download_file", download)
    assert caught.value.retryable
    assert download().bytes == target.stat().st_size
    assert target.read_bytes() == world.training_file.read_bytes()
    adapter.close()


def test_a_refused_download_is_a_definite_answer(make: Make, tmp_path: Path) -> None:
    world = make(hands_out_data=False)
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    (file_id,) = job.snapshot.training_files
    adapter = OpenAIAdapter(world.settings())
    with pytest.raises(InvalidRequestError, match="Not allowed to download") as caught:
        as_runtime(
            adapter,
            "download_file",
            lambda: adapter.download_file(file_id, target=tmp_path / "none.jsonl"),
        )
    assert not caught.value.retryable
    adapter.close()


IN_PARTS = {"plain_upload_bytes": 1000, "part_bytes": 500}
PARTS = 3
"""The file of the tests in parts of 500 bytes."""


def test_a_large_file_goes_up_in_parts(make: Make) -> None:
    world = make()
    job = world.client(**IN_PARTS).submit(world.client(**IN_PARTS).plan(world.spec()))
    (file,) = world.data_files()
    assert file["bytes"] == world.training_file.stat().st_size
    assert world.sent("addUploadPart") == PARTS
    assert world.sent("createFile") == 0
    assert job.snapshot.training_files == (file["id"],)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["reset", "server_error", "rate_limit", "timeout", "malformed"])
def test_each_part_is_tried_again_by_itself(make: Make, kind: str, when: str) -> None:
    world = make()
    for nth in (1, 3):
        world.inject("addUploadPart", kind, when=when, nth=nth, seconds=0.1)
    client = world.client(**IN_PARTS, timeout_seconds=0.5)
    client.submit(client.plan(world.spec()))
    assert len(world.data_files()) == 1
    assert world.sent("createUpload") == 1
    assert world.sent("addUploadPart") == PARTS + 2
    assert len(world.server.jobs()) == 1


def test_every_part_has_tries_of_its_own(make: Make) -> None:
    world = make()
    # Three faults at each part: more in all than the tries of one request.
    for place in range(PARTS):
        world.inject("addUploadPart", "unavailable", nth=1 + place, times=3)
    client = world.client(**IN_PARTS)
    client.submit(client.plan(world.spec()))
    assert world.sent("addUploadPart") == 4 * PARTS
    assert len(world.data_files()) == 1


def test_a_lost_answer_at_the_end_leaves_one_file(make: Make) -> None:
    world = make()
    world.inject("completeUpload", "reset", when="after")
    client = world.client(**IN_PARTS)
    client.submit(client.plan(world.spec()))
    assert len(world.data_files()) == 1
    assert world.sent("completeUpload") == 1
    assert world.sent("cancelUpload") == 0


def test_an_upload_that_is_given_up_is_cancelled(make: Make) -> None:
    world = make()
    world.inject("addUploadPart", "unauthorized", nth=2)
    client = world.client(**IN_PARTS)
    with pytest.raises(AuthenticationError):
        client.submit(client.plan(world.spec()))
    assert world.sent("cancelUpload") == 1
    assert world.data_files() == []
    client.submit(client.plan(world.spec()))
    assert len(world.data_files()) == 1


def test_a_file_is_waited_for_until_it_is_processed(make: Make) -> None:
    world = make(processing_seconds=42.0)
    client = world.client()
    told: list[str] = []
    client.submit(client.plan(world.spec()), on_progress=told.append)
    assert sum(world.clock.slept) >= 42
    assert any("has processed" in text for text in told)
    assert len(world.server.jobs()) == 1


def test_a_file_that_is_not_ready_after_all_is_waited_for(make: Make) -> None:
    world = make()
    # The server's clock is ahead for one request: it says processed, and later it is not.
    world.inject("createFile", "clock_skew", seconds=3.0)
    client = world.client()
    client.submit(client.plan(world.spec()))
    assert len(world.server.jobs()) == 1


def test_files_are_used_again_by_name_and_bytes(make: Make) -> None:
    world = make()
    client = world.client()
    client.submit(client.plan(world.spec(suffix="one")))
    client.submit(client.plan(world.spec(suffix="two")))
    (file,) = world.data_files()
    assert world.sent("createFile") == 1
    digest = hashlib.sha256(world.training_file.read_bytes()).hexdigest()
    assert file["filename"] == f"train.{digest[:16]}.jsonl"


def test_a_file_whose_status_is_a_new_word_is_used_again(make: Make) -> None:
    world = make()
    client = world.client()
    client.submit(client.plan(world.spec(suffix="one")))
    world.inject("listFiles", "unknown_status", word="indexed")
    client.submit(client.plan(world.spec(suffix="two")))
    assert len(world.data_files()) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_the_list_does_not_show_yet_is_asked_for_by_its_id(
    make: Make, gone: bool
) -> None:
    world = make()
    world.inject("createFile", "list_lag", seconds=3600.0)
    client = world.client()
    client.submit(client.plan(world.spec(suffix="one")))
    if gone:
        world.inject("retrieveFile", "not_found")
    client.submit(client.plan(world.spec(suffix="two")))
    assert len(world.data_files()) == (2 if gone else 1)


def test_a_file_that_ends_soon_is_sent_again(make: Make) -> None:
    world = make()
    client = world.client(file_expires_after_seconds=3600)
    client.submit(client.plan(world.spec(suffix="one")))
    lasting = world.client()
    lasting.submit(lasting.plan(world.spec(suffix="two")))
    lasting.submit(lasting.plan(world.spec(suffix="three")))
    assert len(world.data_files()) == 2


class Counting(httpx2.BaseTransport):
    """Takes an upload piece by piece and keeps none of it."""

    def __init__(self) -> None:
        self.taken = 0

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.SyncByteStream)
        self.taken += sum(len(piece) for piece in request.stream)
        file = {"id": "file-1", "status": "processed"}
        return httpx2.Response(200, json={**file, "file": file})


def over(transport: httpx2.BaseTransport) -> openai.OpenAI:
    return openai.OpenAI(
        api_key=KEY,
        base_url="http://127.0.0.1:9/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    )


@pytest.mark.parametrize("sizes", [{}, {"plain_upload_bytes": 1, "part_bytes": 24 * 1024**2}])
def test_memory_stays_flat_while_a_file_is_sent(tmp_path: Path, sizes: dict[str, int]) -> None:
    size = 64 * 1024**2
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        file.truncate(size)
    transport = Counting()
    adapter = OpenAIAdapter(OpenAISettings.model_validate(sizes), client=over(transport))
    dataset = Dataset(path=path, sha256="0" * 64, bytes=size, rows=1)
    prepared = adapter.prepare(dataset, purpose="training", folder=tmp_path)
    tracemalloc.start()
    ref = adapter.upload(prepared, purpose="training", submission_id="ft")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert transport.taken > size
    assert ref.bytes == size
    assert peak < 4 * 1024**2, f"{peak:,} bytes for a file of {size:,}"


# --- jobs -----------------------------------------------------------------------------------------


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


# --- keys and addresses -----------------------------------------------------------------------


def test_a_redirect_carries_neither_key_nor_data(make: Make) -> None:
    world = make()
    with OpenAIEmulator() as other:
        for operation in ("createFile", "createFineTuningJob", "retrieveModel"):
            world.inject(operation, "redirect", word=f"{other.base_url}/files")
        client = world.client()
        for _ in range(2):
            with pytest.raises(InvalidRequestError, match="307") as caught:
                client.submit(client.plan(world.spec()))
            assert "base_url" in caught.value.hint
        assert list(other.requests) == []
    assert world.server.jobs() == []


def test_only_our_settings_count(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody-else")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_of_somebody_else")
    others = ("Authorization: Bearer sk-else", "openai-project: proj_x", "X-Team: t", "none", "")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(others))
    world.client().models("openai")
    named = OpenAIAdapter(world.settings(organization="org-1", project="proj_1"))
    named.models()
    named.close()
    bare, ours = (request.headers for request in world.server.requests_of("listModels"))
    assert not {"openai-organization", "openai-project", "x-team"} & set(bare)
    assert {request.key for request in world.server.requests} == {"right"}
    assert (ours["openai-organization"], ours["openai-project"]) == ("org-1", "proj_1")


def test_openai_itself_needs_a_key_and_others_may_not() -> None:
    for kind in (OpenAIAdapter, OpenAIHosting):
        assert isinstance(kind(OpenAISettings()).preflight(), MissingCredentialsError)
        assert kind(OpenAISettings(base_url="http://127.0.0.1:1/v1")).preflight() is None


def test_a_key_that_is_missing_or_wrong_is_told_apart(make: Make) -> None:
    world = make()
    for key, words in ((None, "None is set: OPENAI_API_KEY"), (SecretStr("sk-x"), "It is that of")):
        with pytest.raises(AuthenticationError) as caught:
            world.client(api_key=key).models("openai")
        assert words in caught.value.hint


def test_an_error_says_which_address_was_not_reached(make: Make) -> None:
    world = make()
    world.inject("listModels", "timeout", seconds=0.2, times=None)
    for settings in ({"timeout_seconds": 0.1}, {"base_url": "http://127.0.0.1:9/v1"}):
        client = world.client(**settings)
        with pytest.raises(ProviderError) as caught:
            client.models("openai")
        assert settings.get("base_url", world.server.base_url) in caught.value.message


def answering(status: int, body: object, **headers: str) -> OpenAIAdapter:
    transport = httpx2.MockTransport(
        lambda _request: httpx2.Response(status, json=body, headers=headers)
    )
    settings = OpenAISettings(api_key=SecretStr(KEY), base_url="http://127.0.0.1:9/v1")
    return OpenAIAdapter(settings, client=over(transport))


@pytest.mark.parametrize("secret", [KEY, *(shown + hidden for _, shown, hidden in CASES)])
def test_no_key_in_an_answer_is_repeated(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hidden = next((h for _, shown, h in CASES if shown + h == secret), secret)
    inner = {
        "message": f"Incorrect key: {secret} given",
        "code": secret,
        "type": "x",
        "param": None,
    }
    refused = answering(401, {"error": inner, secret: secret})
    with pytest.raises(FineTuneError) as caught:
        as_runtime(refused, "retrieve", lambda: refused.retrieve(JobRef(provider="openai", id="j")))
    error = caught.value
    lines = traceback.format_exception(error)
    told = [str(error), repr(error), repr(vars(error)), repr(error.__cause__), "".join(lines)]
    told.append(repr(vars(error.__cause__)))
    job = {"id": "ftjob-1", "status": "failed", "model": "m", "metadata": {"note": secret},
           "error": {"message": f"about {secret} and more", "code": "x"}}  # fmt: skip
    read = answering(200, job).retrieve(JobRef(provider="openai", id="ftjob-1"))
    told += [repr(read), read.model_dump_json(), caplog.text]
    for text in told:
        assert hidden not in text


def test_a_request_id_that_holds_the_key_is_not_repeated() -> None:
    refused = answering(401, {"error": {"message": "no"}}, **{"x-request-id": f"req_{KEY}"})
    with pytest.raises(FineTuneError) as caught:
        as_runtime(refused, "retrieve", lambda: refused.retrieve(JobRef(provider="openai", id="j")))
    told = [repr(vars(error)) for error in (caught.value, caught.value.__cause__)]
    assert "req_***" in told[0]
    assert not [text for text in told if KEY in text]


@pytest.mark.parametrize(
    "body", [[], "text", 3, None, {"data": None}, {"data": "x"}, {"object": "list"}]
)
def test_a_list_that_is_none_is_never_taken_for_an_empty_one(body: object) -> None:
    adapter = answering(200, body)
    query = SubmissionQuery(submission_id="ftabc", base_model=MODEL)
    with pytest.raises(UnexpectedResponseError) as caught:
        as_runtime(adapter, "find", lambda: adapter.find(query))
    assert caught.value.operation == "find"


def test_a_list_without_end_is_noticed() -> None:
    adapter = answering(200, {"data": [{"id": "ftjob-1", "status": "x"}], "has_more": True})
    query = SubmissionQuery(submission_id="ftabc", base_model=MODEL)
    with pytest.raises(UnexpectedResponseError, match="come round again"):
        adapter.find(query)


@pytest.mark.parametrize(
    ("error", "unclear"),
    [
        (httpx2.ConnectError("refused"), False),
        (httpx2.ConnectTimeout("slow"), False),
        (httpx2.ReadTimeout("slow"), True),
        (httpx2.ReadError("broke"), True),
        (httpx2.RemoteProtocolError("broke"), True),
    ],
)
def test_what_never_left_is_told_from_what_may_have_arrived(
    error: Exception, unclear: bool
) -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise error

    adapter = OpenAIAdapter(OpenAISettings(), client=over(httpx2.MockTransport(fail)))
    with pytest.raises(ProviderError) as caught:
        as_runtime(adapter, "create", adapter.models)
    assert caught.value.maybe_executed is unclear
    assert caught.value.retryable
