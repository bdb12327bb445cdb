"""Requests and answers, held against OpenAI's own API description.

Requests: whatever the adapter and the SDK send in a whole life of files, jobs and models must be
valid, and nothing may go where the description knows nothing. Answers: those of the emulator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import SubmissionQuery
from ftproviders.testing.openai import OpenAIEmulator, OpenAIHostingRig, OpenAIRig
from ftproviders.testing.openai.operations import OPERATIONS
from ftproviders.testing.openai.record import RecordedRequest
from tests.emulators.calls import GRADER, JOB_SECONDS, MODEL, make_client, send, upload
from tests.emulators.spec import FOLDER, Description

OF_THE_ADAPTER = {
    "addUploadPart", "cancelFineTuningJob", "cancelUpload", "completeUpload",
    "createChatCompletion", "createFile", "createFineTuningJob", "createUpload", "deleteFile",
    "deleteModel", "downloadFile", "listFiles", "listFineTuningEvents",
    "listFineTuningJobCheckpoints", "listModels", "listPaginatedFineTuningJobs",
    "pauseFineTuningJob", "resumeFineTuningJob", "retrieveFile", "retrieveFineTuningJob",
    "retrieveModel",
}  # fmt: skip
"""What the adapter declares to use."""

KNOWN_DEVIATIONS = (
    # The description's own example of a paused job has a word that its list lacks.
    r"status: 'paused' is not one of",
    # Objects whose fields are all null stand for "no error" in real answers.
    r"^((data\.\d+\.)?error): .* is not valid under any of the given schemas",
)
"""Where the emulator does as the service is known to do, and not as the description says."""


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(FOLDER / "openai.json")


def problems(description: Description, requests: Sequence[RecordedRequest]) -> list[str]:
    return [
        f"{request.method} {request.path}: {problem}"
        for request in requests
        for problem in description.request_problems(request)
    ]


def test_the_emulator_has_the_operations_of_the_description(description: Description) -> None:
    left_out = {"listChatCompletions"}
    ours = {operation.name: (operation.method, operation.path) for operation in OPERATIONS}
    assert ours == {k: v for k, v in description.operations.items() if k not in left_out}
    for operation in OPERATIONS:
        declared = description.operation(operation.name)
        query = {p["name"] for p in declared.get("parameters", ()) if p["in"] == "query"}
        assert operation.query == query, operation.name
        contents = declared.get("requestBody", {}).get("content", {None: {}})
        assert [operation.content_type] == list(contents), operation.name


class TestAdapter:
    def test_a_whole_life_keeps_to_the_description(
        self, description: Description, tmp_path: Path
    ) -> None:
        rig = OpenAIHostingRig(tmp_path)
        try:
            self._live(rig)
            requests = [r for r in rig.training.emulator.requests if r.operation is not None]
            assert problems(description, rig.training.emulator.requests) == []
            used = {request.operation for request in requests}
            assert used == OF_THE_ADAPTER
        finally:
            rig.close()

    def _live(self, rig: OpenAIHostingRig) -> None:
        training, adapter = rig.training, rig.training.adapter()
        finished = training.finished
        adapter.check()
        adapter.models()
        for method in sorted(training.info.methods):
            fields = {"suffix": "spec", "seed": 7, "hyperparameters": training.declared(method)}
            options = training.options if method is Method.REINFORCEMENT else {}
            spec = training.spec(method=method, **fields)
            submitted = training.submit(adapter, spec, options=options)
            adapter.pause(submitted.ref)
            adapter.resume(submitted.ref)
            adapter.cancel(submitted.ref)
        self._upload_in_parts(training)
        query = SubmissionQuery(
            submission_id=finished.submitted.submission_id,
            base_model=training.base_model,
            file_ids=(),
            file_digests=(),
        )
        adapter.find(query)
        adapter.jobs(cursor=adapter.jobs().cursor)
        adapter.events(finished.ref)
        adapter.checkpoints(finished.ref)
        adapter.result_metrics(finished.ref)
        file = finished.submitted.files[0]
        adapter.find_file(file.sha256, size_bytes=file.bytes)
        adapter.file_ready(file)
        host, model = rig.shared, rig.model()
        question = [ChatMessage(role="user", content=rig.question)]
        host.chat(host.endpoint(model), question, temperature=0.0, max_tokens=20)
        options_of_plan = training.info.options_type()
        adapter.assess(training.spec(), options=options_of_plan, statistics=_statistics())
        adapter.delete_model(model.name)
        adapter.delete_file(file)

    def _upload_in_parts(self, training: OpenAIRig) -> None:
        small = training.settings().model_copy(
            update={
                "plain_upload_bytes": 300,
                "part_bytes": 400,
                "file_expires_after_seconds": 3600,
            }
        )
        adapter = type(training.adapter())(small)
        prepared = training.prepare(adapter, training.training_file(Method.SUPERVISED))
        try:
            adapter.upload(prepared, purpose="training", submission_id="a")
            # A file that gets longer while it is sent: the upload is given up.
            steps = adapter.upload_steps(prepared, purpose="training", submission_id="a")
            next(steps)()
            steps.close()
        finally:
            adapter.close()


def _statistics() -> Any:
    from ftproviders.schema.dataset import DatasetStatistics

    return DatasetStatistics(rows=12, messages=24, characters=300, text_bytes=300)


class TestSdk:
    def test_every_operation_and_every_answer(
        self, description: Description, rows: Path, clock: Any
    ) -> None:
        answers: list[tuple[str, str, object]] = []

        def keep(response: httpx2.Response) -> None:
            response.read()
            if response.headers["content-type"] == "application/json":
                url = response.request.url.raw_path.decode().partition("?")[0]
                answers.append((response.request.method, url, response.json()))

        http = httpx2.Client(trust_env=False, verify=False, event_hooks={"response": [keep]})
        with (
            OpenAIEmulator(clock=clock) as emulator,
            make_client(emulator, http_client=http) as client,
        ):
            _use_everything(client, emulator, rows)
            requests = emulator.requests
        assert problems(description, requests) == []
        assert {request.operation for request in requests} == {o.name for o in OPERATIONS}
        wrong = [
            f"{match.name}: {problem}"
            for method, path, answer in answers
            if (match := description.match(method, path)) is not None
            for problem in description.answer_problems(match.name, answer)
            if not any(re.search(known, problem) for known in KNOWN_DEVIATIONS)
        ]
        assert len(answers) > len(OPERATIONS)
        assert wrong == []


def _use_everything(client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path) -> None:
    file = upload(client, rows)
    client.files.create(
        file=rows, purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    list(client.files.list(purpose="fine-tune", order="asc", limit=1))
    client.files.retrieve(file.id)
    client.files.content(file.id)
    client.uploads.upload_file_chunked(
        file=rows, mime_type="text/jsonl", purpose="fine-tune", part_size=500
    )
    begun = client.uploads.create(
        bytes=4, filename="t.jsonl", mime_type="text/jsonl", purpose="fine-tune"
    )
    client.uploads.cancel(begun.id)
    jobs = client.fine_tuning.jobs
    job = jobs.create(
        model=MODEL,
        training_file=file.id,
        validation_file=file.id,
        metadata={"team": "search"},
        seed=3,
        suffix="spec",
        integrations=[{"type": "wandb", "wandb": {"project": "p"}}],
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
    )
    jobs.pause(job.id)
    jobs.resume(job.id)
    emulator.advance(JOB_SECONDS)
    job = jobs.retrieve(job.id)
    list(jobs.list(limit=1, metadata={"team": "search"}))
    list(jobs.list_events(job.id, limit=10))
    list(jobs.checkpoints.list(job.id, limit=1))
    jobs.cancel(jobs.create(model=MODEL, training_file=file.id).id)
    assert job.fine_tuned_model is not None
    grants = client.fine_tuning.checkpoints.permissions
    (grant,) = grants.create(job.fine_tuned_model, project_ids=["proj_a"])
    list(grants.list(job.fine_tuned_model))
    grants.delete(grant.id, fine_tuned_model_checkpoint=job.fine_tuned_model)
    graders = client.fine_tuning.alpha.graders
    graders.validate(grader=GRADER)  # type: ignore[arg-type]  # a plain dict of the right shape
    graders.run(grader=GRADER, model_sample="blue", item={"answer": "blue"})  # type: ignore[arg-type]  # as above
    list(client.models.list())
    client.models.retrieve(job.fine_tuned_model)
    for stream in (False, True):
        answer = client.chat.completions.create(
            model=job.fine_tuned_model,
            messages=[{"role": "user", "content": "What is on shelf number 1?"}],
            stream=stream,
        )
        if stream:
            list(answer)
    client.models.delete(job.fine_tuned_model)
    client.files.delete(file.id)


class TestTheJudge:
    """A judge that lets everything pass proves nothing."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda r: r.model_copy(update={"path": "/v1/fine_tunes"}), "no such request"),
            (lambda r: r.model_copy(update={"path": "/fine_tuning/jobs"}), "no such request"),
            (lambda r: r.model_copy(update={"method": "PUT"}), "no such request"),
            (lambda r: r.model_copy(update={"body": {**r.body, "colour": 1}}), "colour"),
            (lambda r: r.model_copy(update={"body": {"model": MODEL}}), "training_file"),
            (lambda r: r.model_copy(update={"body": {**r.body, "seed": -1}}), "seed"),
            (lambda r: r.model_copy(update={"query": (("dry_run", "1"),)}), "dry_run"),
            (
                lambda r: r.model_copy(update={"headers": {"content-type": "text/plain"}}),
                "text/plain",
            ),
        ],
    )
    def test_a_wrong_request_is_named(
        self,
        description: Description,
        emulator: OpenAIEmulator,
        change: Callable[[RecordedRequest], RecordedRequest],
        words: str,
    ) -> None:
        body = {"model": MODEL, "training_file": "file-1"}
        send(emulator, "POST", "/v1/fine_tuning/jobs", json=body)
        (right,) = emulator.requests
        assert problems(description, [right]) == []
        assert words in " ".join(problems(description, [change(right)]))

    def test_a_wrong_answer_is_named(self, description: Description) -> None:
        answer: dict[str, Any] = {"object": "list", "data": [{"id": "m"}]}
        assert list(description.answer_problems("listModels", answer))

    def test_the_description_is_the_official_one(self) -> None:
        document = json.loads((FOLDER / "openai.json").read_bytes())
        assert document["info"]["version"] == "2.3.0"
        assert document["x-source"].startswith("openai/openai-openapi@")


def test_refusals_have_the_shape_of_the_description(
    description: Description, emulator: OpenAIEmulator
) -> None:
    answer = send(emulator, "GET", "/v1/files/file-nobody").json()
    schema = {"$ref": "#/components/schemas/ErrorResponse"}
    assert list(description.problems(schema, answer, closed=True)) == []
