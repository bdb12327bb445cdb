"""The emulated data plane is strict, and by each route in its own way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from ftproviders.schema.hyperparameters import Method
from ftproviders.testing import FakeClock
from ftproviders.testing.azure_openai import AzureBehaviour, AzureOpenAIEmulator, Resource
from ftproviders.testing.openai.rig import training_rows

MODEL = "gpt-4.1-mini-2025-04-14"
DATED = "2025-04-01-preview"
DAYS_30 = {"anchor": "created_at", "seconds": 2_592_000}
JOB = {"model": MODEL, "trainingType": "standard"}


@pytest.fixture
def server() -> Iterator[AzureOpenAIEmulator]:
    with AzureOpenAIEmulator(clock=FakeClock()) as started:
        yield started


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_text(training_rows(Method.SUPERVISED))
    return path


@pytest.fixture(params=["v1", "dated"])
def client(server: AzureOpenAIEmulator, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    http = openai.DefaultHttpx2Client(trust_env=False, verify=False)
    made: openai.OpenAI
    if request.param == "v1":
        made = openai.OpenAI(
            base_url=server.base_url, api_key=server.api_key, http_client=http, max_retries=0
        )
    else:
        made = openai.AzureOpenAI(
            azure_endpoint=server.endpoint,
            api_version=DATED,
            api_key=server.api_key,
            http_client=http,
            max_retries=0,
        )
    with made:
        yield made


def send(
    server: AzureOpenAIEmulator,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> httpx2.Response:
    """Send a request that the SDK would not."""
    key = {"api-key": server.api_key} if headers is None else dict(headers)
    url = f"{server.root_url}{path}"
    return httpx2.request(method, url, headers=key, trust_env=False, verify=False, **fields)


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# --- routes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/openai/v1/files", 200),
        ("/openai/v1/files?api-version=v1", 200),
        ("/openai/v1/files?api-version=preview", 200),
        (f"/openai/v1/files?api-version={DATED}", 400),
        (f"/openai/files?api-version={DATED}", 200),
        ("/openai/files?api-version=2024-10-21", 200),
        ("/openai/files?api-version=2025-13-99-later", 400),
        ("/openai/files?api-version=1999-01-01", 400),
        ("/openai/files?api-version=v1", 400),
        (f"/openai/files?api-version={DATED}&api-version={DATED}", 400),
        ("/openai/files", 404),
        ("/api/projects/p/openai/v1/files", 200),
        ("/v1/files", 404),
        ("/openai/v1/models", 404),
        (f"/openai/models?api-version={DATED}", 404),
        ("/openai/v1/fine_tuning/jobs?metadata[a]=b", 400),
        ("/openai/v1/fine_tuning/jobs?colour=red", 400),
        ("/openai/v1/deployments/d/chat/completions", 404),
    ],
)
def test_each_route_has_its_rules(server: AzureOpenAIEmulator, path: str, status: int) -> None:
    answer = send(server, "GET", path)
    assert answer.status_code == status
    if status != 200:
        error = answer.json()["error"]
        assert set(error) <= {"code", "message", "param"}
        assert error["code"]
        assert error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/uploads"), ("POST", "/uploads/upload_1/cancel")],
)
def test_a_project_has_no_uploads(server: AzureOpenAIEmulator, method: str, path: str) -> None:
    body = {"bytes": 4, "filename": "t.jsonl", "mime_type": "text/jsonl", "purpose": "fine-tune"}
    project = send(server, method, f"/api/projects/p/openai/v1{path}", json=body)
    assert code(project) == (404, "404")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"api-key": "another"}, 401),
        ({"Authorization": "Bearer another"}, 401),
        ({"api-key": "KEY"}, 200),
        ({"Authorization": "Bearer KEY"}, 200),
    ],
)
def test_only_the_key_lets_in(
    server: AzureOpenAIEmulator, headers: dict[str, str], status: int
) -> None:
    own = {name: value.replace("KEY", server.api_key) for name, value in headers.items()}
    assert send(server, "GET", "/openai/v1/files", headers=own).status_code == status
    (seen,) = server.requests
    assert server.api_key not in seen.model_dump_json()


# --- files ------------------------------------------------------------------------------------


def test_without_a_date_a_file_must_say_when_it_ends(
    server: AzureOpenAIEmulator, rows: Path
) -> None:
    form: dict[str, Any] = {
        "data": {"purpose": "fine-tune"},
        "files": {"file": ("t.jsonl", rows.read_bytes())},
    }
    assert code(send(server, "POST", "/openai/v1/files", **form)) == (400, "InvalidRequest")
    dated = send(server, "POST", f"/openai/files?api-version={DATED}", **form)
    assert dated.status_code == 200
    assert len(dated.json()["id"]) == len("file-") + 32


def test_the_resource_has_limits(rows: Path) -> None:
    behaviour = AzureBehaviour(files_limit=1, jobs_limit=1)
    with (
        AzureOpenAIEmulator(clock=FakeClock(), behaviour=behaviour) as server,
        client_of(server) as client,
    ):
        file = training_file(client, rows)
        with pytest.raises(openai.RateLimitError, match="1 files"):
            training_file(client, rows)
        body = {**JOB, "training_file": file}
        path = "/openai/v1/fine_tuning/jobs"
        assert send(server, "POST", path, json=body).status_code == 200
        assert code(send(server, "POST", path, json=body)) == (429, "429")


def client_of(server: AzureOpenAIEmulator) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=server.base_url,
        api_key=server.api_key,
        max_retries=0,
        http_client=openai.DefaultHttpx2Client(trust_env=False, verify=False),
    )


# --- jobs -------------------------------------------------------------------------------------


def training_file(client: openai.OpenAI, rows: Path) -> str:
    return client.files.create(file=rows, purpose="fine-tune", expires_after=DAYS_30).id  # type: ignore[arg-type]  # a plain dict


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": MODEL}, "does not support fine-tuning."),
        ({"model": "gpt-oss-20b", "trainingType": "Standard"}, "with Standard TrainingType"),
        ({"model": "gpt-oss-20b"}, "does not support fine-tuning."),
        ({**JOB, "suffix": "a.b"}, "suffix"),
        ({**JOB, "suffix": "x" * 41}, "suffix"),
        ({**JOB, "training_type": "standard"}, "training_type"),
        ({**JOB, "hyperparameters": {"prompt_loss_weight": 2}}, "prompt_loss_weight"),
        ({**JOB, "model": "gpt-9"}, "does not exist"),
        ({**JOB, "method": {"type": "supervised", "supervised":
                            {"hyperparameters": {"prompt_loss_weight": 2}}}}, "prompt_loss_weight"),
    ],
)  # fmt: skip
def test_wrong_jobs_are_refused(
    server: AzureOpenAIEmulator, client: openai.OpenAI, rows: Path, body: Any, words: str
) -> None:
    file = training_file(client, rows)
    asked = {**body, "training_file": file}
    answer = send(server, "POST", "/openai/v1/fine_tuning/jobs", json=asked)
    assert answer.status_code in (400, 404)
    assert words in answer.json()["error"]["message"]
    assert server.jobs() == []


@pytest.mark.parametrize("version", ["2024-10-21", DATED])
def test_training_types_and_python_graders_came_with_a_version(
    server: AzureOpenAIEmulator, client: openai.OpenAI, rows: Path, version: str
) -> None:
    file = training_file(client, rows)
    grader = {"type": "python", "name": "g", "source": "def grade(sample, item): return 1"}
    bodies = [
        {**JOB, "training_file": file},
        {
            "model": "o4-mini", "training_file": file, "validation_file": file,
            "method": {"type": "reinforcement", "reinforcement": {"grader": grader}},
            **({"trainingType": "standard"} if version == DATED else {}),
        },
    ]  # fmt: skip
    path = f"/openai/fine_tuning/jobs?api-version={version}"
    statuses = [send(server, "POST", path, json=body).status_code for body in bodies]
    assert statuses == ([200, 200] if version == DATED else [400, 400])


def test_a_job_in_azures_words(
    server: AzureOpenAIEmulator, client: openai.OpenAI, rows: Path
) -> None:
    jobs = client.fine_tuning.jobs
    made = jobs.create(
        model="gpt-4.1-mini",
        training_file=training_file(client, rows),
        seed=105,
        suffix="clippy",
        extra_body={"trainingType": "GlobalStandard"},
    )
    assert made.status == "pending"
    assert (made.hyperparameters.n_epochs, made.hyperparameters.batch_size) == (-1, -1)
    assert (made.error, made.organization_id) == (None, None)
    extra = made.model_extra or {}
    assert (extra["trainingType"], extra["suffix"]) == ("globalStandard", "clippy")
    assert len(made.id) == len("ftjob-") + 32
    server.advance(20)
    assert jobs.retrieve(made.id).status == "queued"
    with pytest.raises(openai.BadRequestError, match="at least one step"):
        jobs.pause(made.id)
    server.advance(60)
    assert jobs.pause(made.id).status == "paused"
    assert jobs.resume(made.id).status == "running"
    server.advance(200)
    done = jobs.retrieve(made.id)
    assert done.fine_tuned_model == f"{MODEL}.ft-{made.id.removeprefix('ftjob-')}-clippy"
    told = [event.message for event in jobs.list_events(made.id, limit=5)]
    tokens = told[0].removeprefix("Training tokens billed: ")
    assert int(tokens) % 1000 == 0
    assert told[3] == "Job succeeded."
    assert told[2] == "Model Evaluation Passed."
    kept = jobs.checkpoints.list(made.id).data
    assert [point.id[:8] for point in kept] == ["ftchkpt-"] * 3
    assert done.result_files
    head = client.files.content(done.result_files[0]).text.splitlines()[0]
    assert head.split(",")[4] == "validation_mean_token_accuracy"


def test_a_tuned_model_answers_by_its_deployment_only(
    server: AzureOpenAIEmulator, client: openai.OpenAI, rows: Path
) -> None:
    made = client.fine_tuning.jobs.create(
        model=MODEL, training_file=training_file(client, rows), extra_body=JOB
    )
    server.advance(1000)
    model = client.fine_tuning.jobs.retrieve(made.id).fine_tuned_model or ""
    (checkpoint, *_) = client.fine_tuning.jobs.checkpoints.list(made.id).data
    for name in (model, "nobody"):
        with pytest.raises(openai.NotFoundError, match="does not exist") as caught:
            ask(client, name)
        assert caught.value.code == "DeploymentNotFound"
    for name, served in (("shelves", model), ("kept", checkpoint.id)):
        server.resource.add(name, model=served)
        assert ask(client, name) == "answer-7"
        assert server.resource.tuned(served) == MODEL


def ask(client: openai.OpenAI, name: str) -> str | None:
    answer = client.chat.completions.create(
        model=name, messages=[{"role": "user", "content": "What is on shelf number 7?"}]
    )
    return answer.choices[0].message.content


def test_a_deployment_that_is_not_ready_says_so(server: AzureOpenAIEmulator) -> None:
    resource: Resource = server.resource
    resource.add("shelves", model="m")
    resource.change("shelves", answers_at=resource.now() + 60)
    body = {"model": "shelves", "messages": [{"role": "user", "content": "Ready?"}]}
    path = "/openai/v1/chat/completions"
    assert code(send(server, "POST", path, json=body)) == (503, "DeploymentNotReady")
    server.advance(61)
    assert send(server, "POST", path, json=body).status_code == 200
