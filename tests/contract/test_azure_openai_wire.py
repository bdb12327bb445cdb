"""What the contract suite cannot know of Azure: routes, sign-in, training types, faults, events."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from ftproviders.adapters.azure_openai import assessing
from ftproviders.adapters.azure_openai.adapter import AzureOpenAIAdapter
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.client import FineTuneClient, FineTuneJob
from ftproviders.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    FineTuneError,
    InvalidRequestError,
    JobFailedError,
    NotFoundError,
    OutcomeUnknownError,
    ProviderError,
)
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobRef, JobStatus
from ftproviders.schema.plan import JobPlan
from ftproviders.testing.azure_openai import AzureBehaviour, AzureOpenAIEmulator, IdentityEmulator
from ftproviders.testing.checks import as_runtime
from ftproviders.testing.openai import WireFaultKind
from tests.contract.azure_world import MODEL, AzureWorld

Make = Callable[..., AzureWorld]
DATED = "2025-04-01-preview"
IN_PARTS = {"plain_upload_bytes": 1000, "part_bytes": 500}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[AzureWorld] = []

    def world(**given: Any) -> AzureWorld:
        made.append(AzureWorld(tmp_path, **given))
        return made[-1]

    yield world
    for one in made:
        one.close()


# --- routes and sign-in -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "prefix", "query"),
    [
        ("v1", "/openai/v1/", ()),
        ("preview", "/openai/v1/", (("api-version", "preview"),)),
        (DATED, "/openai/", (("api-version", DATED),)),
    ],
)
def test_each_version_has_its_route_and_header(
    make: Make, version: str, prefix: str, query: tuple[tuple[str, str], ...]
) -> None:
    world = make()
    client = world.client(api_version=version)
    client.submit(client.plan(world.spec()))
    for request in world.server.requests:
        assert request.path.startswith(prefix)
        assert set(query) <= set(request.query)
        header = "api-key" if version == DATED else "authorization"
        assert request.headers[header] == "<hidden>"
        assert request.key == "right"
    assert [seen["status"] for seen in world.server.jobs()] == ["pending"]


@pytest.mark.parametrize("version", ["v1", DATED])
@pytest.mark.parametrize("audiences", [["https://ai.azure.com"],
                                       ["https://cognitiveservices.azure.com"]])  # fmt: skip
def test_without_a_key_entra_id_signs_in_with_the_scope_that_is_taken(
    make: Make, monkeypatch: pytest.MonkeyPatch, version: str, audiences: list[str]
) -> None:
    with IdentityEmulator() as identity:
        for name, value in identity.environment.items():
            monkeypatch.setenv(name, value)
        # A key in the environment is not used behind the settings' back.
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "somebody-else")
        world = make(identity=identity)
        world.server.audiences = tuple(audiences)
        client = world.client(api_key=None, api_version=version)
        job = client.submit(client.plan(world.spec()))
        assert [made["id"] for made in world.server.jobs()] == [job.ref.id]
        refused = [r for r in world.server.requests if r.status == 401]
        second = audiences != ["https://ai.azure.com"]
        assert len(refused) == second
        assert list(dict.fromkeys(identity.asked)) == ["https://ai.azure.com", *audiences[:second]]


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("version", ["v1", "preview", DATED])
def test_custom_headers_replace_neither_key_nor_token(
    make: Make, monkeypatch: pytest.MonkeyPatch, version: str, signed_in: bool
) -> None:
    others = ("authorization: Bearer else", "API-Key: else", "X-Team: t", "OpenAI-Project: p")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(others))
    # Likewise whose account it is at OpenAI, which is nobody's business here.
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_of_somebody")
    with IdentityEmulator() as identity:
        for name, value in identity.environment.items():
            monkeypatch.setenv(name, value)
        world = make(identity=identity)
        changes = {"api_key": None} if signed_in else {}
        client = world.client(api_version=version, **changes)
        client.submit(client.plan(world.spec()))
    used = "api-key" if version == DATED and not signed_in else "authorization"
    watched = {"authorization", "api-key", "x-team", "openai-project", "openai-organization"}
    assert {request.key for request in world.server.requests} == {"right"}
    for request in world.server.requests:
        assert watched & set(request.headers) == {used}


def test_no_token_is_an_error_of_ours(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with IdentityEmulator() as identity:
        for name, value in identity.environment.items():
            monkeypatch.setenv(name, value)
        identity.refuses = True
        client = make(identity=identity).client(api_key=None)
        with pytest.raises(AuthenticationError, match="Entra ID gave no token") as caught:
            client.submit(client.plan(make().spec()))
        assert "az login" in caught.value.hint


def test_a_project_takes_jobs_and_no_parts(make: Make) -> None:
    world = make()
    endpoint = f"{world.server.endpoint}/api/projects/shelves"
    client = world.client(endpoint=endpoint)
    job = client.submit(client.plan(world.spec()))
    assert job.ref.account == f"{world.server.endpoint.removeprefix('http://')}/shelves"
    assert world.server.requests[-1].path.startswith("/api/projects/shelves/openai/v1/")
    large = world.client(endpoint=endpoint, **IN_PARTS)
    further = world.folder / "other.jsonl"
    further.write_bytes(world.training_file.read_bytes() * 2)
    with pytest.raises(ConfigurationError, match="must go up in parts") as caught:
        large.submit(large.plan(world.spec(training_file=str(further))))
    assert "openai.azure.com" in caught.value.hint
    assert world.server.requests_of("createUpload") == []


def test_redirects_are_not_followed(make: Make) -> None:
    world = make()
    with AzureOpenAIEmulator() as other:
        world.inject("createFile", "redirect", word=f"{other.base_url}/files")
        client = world.client()
        with pytest.raises(InvalidRequestError, match="307"):
            client.submit(client.plan(world.spec()))
        assert list(other.requests) == []


@pytest.mark.parametrize("signed_in", [True, False])
def test_neither_key_nor_token_in_an_answer_is_repeated(tmp_path: Path, signed_in: bool) -> None:
    secret = IdentityEmulator().token("https://ai.azure.com") if signed_in else "0a1B" * 8
    told = {"error": {"code": "401", "message": f"you sent {secret}"}, "echo": f"Bearer {secret}"}
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(401, json=told))
    client = openai.OpenAI(
        api_key=secret,
        base_url="http://127.0.0.1:9/openai/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    )
    settings = AzureOpenAISettings.model_validate(
        {
            "home": tmp_path,
            "endpoint": "http://127.0.0.1:9",
            "api_key": None if signed_in else secret,
        }
    )
    adapter = AzureOpenAIAdapter(settings, client=client)
    ref = JobRef(provider="azure-openai", account="127.0.0.1:9", id="ftjob-1")
    with pytest.raises(AuthenticationError) as caught:
        as_runtime(adapter, "retrieve", lambda: adapter.retrieve(ref))
    error = caught.value
    texts = [str(error), repr(vars(error)), repr(error.__cause__), repr(vars(error.__cause__))]
    assert not [text for text in texts if secret in text]
    # A key that is wrong stays wrong; of the scopes there is another.
    assert error.retryable is signed_in
    adapter.close()


# --- what is sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "options", "sent", "kind"),
    [
        (MODEL, {}, MODEL, "standard"),
        ("gpt-4o", {"training_type": "Global"}, "gpt-4o", "globalStandard"),
        ("gpt-4o-mini", {"training_type": "developer"}, "gpt-4o-mini", "developerTier"),
        ("gpt-oss-20b", {}, "gpt-oss-20b", "globalStandard"),
        ("qwen-32b", {}, "Qwen3-32B", "globalStandard"),
        ("ministral-3b", {}, "Ministral-3B", "globalStandard"),
    ],
)
def test_the_training_type_is_always_sent(
    make: Make, model: str, options: dict[str, str], sent: str, kind: str
) -> None:
    world = make()
    client = world.client()
    spec = world.spec(base_model={"azure-openai": model}, options={"azure-openai": options})
    plan = client.plan(spec)
    job = client.submit(plan)
    body = world.body()
    assert (body["model"], body["trainingType"]) == (sent, kind)
    assert plan.resolved["training_type"] == kind
    assert job.snapshot.facts["training_type"] == kind
    # The same content is the same job, found by its mark whatever the name is spelled like.
    assert world.client().submit(plan).ref == job.ref


def test_open_weights_are_refused_with_the_way_out(make: Make) -> None:
    world = make()
    client = world.client()
    options = {"azure-openai": {"training_type": "standard"}}
    plan = client.plan(world.spec(base_model="gpt-oss-20b", options=options))
    assert any("has no training type standard" in warning for warning in plan.warnings)
    with pytest.raises(InvalidRequestError) as caught:
        client.submit(plan)
    assert "training_type=globalStandard" in caught.value.hint


def test_going_on_from_tuned_models(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec(suffix="a.b")))
    assert world.body()["suffix"] == "a-b"
    job.wait()
    assert job.model is not None
    hexadecimal = job.ref.id.removeprefix("ftjob-")
    assert job.model.name == f"{MODEL}.ft-{hexadecimal}-a-b"
    for base in (job.model.name, job.checkpoints()[0].model.name):
        further = client.submit(client.plan(world.spec(base_model=base)))
        assert further.snapshot.base_model == base
    assert [c.id[:8] for c in job.checkpoints()] == ["ftchkpt-"] * 2
    with pytest.raises(ConfigurationError, match="only OpenAI's models"):
        client.plan(world.spec(base_model=f"gpt-oss-20b.ft-{hexadecimal}"))


@pytest.mark.parametrize("version", ["v1", DATED])
def test_files_end_only_where_the_route_demands_it(make: Make, version: str) -> None:
    world = make()
    client = world.client(api_version=version)
    client.submit(client.plan(world.spec()))
    (file,) = world.server.files()
    wanted = file["created_at"] + 2_592_000 if version == "v1" else None
    assert file["expires_at"] == (None if wanted is None else int(wanted))
    large = world.client(api_version=version, **IN_PARTS)
    large.submit(large.plan(world.spec(training_file=str(doubled(world)))))
    assert {file["expires_at"] is None for file in world.server.files()} == {version != "v1"}
    assert len(world.server.requests_of("addUploadPart")) > 2


def doubled(world: AzureWorld) -> Path:
    path = world.folder / "doubled.jsonl"
    path.write_bytes(world.training_file.read_bytes() * 2)
    return path


def test_a_byte_order_mark_by_choice(make: Make) -> None:
    world = make()
    client = world.client(byte_order_mark=True)
    for suffix in ("one", "two"):
        client.submit(client.plan(world.spec(suffix=suffix)))
    (file,) = world.server.files()
    content = (world.server._blobs / file["blob"]).read_bytes()
    assert content == codecs.BOM_UTF8 + world.training_file.read_bytes()
    assert len(world.server.requests_of("createFile")) == 1


# --- faults -----------------------------------------------------------------------------------

LOSE = sorted(
    kind.value for kind in WireFaultKind if not kind.misbehaviour and kind.value != "kill"
)
ODD = sorted(kind.value for kind in WireFaultKind if kind.misbehaviour)


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        *((kind, "before") for kind in LOSE),
        # Whoever says 429 has not carried it out.
        *((kind, "after") for kind in LOSE if kind not in ("rate_limit", "quota")),
    ],
)
def test_every_fault_at_create_makes_one_job(make: Make, kind: str, when: str) -> None:
    world = make()
    elsewhere = "http://127.0.0.1:9/openai/v1/fine_tuning/jobs"
    world.inject("createFineTuningJob", kind, when=when, seconds=0.05, word=elsewhere)
    client = world.client(timeout_seconds=0.5)
    plan = client.plan(world.spec())
    tries = [tried(client, plan) for _ in range(3)]
    assert all(isinstance(one, FineTuneJob) or one.hint for one in tries)
    (made,) = world.server.jobs()
    assert isinstance(tries[-1], FineTuneJob)
    assert tries[-1].ref.id == made["id"]


def tried(client: FineTuneClient, plan: JobPlan) -> FineTuneJob | FineTuneError:
    try:
        return client.submit(plan)
    except FineTuneError as error:
        return error


@pytest.mark.parametrize("kind", ODD)
def test_every_odd_answer_is_survived(make: Make, kind: str) -> None:
    world = make()
    for operation in (
        "createFineTuningJob", "listPaginatedFineTuningJobs", "retrieveFineTuningJob",
        "listFineTuningEvents",
    ):  # fmt: skip
        world.inject(operation, kind, times=None, seconds=5.0)
    client = world.client()
    outcome = tried(client, client.plan(world.spec()))
    assert isinstance(outcome, FineTuneJob), outcome
    assert outcome.refresh().raw_status
    assert len(world.server.jobs()) == 1


@pytest.mark.parametrize("operation", ["createFile", "createUpload", "addUploadPart",
                                       "completeUpload", "listFiles",
                                       "listPaginatedFineTuningJobs"])  # fmt: skip
@pytest.mark.parametrize("kind", ["rate_limit", "reset", "unavailable", "malformed"])
def test_passing_faults_pass(make: Make, operation: str, kind: str) -> None:
    world = make()
    world.inject(operation, kind, seconds=0.1)
    client = world.client(**(IN_PARTS if "pload" in operation else {}))
    plan = client.plan(world.spec())
    outcome = [tried(client, plan) for _ in range(2)][-1]
    assert isinstance(outcome, FineTuneJob), outcome
    assert [made["id"] for made in world.server.jobs()] == [outcome.ref.id]


def test_a_dropped_mark_is_reported_and_not_adopted(make: Make) -> None:
    world = make()
    world.inject("createFineTuningJob", "drop_metadata", times=None)
    world.inject("createFineTuningJob", "reset", when="after")
    client = world.client()
    with pytest.raises(OutcomeUnknownError) as caught:
        client.submit(client.plan(world.spec()))
    (job,) = world.server.jobs()
    assert [seen.ref.id for seen in caught.value.similar] == [job["id"]]


# --- what the job tells -----------------------------------------------------------------------


def test_what_was_billed_and_the_safety_check_come_after_the_end(make: Make) -> None:
    world = make(late_events_seconds=12.0)
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    told: list[str] = []
    assert job.snapshot.raw_status == "pending"
    assert job.snapshot.facts["settings"]["batch_size"] == "auto"
    job.wait(on_update=lambda _seen, events: told.extend(event.message for event in events))
    assert told.index("Job succeeded.") < told.index("Model Evaluation Passed.")
    assert told[-1] == "Training tokens billed: 1000"
    facts = job.refresh().facts
    assert (facts["billed_tokens"], facts["safety"]) == (1000, "passed")
    curve = [e for e in job.metrics() if "valid_mean_token_accuracy" in e.metrics]
    assert not curve
    assert len([e for e in job.metrics() if "train_loss" in e.metrics]) == 24


def test_where_no_tokens_are_told_those_billed_count(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    world.server.advance(1000)
    told = job.refresh().trained_tokens
    assert told
    assert told != 1000
    world.inject("retrieveFineTuningJob", "nulls")
    assert job.refresh().trained_tokens == 1000


def test_both_names_of_the_validation_accuracy_are_one(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec(validation_file=str(world.training_file))))
    job.wait()
    names = {name for event in job.metrics() for name in event.metrics}
    assert "valid_mean_token_accuracy" in names
    assert "validation_mean_token_accuracy" not in names


def test_events_that_cannot_be_read_do_not_hide_the_end(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    world.server.advance(1000)
    world.inject("listFineTuningEvents", "server_error", times=None)
    assert job.refresh().status is JobStatus.SUCCEEDED
    assert "billed_tokens" not in job.snapshot.facts


@pytest.mark.parametrize(
    ("stage", "message", "seen"),
    [
        (
            "validating_files",
            (
                "The provided training data failed RAI checks for harm types: [hate_fairness, "
                "self_harm, violence]. Please fix the data and try again."
            ),
            {"rejected": "data", "categories": ["hate_fairness", "self_harm", "violence"]},
        ),
        (
            "moderation",
            (
                "This model is unable to be deployed. Model evaluation identified that this "
                "fine tuned model scores above acceptable thresholds for [Violence, Self Harm]."
            ),
            {"rejected": "model", "categories": ["violence", "self_harm"]},
        ),
    ],
)
def test_safety_checks_name_what_they_found(
    make: Make, stage: str, message: str, seen: dict[str, object]
) -> None:
    world = make()
    world.server.fail_next_job(code="InvalidPayload", message=message, stage=stage)
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    with pytest.raises(JobFailedError) as caught:
        job.wait()
    assert job.refresh().facts["safety"] == seen
    assert "billed" in caught.value.hint or "charged" in caught.value.hint


def test_a_job_is_paused_only_once_it_trains(make: Make) -> None:
    world = make(running_seconds=120.0)
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    with pytest.raises(InvalidRequestError, match="at least one step"):
        job.pause()
    world.server.advance(60)
    assert job.pause().status is JobStatus.PAUSED
    assert job.snapshot.resumable
    assert job.resume().status is JobStatus.RUNNING
    assert job.wait().status is JobStatus.SUCCEEDED


def test_models_are_ours_and_those_of_our_jobs(make: Make) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    job.wait()
    assert job.model is not None
    models = {model.name: model for model in client.models("azure-openai")}
    assert models[job.model.name].tuned
    assert models["gpt-oss-20b"].methods == (Method.SUPERVISED,)
    assert world.server.requests_of("listModels") == []


@pytest.mark.parametrize("version", ["v1", DATED])
def test_a_model_is_deleted_once_nothing_serves_it(make: Make, version: str) -> None:
    world = make()
    client = world.client(api_version=version)
    job = client.submit(client.plan(world.spec()))
    job.wait()
    assert job.model is not None
    world.server.resource.add("shelves", model=job.model.name)
    with pytest.raises(ConflictError) as caught:
        job.delete_model()
    assert "undeploy" in caught.value.hint
    world.server.resource.change("shelves", deleting_at=0.0)
    assert job.delete_model() == job.model
    with pytest.raises(NotFoundError):
        job.delete_model()
    assert world.server.resource.tuned(job.model.name) is None


# --- the plan ---------------------------------------------------------------------------------


def test_the_plan_says_where_the_job_goes_and_that_the_resource_is_full(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make()
    client = world.client()
    plan = client.plan(world.spec())
    assert any(f"goes to {plan.account}" in note for note in plan.notes)
    assert not [w for w in plan.warnings if "The resource has" in w]
    monkeypatch.setattr(assessing, "JOBS_LIMIT", 5)
    for number in range(4):
        client.submit(client.plan(world.spec(seed=number)))
    (warning,) = (w for w in client.plan(world.spec()).warnings if "The resource has" in w)
    assert "4 jobs and may have 5" in warning


def test_a_full_resource_is_named(make: Make) -> None:
    world = make(jobs_limit=1)
    client = world.client()
    client.submit(client.plan(world.spec()))
    with pytest.raises(ProviderError) as caught:
        client.submit(client.plan(world.spec(seed=5)))
    assert "100 in all" in caught.value.hint


def test_a_plan_can_be_made_while_the_service_is_down(make: Make) -> None:
    world = make()
    world.inject("*", "reset", times=None)
    assert world.client().plan(world.spec()).base_model == MODEL


def test_the_emulated_limits_are_the_documented_ones() -> None:
    behaviour = AzureBehaviour()
    assert (behaviour.jobs_limit, behaviour.files_limit) == (100, 100)
    assert behaviour.total_bytes_limit == 1024**3


def test_an_unknown_job_names_the_resource(make: Make) -> None:
    client = make().client()
    with pytest.raises(NotFoundError) as caught:
        client.job("azure-openai:nobody-has-this").refresh()
    assert caught.value.hint
