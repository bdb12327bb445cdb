"""Every scripted fault of the emulator, as the real SDK meets it."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from pathlib import Path

import openai
import pytest
from pydantic import ValidationError

from ftproviders.testing import FakeClock
from ftproviders.testing.openai import OpenAIEmulator, WireFault, WireFaultKind
from tests.emulators.calls import MODEL, make_client, send, start_job, upload

CREATE = "POST /fine_tuning/jobs"
K = WireFaultKind

REFUSALS = [
    (K.RATE_LIMIT, openai.RateLimitError, 429),
    (K.QUOTA, openai.RateLimitError, 429),
    (K.SERVER_ERROR, openai.InternalServerError, 500),
    (K.UNAVAILABLE, openai.InternalServerError, 503),
    (K.BAD_GATEWAY, openai.InternalServerError, 502),
    (K.REQUEST_TIMEOUT, openai.APIStatusError, 408),
    (K.UNAUTHORIZED, openai.AuthenticationError, 401),
    (K.FORBIDDEN, openai.PermissionDeniedError, 403),
    (K.NOT_FOUND, openai.NotFoundError, 404),
    (K.RETIRED, openai.NotFoundError, 404),
    (K.CONFLICT, openai.ConflictError, 409),
    (K.INVALID, openai.BadRequestError, 400),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("kind", "error", "status"), REFUSALS)
def test_refusals_come_before_or_after_the_job_is_made(
    emulator: OpenAIEmulator,
    client: openai.OpenAI,
    rows: Path,
    when: str,
    kind: WireFaultKind,
    error: type[openai.APIStatusError],
    status: int,
) -> None:
    emulator.faults.inject(WireFault(CREATE, kind=kind, when=when, seconds=7))
    with pytest.raises(error) as refused:
        start_job(client, rows)

    assert refused.value.status_code == status
    assert refused.value.request_id == "req_000002"
    assert len(emulator.jobs()) == (when == "after")
    if kind is K.RATE_LIMIT:
        assert refused.value.response.headers["retry-after"] == "7"
    if kind is K.BAD_GATEWAY:
        assert "<html>" in refused.value.response.text
    last = emulator.requests[-1]
    assert (last.outcome, last.status) == (f"{when}: {kind.value}", status)
    assert [firing.request for firing in emulator.faults.firings] == [2]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [K.RESET, K.TIMEOUT])
def test_answers_that_never_come(
    emulator: OpenAIEmulator, rows: Path, kind: WireFaultKind, when: str
) -> None:
    emulator.faults.inject(WireFault(CREATE, kind=kind, when=when))
    expected = openai.APITimeoutError if kind is K.TIMEOUT else openai.APIConnectionError
    with make_client(emulator, timeout=1.0) as client:
        with pytest.raises(expected):
            start_job(client, rows)
        assert len(emulator.jobs()) == (when == "after")
        assert start_job(client, rows).status == "validating_files"


def test_answers_that_are_cut_off(
    emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path
) -> None:
    emulator.faults.inject(WireFault(CREATE, kind=K.TRUNCATED, when="after"))
    with pytest.raises(openai.APIConnectionError):
        start_job(client, rows)
    assert len(emulator.jobs()) == 1
    file = upload(client, rows)
    emulator.faults.inject(WireFault("downloadFile", kind=K.TRUNCATED, when="after"))
    with pytest.raises(openai.APIConnectionError):
        client.files.content(file.id)


@pytest.mark.parametrize("kind", [K.MALFORMED, K.EMPTY])
def test_answers_that_are_no_json(
    emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path, kind: WireFaultKind
) -> None:
    emulator.faults.inject(WireFault(CREATE, kind=kind, when="after"))
    file = upload(client, rows)
    answer = client.fine_tuning.jobs.with_raw_response.create(model=MODEL, training_file=file.id)
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.content)
    assert len(emulator.jobs()) == 1


def test_a_redirect_leads_elsewhere(emulator: OpenAIEmulator) -> None:
    with OpenAIEmulator() as other:
        target = f"http://localhost:{other.base_url.rsplit(':', 1)[1]}/models"
        emulator.faults.inject(WireFault("listModels", kind=K.REDIRECT, word=target))
        answer = send(emulator, "GET", "/v1/models", follow_redirects=True)
        assert answer.status_code == 401
        assert [request.key for request in other.requests] == ["missing"]


def test_unknown_words_fields_and_nulls(
    emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path
) -> None:
    job = start_job(client, rows)
    emulator.faults.inject(
        *(
            WireFault("retrieveFineTuningJob", kind=kind, word="dreaming")
            for kind in (K.UNKNOWN_STATUS, K.UNKNOWN_FIELDS, K.NULLS)
        )
    )
    strange = client.fine_tuning.jobs.retrieve(job.id).to_dict()
    assert strange["status"] == "dreaming"
    assert strange["x_tomorrow"] == {"word": "dreaming", "numbers": [1, 2.5, None]}
    assert strange["seed"] is None
    assert strange["result_files"] is None
    assert client.fine_tuning.jobs.retrieve(job.id).status == "validating_files"
    emulator.faults.inject(WireFault("listPaginatedFineTuningJobs", kind=K.UNKNOWN_STATUS))
    assert client.fine_tuning.jobs.list().data[0].status == "reticulating"


def test_a_stale_answer_is_the_last_one(
    emulator: OpenAIEmulator, client: openai.OpenAI, clock: FakeClock, rows: Path
) -> None:
    job = start_job(client, rows)
    jobs = client.fine_tuning.jobs
    assert jobs.retrieve(job.id).status == "validating_files"
    clock.advance(60)
    emulator.faults.inject(
        WireFault("retrieveFineTuningJob", kind=K.STALE),
        WireFault("cancelFineTuningJob", kind=K.STALE),
    )
    assert jobs.retrieve(job.id).status == "validating_files"
    assert jobs.retrieve(job.id).status == "running"
    assert jobs.cancel(job.id).status == "running"
    assert jobs.retrieve(job.id).status == "cancelled"


def test_a_clock_that_is_wrong(
    emulator: OpenAIEmulator, client: openai.OpenAI, clock: FakeClock, rows: Path
) -> None:
    emulator.faults.inject(WireFault("createFile", kind=K.CLOCK_SKEW, seconds=-3600))
    answer = client.files.with_raw_response.create(file=rows, purpose="fine-tune")
    assert answer.parse().created_at == int(clock.now().timestamp()) - 3600
    date = parsedate_to_datetime(answer.headers["date"])
    assert (clock.now() - date).total_seconds() == 3600


def test_lists_that_lag(
    emulator: OpenAIEmulator, client: openai.OpenAI, clock: FakeClock, rows: Path
) -> None:
    emulator.faults.inject(
        WireFault(CREATE, kind=K.LIST_LAG, seconds=30),
        WireFault("createFile", kind=K.LIST_LAG, seconds=10),
    )
    job = start_job(client, rows)
    assert client.fine_tuning.jobs.retrieve(job.id).id == job.id
    seen = []
    for _ in range(4):
        seen.append((len(client.files.list().data), len(client.fine_tuning.jobs.list().data)))
        clock.advance(10)
    assert seen == [(0, 0), (1, 0), (1, 0), (1, 1)]


def test_filters_and_metadata_that_get_lost(
    emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path
) -> None:
    emulator.faults.inject(
        WireFault(CREATE, kind=K.DROP_METADATA),
        WireFault("listPaginatedFineTuningJobs", kind=K.LYING_FILTER),
    )
    job = start_job(client, rows, metadata={"mine": "yes"})
    assert job.metadata is None
    listed = client.fine_tuning.jobs.list(metadata={"another": "job"})
    assert [found.id for found in listed] == [job.id]
    assert list(client.fine_tuning.jobs.list(metadata={"mine": "yes"})) == []
    assert [known["id"] for known in emulator.jobs_of("yes")] == [job.id]


@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_asks_can_be_killed(
    emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path, when: str
) -> None:
    killed: list[int] = []
    emulator.on_kill = lambda: killed.append(len(emulator.jobs()))
    emulator.faults.inject(WireFault(CREATE, kind=K.KILL, when=when))
    with pytest.raises(openai.APIConnectionError):
        start_job(client, rows)
    assert killed == [int(when == "after")]


def test_a_fault_hits_the_request_that_it_names(
    emulator: OpenAIEmulator, client: openai.OpenAI
) -> None:
    emulator.faults.inject(
        WireFault("*", kind=K.CONFLICT, nth=2, times=2),
        WireFault("GET /models/{model}", kind=K.NOT_FOUND, times=None),
    )
    paths = ("/v1/files", "/v1/files", "/v1/nothing", "/v1/files", f"/v1/models/{MODEL}") * 2
    statuses = [send(emulator, "GET", path).status_code for path in paths]
    assert statuses == [200, 409, 409, 200, 404, 200, 200, 404, 200, 404]
    emulator.faults.clear()
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(ValidationError, match="no such request"):
        WireFault("GET /nothing", kind=K.RESET)


def test_sdk_retries_as_it_is_told(emulator: OpenAIEmulator, rows: Path) -> None:
    """What makes duplicates: the SDK's own retries of a create request whose answer was lost."""
    emulator.faults.inject(WireFault(CREATE, kind=K.SERVER_ERROR, when="after"))
    with make_client(emulator, max_retries=1) as client:
        start_job(client, rows)
    assert len(emulator.jobs()) == 2
    tries = [r.headers["x-stainless-retry-count"] for r in emulator.requests_of(CREATE)]
    assert tries == ["0", "1"]
