"""What Azure writes into jobs, events and errors in its own way; what a plan says of it."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ftproviders.adapters._openai_dialect.events import read_event, text_metrics
from ftproviders.adapters._openai_dialect.graders import grader_problems
from ftproviders.adapters._openai_dialect.limits import refuse_what_cannot_be_sent
from ftproviders.adapters._openai_dialect.matching import matched
from ftproviders.adapters._openai_dialect.reading import Owner, snapshot
from ftproviders.adapters.azure_openai import assessing
from ftproviders.adapters.azure_openai.explaining import LIMITS, with_safety
from ftproviders.adapters.azure_openai.files import prepared_with_mark, refuse_parts
from ftproviders.adapters.azure_openai.options import AzureOpenAIOptions
from ftproviders.adapters.azure_openai.reading import plain_job, with_facts
from ftproviders.adapters.azure_openai.safety import (
    SafetyRejected,
    billed,
    read_rejection,
    safety_passed,
)
from ftproviders.adapters.azure_openai.wire import sent_model
from ftproviders.errors import ConfigurationError
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import (
    JobEvent,
    JobSnapshot,
    JobSpec,
    JobStatus,
    NotSeen,
    SubmissionQuery,
)

OWNER = Owner(provider="azure-openai", account="my-resource")
HEX = "0a1b2c3d" * 4


def read(**fields: Any) -> JobSnapshot:
    job = {"id": f"ftjob-{HEX}", "status": "running", "model": "gpt-4.1", **fields}
    return with_safety(with_facts(snapshot(plain_job(job), owner=OWNER), job))


# --- jobs -------------------------------------------------------------------------------------


def test_undecided_settings_are_auto_and_nulls_are_nothing() -> None:
    seen = read(
        hyperparameters={"n_epochs": -1, "batch_size": -1, "learning_rate_multiplier": 1},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": -1}}},
        organization_id=None,
        result_files=None,
        integrations=None,
        metadata=None,
        error={},
        suffix="kettles",
        trainingType="globalStandard",
        estimated_finish=1_900_000_000,
    )
    assert seen.facts["settings"] == {
        "n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": 1,
        "method": "supervised", "suffix": "kettles",
    }  # fmt: skip
    assert (seen.facts["suffix"], seen.facts["training_type"]) == ("kettles", "globalStandard")
    assert "estimated_finish" not in seen.facts
    assert (seen.error, seen.submission_id) == (None, None)


@pytest.mark.parametrize("method", [None, "supervised", {"type": "dpo"}, {"type": 3}, {}])
def test_a_job_may_lack_anything(method: object) -> None:
    seen = read(method=method, hyperparameters=None)
    assert seen.status is JobStatus.RUNNING


def test_a_tuned_model_is_taken_as_it_is_named() -> None:
    name = f"gpt-4.1-mini-2025-04-14.ft-{HEX}-kettles"
    seen = read(status="succeeded", fine_tuned_model=name, finished_at=1_760_000_000)
    assert seen.model is not None
    assert seen.model.name == name


@pytest.mark.parametrize(
    ("asked", "told", "alike"),
    [
        ("qwen-32b", "Qwen3-32B", True),
        ("Ministral-3B", "ministral-3b", True),
        ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", True),
        ("gpt-4.1", "gpt-4o", False),
    ],
)
def test_look_alikes_are_known_by_any_spelling(asked: str, told: str, alike: bool) -> None:
    query = SubmissionQuery(submission_id="ftabc", base_model=asked, file_ids=("file-1",))
    other = read(model=told, training_file="file-1", metadata=None)
    answer = matched(query, [other], file_names=dict, sent_as=sent_model)
    assert isinstance(answer, NotSeen)
    assert bool(answer.similar) is alike


# --- safety and billing -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (
            ("The provided training data failed RAI checks for harm types: [hate_fairness, "
            "self_harm, violence]. Please fix the data and try again."),
            SafetyRejected(stage="data", categories=("hate_fairness", "self_harm", "violence")),
        ),
        (
            ("This model is unable to be deployed. Model evaluation identified that this fine "
            "tuned model scores above acceptable thresholds for "
            "[Violence, Self Harm, Hate/Fairness]."),
            SafetyRejected(stage="model", categories=("violence", "self_harm", "hate_fairness")),
        ),
        ("failed RAI checks for harm types: []", SafetyRejected(stage="data", categories=())),
        ("Line 3 is wrong: [x]", None),
        ("", None),
    ],
)  # fmt: skip
def test_safety_checks_are_read_from_their_words(
    message: str, found: SafetyRejected | None
) -> None:
    assert read_rejection(message) == found
    seen = read(status="failed", error={"message": message or "x", "code": None})
    if found is None:
        assert "safety" not in seen.facts
        return
    assert seen.facts["safety"] == {"rejected": found.stage, "categories": list(found.categories)}
    assert seen.error is not None
    assert seen.error.hint


def told(*messages: str) -> Iterator[JobEvent]:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    for number, message in enumerate(messages):
        yield JobEvent(id=str(number), created_at=at, message=message)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("Training tokens billed: 7223000", {"billed_tokens": 7_223_000}),
        ("Training tokens billed: 7,223,000.", {"billed_tokens": 7_223_000}),
        ("Training hours billed: 0.500", {"billed_hours": 0.5}),
        ("Training tokens billed: soon", {}),
        ("Job succeeded.", {}),
    ],
)
def test_what_was_billed(message: str, found: dict[str, float]) -> None:
    assert billed(told("Job succeeded.", message)) == found


def test_passing_the_check_is_an_event_of_its_own() -> None:
    assert safety_passed(told("Job succeeded.", "Model Evaluation Passed."))
    assert not safety_passed(told("Job succeeded."))


@pytest.mark.parametrize(
    ("text", "step", "loss"),
    [
        ("Step 1: training loss=3.8E-06", 1, 3.8e-06),
        ("Step 10: training loss=0.25", 10, 0.25),
        ("Step 90: training loss=1e-05, validation loss=1.5", 90, 1e-05),
    ],
)
def test_losses_may_have_exponents(text: str, step: int, loss: float) -> None:
    found, _, metrics = text_metrics(text)
    assert (found, metrics["train_loss"]) == (step, loss)


def test_both_names_of_one_accuracy() -> None:
    data = {"step": 3, "validation_mean_token_accuracy": 0.7}
    event = read_event({"id": "e", "created_at": 1, "message": "", "data": data})
    assert event.metrics == {"valid_mean_token_accuracy": 0.7}


# --- before anything is sent ------------------------------------------------------------------


def spec(**fields: Any) -> JobSpec:
    given = {"provider": "azure-openai", "base_model": "gpt-4.1", "training_file": "train.jsonl"}
    return JobSpec.model_validate({**given, **fields})


@pytest.mark.parametrize("suffix", ["kettles", "a-b_C9", "x" * 40])
def test_suffixes_that_are_taken(suffix: str) -> None:
    own = AzureOpenAIOptions()
    refuse_what_cannot_be_sent(spec(suffix=suffix), own, provider="azure-openai", limits=LIMITS)


@pytest.mark.parametrize("suffix", ["", "x" * 41, "two words", "käse", "a/b"])
def test_suffixes_that_are_not(suffix: str) -> None:
    own = AzureOpenAIOptions()
    with pytest.raises(ConfigurationError, match="suffix"):
        refuse_what_cannot_be_sent(spec(suffix=suffix), own, provider="azure-openai", limits=LIMITS)


def test_a_threshold_belongs_to_some_graders_here() -> None:
    grader = {
        "type": "text_similarity", "name": "n", "input": "i", "reference": "r",
        "evaluation_metric": "bleu", "pass_threshold": 0.5,
    }  # fmt: skip
    assert grader_problems(grader, further=LIMITS.grader_fields) == []
    assert grader_problems(grader)
    multi = {
        "type": "multi", "name": "m", "calculate_output": "a", "pass_threshold": 1,
        "graders": {"a": grader},
    }  # fmt: skip
    assert grader_problems(multi, further=LIMITS.grader_fields) == []
    check = {"type": "string_check", "name": "n", "input": "i", "reference": "r",
             "operation": "eq", "pass_threshold": 1}  # fmt: skip
    assert grader_problems(check, further=LIMITS.grader_fields)


def warned(given: JobSpec, *, version: str = "v1", **options: Any) -> str:
    own = AzureOpenAIOptions.model_validate(options)
    return " ".join(assessing.warnings(given, own, api_version=version))


def test_residency_is_told() -> None:
    assert warned(spec()) == ""
    assert "outside of the region" in warned(spec(), training_type="GlobalStandard")
    developer = warned(spec(), training_type="developer")
    assert "may pause the job (a pause is not charged)" in developer
    assert "outside of the region" in warned(spec(base_model="gpt-oss-20b"))


@pytest.mark.parametrize(
    ("fields", "options", "version", "words"),
    [
        ({"suffix": "x" * 19}, {}, "v1", "19 characters"),
        ({}, {}, "2024-10-21", "older than 2025-04-01-preview"),
        ({"base_model": "gpt-9"}, {}, "v1", "not in our table"),
        ({"base_model": "gpt-5"}, {"training_type": "developer"}, "v1", "has no training type"),
        ({"base_model": "gpt-5"}, {}, "v1", "preview"),
    ],
)
def test_what_deserves_a_second_look(
    fields: dict[str, Any], options: dict[str, Any], version: str, words: str
) -> None:
    assert words in warned(spec(**fields), version=version, **options)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"base_model": "gpt-4o-mini", "method": "dpo"}, "not tuned with method dpo"),
        ({"base_model": "o4-mini"}, "not tuned with method supervised"),
        ({"base_model": f"gpt-oss-20b.ft-{HEX}"}, "only OpenAI's models"),
    ],
)
def test_what_is_sure_to_be_refused_is_refused_here(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        assessing.refuse(spec(**fields))
    assessing.refuse(spec(base_model=f"gpt-4.1.ft-{HEX}", method="dpo"))
    assessing.refuse(spec(base_model="gpt-9", method="dpo"))


def test_notes_of_reinforcement() -> None:
    own = AzureOpenAIOptions.model_validate({"extra_method_fields": {"tools": []}})
    notes = " ".join(assessing.notes(spec(method=Method.REINFORCEMENT), own, account="my-resource"))
    assert "goes to my-resource" in notes
    assert "5,000 USD" in notes
    assert "too small" in notes


def test_a_nearly_full_resource_is_told() -> None:
    assert list(assessing.limit_warnings(jobs=79, files=[{"id": "a"}] * 79)) == []
    assert len(list(assessing.limit_warnings(jobs=80, files=[{"bytes": None}] * 100))) == 2
    (full,) = assessing.limit_warnings(jobs=1, files=[{"bytes": 300 * 1024**2}] * 3)
    assert "0.88 GiB and may have 1" in full
    assert list(assessing.limit_warnings(jobs=1, files=[{"bytes": 800 * 1024**2}])) == []


# --- files ------------------------------------------------------------------------------------


def file_of(path: Path) -> PreparedFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return PreparedFile(
        path=path,
        name=f"t.{digest[:16]}.jsonl",
        sha256=digest,
        bytes=len(content),
        purpose="training",
    )


def test_a_byte_order_mark_is_added_once(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"messages": []}\n')
    marked = prepared_with_mark(file_of(path), folder=tmp_path / "new")
    content = marked.path.read_bytes()
    assert content == codecs.BOM_UTF8 + path.read_bytes()
    assert marked.sha256 == hashlib.sha256(content).hexdigest()
    assert (marked.bytes, marked.name) == (len(content), f"t.{marked.sha256[:16]}.jsonl")
    assert prepared_with_mark(marked, folder=tmp_path) is marked


def test_parts_are_refused_at_a_project_only(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"x" * 20)
    project = "https://r.services.ai.azure.com/api/projects/p"
    refuse_parts(file_of(path), endpoint="https://r.openai.azure.com", plain_bytes=10)
    refuse_parts(file_of(path), endpoint=project, plain_bytes=20)
    with pytest.raises(ConfigurationError, match="no uploads in parts"):
        refuse_parts(file_of(path), endpoint=project, plain_bytes=10)
