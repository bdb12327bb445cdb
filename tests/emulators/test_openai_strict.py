"""What the emulator refuses, and that it refuses in OpenAI's shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from ftproviders.schema.hyperparameters import Method
from ftproviders.testing.openai import Behaviour, OpenAIEmulator
from ftproviders.testing.openai.rig import training_rows
from tests.emulators.calls import GRADER, JOB_SECONDS, MODEL, make_client, send, start_job, upload

JOBS = "/v1/fine_tuning/jobs"


def refusal(answer: Any) -> dict[str, Any]:
    """Return the error of an answer, and hold it to the shape."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert isinstance(error["type"], str)
    assert answer.headers["x-request-id"]
    return dict(error)


class TestRequests:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/v1/fine_tuning/job", 404),
            ("GET", "/fine_tuning/jobs", 404),
            ("GET", "/v1/files/file-1/contents", 404),
            ("PUT", "/v1/files", 405),
            ("DELETE", "/v1/fine_tuning/jobs", 405),
            ("PATCH", "/v1/models/gpt-4o", 405),
        ],
    )
    def test_unknown_paths_and_methods(
        self, emulator: OpenAIEmulator, method: str, path: str, status: int
    ) -> None:
        answer = send(emulator, method, path)
        assert answer.status_code == status
        refusal(answer)
        assert emulator.requests[-1].operation is None

    def test_keys(self, emulator: OpenAIEmulator) -> None:
        for headers, code in (
            ({"Authorization": "Bearer sk-another"}, "invalid_api_key"),
            ({"Authorization": emulator.api_key}, "invalid_api_key"),
        ):
            answer = send(emulator, "GET", "/v1/models", headers=headers)
            assert answer.status_code == 401
            assert refusal(answer)["code"] == code
            assert "sk-another" not in answer.text
        with (
            make_client(emulator, api_key="sk-wrong") as client,
            pytest.raises(openai.AuthenticationError),
        ):
            client.models.list()
        assert {request.key for request in emulator.requests} == {"wrong"}

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
            ({"content": b"{}"}, 415),
            ({"data": {"model": MODEL}}, 415),
            ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
            ({"content": b"", "headers": {"Content-Type": "application/json"}}, 400),
            ({"json": []}, 400),
        ],
    )
    def test_bodies_of_another_kind(
        self, emulator: OpenAIEmulator, fields: dict[str, Any], status: int
    ) -> None:
        answer = send(emulator, "POST", JOBS, **fields)
        assert answer.status_code == status
        refusal(answer)

    def test_a_body_where_there_is_none(
        self, emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path
    ) -> None:
        job = start_job(client, rows)
        answer = send(emulator, "POST", f"{JOBS}/{job.id}/cancel", json={"reason": "x"})
        assert answer.status_code == 400
        assert client.fine_tuning.jobs.retrieve(job.id).status == "validating_files"

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/files?colour=red",
            "/v1/files?limit=0",
            "/v1/files?limit=many",
            "/v1/files?order=up",
            "/v1/files?after=file-nobody",
            "/v1/files?purpose=a&purpose=b",
            "/v1/models?limit=1",
            f"{JOBS}?metadata=x",
            f"{JOBS}?limit=1000",
            f"{JOBS}?after=ftjob-nobody",
        ],
    )
    def test_queries(self, emulator: OpenAIEmulator, path: str) -> None:
        answer = send(emulator, "GET", path)
        assert answer.status_code == 400
        refusal(answer)

    def test_forms(self, emulator: OpenAIEmulator) -> None:
        file = ("t.jsonl", b"{}\n")
        forms: list[tuple[dict[str, Any], str]] = [
            ({"data": {"purpose": "fine-tune", "name": "x"}, "files": {"file": file}}, "name"),
            ({"data": {"purpose": "fine-tune"}, "files": {"data": file}}, "data"),
            ({"data": {}, "files": {"file": file}}, "purpose"),
            ({"data": {"purpose": "training"}, "files": {"file": file}}, "purpose"),
            ({"data": {"purpose": "fine-tune"}, "files": {"file": ("t.csv", b"a")}}, "file"),
            ({"data": {"purpose": "fine-tune"}, "files": {"file": ("t.jsonl", b"")}}, "file"),
        ]
        for form, param in forms:
            answer = send(emulator, "POST", "/v1/files", **form)
            assert answer.status_code == 400, form
            assert refusal(answer)["param"] == param
        assert emulator.files() == []

    def test_a_form_that_is_cut_off(self, emulator: OpenAIEmulator) -> None:
        body = b'--cut\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine'
        headers = {"Content-Type": "multipart/form-data; boundary=cut"}
        answer = send(emulator, "POST", "/v1/files", content=body, headers=headers)
        assert answer.status_code == 400
        refusal(answer)

    def test_sizes(self, rows: Path) -> None:
        behaviour = Behaviour(file_limit_bytes=100, part_limit_bytes=10)
        with OpenAIEmulator(behaviour=behaviour) as emulator, make_client(emulator) as client:
            with pytest.raises(openai.APIStatusError) as refused:
                upload(client, rows)
            assert refused.value.status_code == 413
            begun = client.uploads.create(
                bytes=11, filename="t.jsonl", mime_type="text/jsonl", purpose="fine-tune"
            )
            with pytest.raises(openai.APIStatusError) as refused:
                client.uploads.parts.create(begun.id, data=b"x" * 11)
            assert refused.value.status_code == 413


def supervised(**knobs: Any) -> dict[str, Any]:
    return {"type": "supervised", "supervised": {"hyperparameters": knobs}}


def reinforcement(**knobs: Any) -> dict[str, Any]:
    inner = {"grader": GRADER, "hyperparameters": knobs}
    return {"type": "reinforcement", "reinforcement": inner}


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "colour"),
    ({"model": None}, "model"),
    ({"suffix": ""}, "suffix"),
    ({"suffix": "x" * 65}, "suffix"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**31}, "seed"),
    ({"seed": "7"}, "seed"),
    ({"seed": True}, "seed"),
    ({"metadata": {"k" * 65: "v"}}, "metadata"),
    ({"metadata": {"k": "v" * 513}}, "metadata"),
    ({"metadata": {"k": 1}}, "metadata"),
    ({"metadata": {str(number): "v" for number in range(17)}}, "metadata"),
    ({"integrations": [{"type": "tensorboard"}]}, "integrations"),
    ({"integrations": [{"type": "wandb", "wandb": {}}]}, "integrations"),
    ({"method": {"type": "orpo"}}, "method"),
    ({"method": {"type": "supervised", "dpo": {}}}, "method"),
    ({"method": {"type": "reinforcement"}}, "method"),
    ({"method": supervised(n_epochs=0)}, "method"),
    ({"method": supervised(n_epochs=51)}, "method"),
    ({"method": supervised(n_epochs=2.0)}, "method"),
    ({"method": supervised(batch_size=257)}, "method"),
    ({"method": supervised(learning_rate_multiplier=0)}, "method"),
    ({"method": supervised(learning_rate_multiplier="2")}, "method"),
    ({"method": supervised(beta=0.1)}, "method"),
    ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0}}}}, "method"),
    ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2.1}}}}, "method"),
    ({"method": reinforcement(compute_multiplier=0.00001)}, "method"),
    ({"method": reinforcement(compute_multiplier=10.5)}, "method"),
    ({"method": reinforcement(eval_interval=0)}, "method"),
    ({"method": reinforcement(reasoning_effort="none")}, "method"),
    ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters"),
    ({"training_file": "file-nobody"}, "training_file"),
    ({"validation_file": "file-nobody"}, "validation_file"),
    ({"model": "gpt-4o"}, "model"),
    ({"model": "gpt-nobody"}, "model"),
    ({"model": "gpt-3.5-turbo-0125", "method": {"type": "dpo"}}, "method"),
]


class TestJobs:
    @pytest.mark.parametrize(("fields", "param"), WRONG_FIELDS)
    def test_wrong_fields(
        self,
        emulator: OpenAIEmulator,
        client: openai.OpenAI,
        rows: Path,
        fields: dict[str, Any],
        param: str,
    ) -> None:
        body = {"model": MODEL, "training_file": upload(client, rows).id, **fields}
        answer = send(emulator, "POST", JOBS, json=body)
        assert answer.status_code in (400, 404)
        assert str(refusal(answer)["param"]).split(".")[0] == param
        assert emulator.jobs() == []

    def test_bounds_themselves_are_taken(
        self, emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path
    ) -> None:
        file = upload(client, rows).id
        for fields in (
            {"suffix": "x" * 64, "seed": 2**31 - 1, "metadata": {"k" * 64: "v" * 512}},
            {"method": supervised(n_epochs=50, batch_size=256, learning_rate_multiplier=1e-9)},
            {"method": supervised(n_epochs="auto", batch_size=1)},
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2}}}},
        ):
            body = {"model": MODEL, "training_file": file, **fields}
            assert send(emulator, "POST", JOBS, json=body).status_code == 200, fields

    def test_a_file_of_another_purpose(
        self, emulator: OpenAIEmulator, client: openai.OpenAI
    ) -> None:
        file = client.files.create(file=("t.jsonl", b"{}\n"), purpose="user_data")
        body = {"model": MODEL, "training_file": file.id}
        assert refusal(send(emulator, "POST", JOBS, json=body))["code"] == "invalid_file_purpose"

    def test_reinforcement_needs_a_validation_file(
        self, emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path
    ) -> None:
        body = {
            "model": "o4-mini-2025-04-16",
            "training_file": upload(client, rows).id,
            "method": reinforcement(),
        }
        assert refusal(send(emulator, "POST", JOBS, json=body))["param"] == "validation_file"

    def test_a_closed_account(self, rows: Path) -> None:
        with (
            OpenAIEmulator(behaviour=Behaviour(closed=True)) as emulator,
            make_client(emulator) as client,
        ):
            with pytest.raises(openai.PermissionDeniedError) as refused:
                start_job(client, rows)
            assert refused.value.code == "fine_tuning_not_available"


def chat(*roles: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": "x", **more} for role in roles]}


WRONG_ROWS: list[tuple[str, Any, str]] = [
    ("supervised", "{", "not valid JSON"),
    ("supervised", [], "not a JSON object"),
    ("supervised", {"prompt": "a", "completion": "b"}, "unexpected key 'prompt'"),
    ("supervised", {"messages": []}, "missing key 'messages'"),
    ("supervised", chat("user", "user"), "assistant"),
    ("supervised", chat("user", "assistant", "user"), "last message"),
    ("supervised", chat("user", "bot"), "unknown role 'bot'"),
    ("supervised", chat("user", "assistant", colour="red"), "unexpected key 'colour'"),
    ("supervised", chat("user", "assistant", weight=1), "'weight'"),
    ("supervised", {"messages": [{"role": "assistant", "content": None}]}, "content"),
    ("dpo", chat("user", "assistant"), "unexpected key 'messages'"),
    ("dpo", {"input": chat("user"), "preferred_output": []}, "preferred_output"),
    ("reinforcement", chat("user", "assistant"), "must not be from the assistant"),
]


class TestTrainingFiles:
    @pytest.mark.parametrize(("method", "row", "words"), WRONG_ROWS)
    def test_a_wrong_row_fails_the_job_while_it_validates(
        self,
        emulator: OpenAIEmulator,
        client: openai.OpenAI,
        tmp_path: Path,
        method: str,
        row: Any,
        words: str,
    ) -> None:
        good = training_rows(Method(method))
        path = tmp_path / "rows.jsonl"
        path.write_text(good + (row if isinstance(row, str) else json.dumps(row)) + "\n")
        right = tmp_path / "right.jsonl"
        right.write_text(good)
        rft = method == "reinforcement"
        job = client.fine_tuning.jobs.create(
            model="o4-mini-2025-04-16" if rft else MODEL,
            training_file=upload(client, path).id,
            validation_file=upload(client, right).id,
            method=reinforcement() if rft else {"type": method},  # type: ignore[arg-type]  # a plain dict of the right shape
        )
        assert job.status == "validating_files"
        emulator.advance(JOB_SECONDS)
        failed = client.fine_tuning.jobs.retrieve(job.id)
        assert failed.status == "failed"
        assert failed.finished_at == failed.created_at + 10
        assert failed.error is not None
        assert (failed.error.code, failed.error.param) == ("invalid_training_file", "training_file")
        assert "Line(s) 13: " in failed.error.message
        assert words in failed.error.message

    def test_nine_rows_are_too_few_to_train_on_and_enough_to_validate_with(
        self, emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "nine.jsonl"
        path.write_text("\ufeff" + training_rows(Method.SUPERVISED, 9) + "\n\n")
        few = start_job(client, path)
        held_out = start_job(client, rows, validation_file=upload(client, path).id)
        emulator.advance(JOB_SECONDS)
        failed = client.fine_tuning.jobs.retrieve(few.id)
        assert failed.error is not None
        assert failed.error.code == "invalid_n_examples"
        assert "9 example(s)" in failed.error.message
        assert client.fine_tuning.jobs.retrieve(held_out.id).status == "succeeded"

    def test_a_wrong_validation_file_is_named(
        self, emulator: OpenAIEmulator, client: openai.OpenAI, rows: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "wrong.jsonl"
        path.write_text('{"text": "x"}\n')
        job = start_job(client, rows, validation_file=upload(client, path).id)
        emulator.advance(JOB_SECONDS)
        failed = client.fine_tuning.jobs.retrieve(job.id)
        assert failed.error is not None
        assert failed.error.param == "validation_file"


class TestChat:
    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"colour": "red"}, "colour"),
            ({"messages": []}, "messages"),
            ({"messages": [{"role": "bot"}]}, "messages[0]"),
            ({"temperature": 3}, "temperature"),
            ({"max_tokens": 0}, "max_tokens"),
        ],
    )
    def test_wrong_fields(
        self, emulator: OpenAIEmulator, fields: dict[str, Any], param: str
    ) -> None:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], **fields}
        answer = send(emulator, "POST", "/v1/chat/completions", json=body)
        assert answer.status_code == 400
        assert refusal(answer)["param"] == param

    def test_base_models_are_not_deleted(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.PermissionDeniedError):
            client.models.delete(MODEL)
