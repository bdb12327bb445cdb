"""Requests of the data plane, held against the description of their api-version.

Whatever the adapter and the SDK send in a whole life of files and jobs must be valid, and nothing
may go where the description knows nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftproviders.adapters.azure_openai.adapter import make_connection
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import SubmissionQuery
from ftproviders.testing.azure_openai import AzureOpenAIRig
from ftproviders.testing.azure_openai.emulator import TABLES
from ftproviders.testing.openai.record import RecordedRequest
from tests.emulators.spec import FOLDER, Description

OF_THE_ADAPTER = {
    "addUploadPart", "cancelFineTuningJob", "cancelUpload", "completeUpload",
    "createChatCompletion", "createFile", "createFineTuningJob", "createUpload", "deleteFile",
    "deleteModel",
    "downloadFile", "listFiles", "listFineTuningEvents", "listFineTuningJobCheckpoints",
    "listPaginatedFineTuningJobs", "pauseFineTuningJob", "resumeFineTuningJob", "retrieveFile",
    "retrieveFineTuningJob",
}  # fmt: skip
"""What the adapter declares to use; the chat is that of a deployment."""
LEFT_OUT = {"listChatCompletions"}
"""Described, and of no use here."""
BESIDE = {"deleteModel"}
"""Documented elsewhere: Foundry REST reference, "Delete a model", and without a date only."""
EXCEPTIONS = (
    r"^DELETE /openai/v1/models/[^/]+: the description has no such request",
    # Hyperparameters of Azure's own (microsoft-foundry/foundry-samples, azure-skills), sent only
    # when the user states them in option extra_hyperparameters.
    r"'prompt_loss_weight' was unexpected",
    # Beside the grader (azure-ai-docs, reinforcement how-to), by option extra_method_fields.
    r"'max_episode_steps' was unexpected",
)
"""Where a request goes beyond the description, and why."""
VERSIONS = {"v1": "azure_openai_v1", "2025-04-01-preview": "azure_openai_dated"}


def described(api_version: str) -> Description:
    return Description(FOLDER / f"{VERSIONS[api_version]}.json")


def problems(description: Description, requests: Sequence[RecordedRequest]) -> list[str]:
    return [
        f"{request.method} {request.path}: {problem}"
        for request in requests
        for problem in description.request_problems(request)
    ]


@pytest.mark.parametrize(("kind", "api_version"), [("v1", "v1"), ("dated", "2025-04-01-preview")])
def test_the_emulator_has_the_operations_of_the_description(kind: str, api_version: str) -> None:
    description = described(api_version)
    ours = {operation.name: (operation.method, operation.path) for operation in TABLES[kind]}
    described_here = {k: v for k, v in description.operations.items() if k not in LEFT_OUT}
    assert {k: v for k, v in ours.items() if k not in BESIDE} == described_here
    for operation in (one for one in TABLES[kind] if one.name not in BESIDE):
        declared = description.operation(operation.name)
        query = {p["name"] for p in declared.get("parameters", ()) if p["in"] == "query"}
        assert operation.query == query - {"api-version"}, operation.name


@pytest.mark.parametrize("api_version", sorted(VERSIONS))
def test_a_whole_life_keeps_to_the_description(api_version: str, tmp_path: Path) -> None:
    rig = AzureOpenAIRig(tmp_path, api_version=api_version)
    try:
        live(rig)
        requests = rig.emulator.requests
        found = problems(described(api_version), requests)
        unknown = [one for one in found if not any(re.search(known, one) for known in EXCEPTIONS)]
        assert unknown == []
        for known in EXCEPTIONS:
            assert any(re.search(known, one) for one in found), f"{known} is no exception any more"
        assert {request.operation for request in requests} == OF_THE_ADAPTER
        assert {request.status for request in requests} == {200}
    finally:
        rig.close()


def live(rig: AzureOpenAIRig) -> None:
    """Do everything that the adapter can do, once at least."""
    adapter, finished = rig.adapter(), rig.finished
    adapter.check()
    adapter.models()
    for method in sorted(rig.info.methods):
        fields = {"suffix": "spec", "seed": 7, "hyperparameters": rig.declared(method)}
        options = rig.options if method is Method.REINFORCEMENT else {}
        submitted = rig.submit(adapter, rig.spec(method=method, **fields), options=options)
        rig.emulator.advance(100)
        adapter.pause(submitted.ref)
        adapter.resume(submitted.ref)
        adapter.cancel(submitted.ref)
    continued = rig.spec(base_model=finished.last.model.name if finished.last.model else "")
    adapter.cancel(rig.submit(adapter, continued).ref)
    upload_in_parts(rig)
    adapter.find(
        SubmissionQuery(
            submission_id=finished.submitted.submission_id,
            base_model=rig.base_model,
            file_ids=(),
            file_digests=(),
        )
    )
    adapter.jobs(cursor=adapter.jobs().cursor)
    adapter.events(finished.ref)
    adapter.checkpoints(finished.ref)
    adapter.result_metrics(finished.ref)
    file = finished.submitted.files[0]
    adapter.find_file(file.sha256, size_bytes=file.bytes)
    adapter.file_ready(file)
    statistics = DatasetStatistics(rows=12, messages=24, characters=300, text_bytes=300)
    adapter.assess(rig.spec(), options=rig.info.options_type(), statistics=statistics)
    chat(rig)
    adapter.delete_file(file)
    rig.emulator.resource.change("shelves", deleting_at=0.0)
    assert finished.last.model is not None
    adapter.delete_model(finished.last.model.name)


def upload_in_parts(rig: AzureOpenAIRig) -> None:
    small = rig.settings().model_copy(update={"plain_upload_bytes": 300, "part_bytes": 400})
    adapter = type(rig.adapter())(small)
    prepared = rig.prepare(adapter, rig.training_file(Method.SUPERVISED))
    try:
        adapter.upload(prepared, purpose="training", submission_id="a")
        steps = adapter.upload_steps(prepared, purpose="training", submission_id="a")
        next(steps)()
        steps.close()
    finally:
        adapter.close()


def chat(rig: AzureOpenAIRig) -> None:
    """Ask the tuned model through a deployment, as the hosting side does."""
    model = rig.finished.last.model
    assert model is not None
    rig.emulator.resource.add("shelves", model=model.name)
    settings = rig.settings()
    assert isinstance(settings, AzureOpenAISettings)
    connection = make_connection(settings)
    messages = [{"role": "user", "content": "What is on shelf number 7?"}]
    create = connection.client.chat.completions.with_raw_response.create
    answer = connection.ask(create, model="shelves", messages=messages, max_tokens=20)
    connection.close()
    assert answer["choices"][0]["message"]["content"] == "answer-7"


class TestTheJudge:
    """A judge that lets everything pass proves nothing."""

    @pytest.fixture(scope="class")
    @classmethod
    def request_of(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedRequest]:
        rig = AzureOpenAIRig(tmp_path_factory.mktemp("judge"), api_version="2025-04-01-preview")
        rig.submit(rig.adapter())
        (made,) = rig.emulator.requests_of("createFineTuningJob")
        yield made
        rig.close()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda r: r.model_copy(update={"path": "/openai/models"}), "no such request"),
            (lambda r: r.model_copy(update={"path": "/v1/fine_tuning/jobs"}), "no such request"),
            (lambda r: r.model_copy(update={"body": {**r.body, "colour": 1}}), "colour"),
            (lambda r: r.model_copy(update={"body": {"model": "m"}}), "training_file"),
            (lambda r: r.model_copy(update={"query": ()}), "api-version"),
            (lambda r: r.model_copy(update={"query": (("api-version", "v1"),)}), "api-version"),
        ],
    )
    def test_a_wrong_request_is_named(
        self,
        request_of: RecordedRequest,
        change: Callable[[RecordedRequest], RecordedRequest],
        words: str,
    ) -> None:
        description = described("2025-04-01-preview")
        assert problems(description, [request_of]) == []
        assert words in " ".join(problems(description, [change(request_of)]))

    def test_a_file_without_an_end_is_named_on_the_route_that_demands_one(
        self, tmp_path: Path
    ) -> None:
        rig = AzureOpenAIRig(tmp_path, api_version="2025-04-01-preview")
        rig.submit(rig.adapter())
        (made,) = rig.emulator.requests_of("createFile")
        rig.close()
        elsewhere = made.model_copy(update={"path": "/openai/v1/files", "query": ()})
        assert "expires_after" in " ".join(problems(described("v1"), [elsewhere]))

    @pytest.mark.parametrize("name", ["azure_openai_v1", "azure_openai_dated"])
    def test_the_description_is_the_official_one(self, name: str) -> None:
        document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
        assert document["info"]["version"] == "2.3.0"
        assert "Azure/azure-rest-api-specs@" in document["x-source"]
