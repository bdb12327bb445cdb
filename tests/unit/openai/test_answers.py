"""Theirs -> ours, however strange the answer is."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftproviders.adapters._openai_dialect.matching import matched
from ftproviders.adapters._openai_dialect.options import MARKER
from ftproviders.adapters._openai_dialect.reading import (
    STATUS,
    Owner,
    checkpoint,
    file_ref,
    is_tuned,
    snapshot,
)
from ftproviders.adapters._openai_dialect.results import result_events
from ftproviders.schema.job import Found, JobStatus, NotSeen, SubmissionQuery

OWNER = Owner(provider="openai", account=None)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def job(**fields: Any) -> dict[str, Any]:
    return {
        "id": "ftjob-1",
        "object": "fine_tuning.job",
        "status": "succeeded",
        "model": "gpt-4.1-mini-2025-04-14",
        "fine_tuned_model": "ft:gpt-4.1-mini-2025-04-14:org:kettle:1",
        "created_at": 1_760_000_000,
        "finished_at": 1_760_000_900,
        "trained_tokens": 5049,
        "training_file": "file-1",
        "validation_file": None,
        "result_files": ["file-9"],
        "error": None,
        "hyperparameters": {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8},
        "seed": 7,
        "metadata": {MARKER: "ftabc", "team": "search"},
        **fields,
    }


def test_a_whole_job_is_read() -> None:
    seen = snapshot(job(), owner=OWNER)
    assert seen.status is JobStatus.SUCCEEDED
    assert seen.model is not None
    assert seen.model.name == "ft:gpt-4.1-mini-2025-04-14:org:kettle:1"
    assert seen.created_at == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
    assert seen.finished_at is not None
    assert (seen.trained_tokens, seen.submission_id) == (5049, "ftabc")
    assert seen.facts["settings"] == {
        "n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8, "seed": 7,
        "suffix": "kettle",
    }  # fmt: skip
    assert seen.facts["files"] == [{"purpose": "training", "name": "file-1"}]
    assert seen.facts["result_files"] == ["file-9"]
    assert seen.facts["options"] == {"metadata": {"team": "search"}}


@pytest.mark.parametrize("word", [*STATUS, "reticulating", "", "SUCCEEDED"])
def test_every_word_has_a_status(word: str) -> None:
    seen = snapshot(job(status=word), owner=OWNER)
    assert seen.status is STATUS.get(word, JobStatus.UNKNOWN)
    assert seen.raw_status == word
    assert seen.resumable == (word == "paused")
    assert seen.changing == (word in ("pausing", "resuming"))
    assert seen.at_rest == (seen.status.terminal or word == "paused")
    assert (seen.model is not None) == (word == "succeeded")
    assert (seen.finished_at is not None) == seen.status.terminal


@pytest.mark.parametrize(
    "error",
    [None, {}, {"code": None, "message": None, "param": None}, {"code": "", "message": ""}, ""],
)
def test_no_error_has_many_forms(error: object) -> None:
    assert snapshot(job(error=error), owner=OWNER).error is None


@pytest.mark.parametrize("error", ["it broke", {"message": "it broke", "code": 17}])
def test_an_error_may_be_less_than_the_description_says(error: object) -> None:
    found = snapshot(job(status="failed", error=error), owner=OWNER).error
    assert found is not None
    assert found.message == "it broke"


def test_method_settings_go_before_the_deprecated_ones() -> None:
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 5}}}
    told = job(method=method, seed=None, fine_tuned_model=None)
    assert snapshot(told, owner=OWNER).facts["settings"] == {
        "n_epochs": 5, "batch_size": 1, "learning_rate_multiplier": 1.8, "method": "supervised"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "suffix"),
    [
        ({"fine_tuned_model": None, "suffix": "echoed"}, "echoed"),
        ({"fine_tuned_model": "ft:gpt-4.1:org::1"}, None),
        ({"fine_tuned_model": "ft:gpt-4.1:org:a-b:1:ckpt-step-7"}, "a-b"),
        ({"fine_tuned_model": f"gpt-4.1.ft-{'0a' * 16}-team-a"}, "team-a"),
        ({"fine_tuned_model": f"gpt-4.1.ft-{'0a' * 16}"}, None),
        ({"fine_tuned_model": "ft:odd"}, None),
        ({"fine_tuned_model": "somebody's-model"}, None),
    ],
)
def test_the_suffix_is_read_wherever_it_stands(
    fields: dict[str, object], suffix: str | None
) -> None:
    settings = snapshot(job(**fields), owner=OWNER).facts["settings"]
    assert isinstance(settings, dict)
    assert settings.get("suffix") == suffix


def test_options_are_told_by_their_own_names_and_without_nulls() -> None:
    grader = {"type": "string_check", "name": "same", "range": None}
    knobs = {"n_epochs": 2, "reasoning_effort": "low", "eval_samples": "auto"}
    method = {
        "type": "reinforcement",
        "reinforcement": {"grader": grader, "hyperparameters": knobs},
    }
    wandb = [{"type": "wandb", "wandb": {"project": "p", "entity": None, "tags": ["a"]}}]
    seen = snapshot(job(method=method, integrations=wandb, metadata=None), owner=OWNER)
    assert seen.facts["options"] == {
        "grader": {"type": "string_check", "name": "same"},
        "reasoning_effort": "low",
        "eval_samples": "auto",
        "wandb": {"project": "p", "tags": ["a"]},
    }


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*job(), "method", "estimated_finish"]), _JSON))
def test_no_field_of_any_kind_breaks_the_reading(changes: dict[str, Any]) -> None:
    seen = snapshot({**job(), **changes, "id": "ftjob-1"}, owner=OWNER)
    assert seen.ref.id == "ftjob-1"
    assert seen.model_copy().model_dump(mode="json")["raw_status"] == seen.raw_status


def test_a_checkpoint_is_a_model_with_numbers() -> None:
    read = checkpoint(
        {
            "id": "ftckpt_1",
            "created_at": 1_760_000_100,
            "fine_tuned_model_checkpoint": "ft:m:org::1:ckpt-step-8",
            "step_number": 8,
            "metrics": {"step": 8, "train_loss": 0.5, "valid_loss": None, "odd": True},
        },
        owner=OWNER,
    )
    assert (read.step, dict(read.metrics)) == (8, {"train_loss": 0.5})
    assert read.model.name == "ft:m:org::1:ckpt-step-8"


@pytest.mark.parametrize(
    ("status", "ready"),
    [("processed", True), (None, True), ("uploaded", False), ("pending", False), ("odd", False)],
)
def test_a_file_is_ready_when_it_is_processed(status: str | None, ready: bool) -> None:
    entry = {"id": "file-1", "filename": "t.jsonl", "status": status, "expires_at": None}
    ref = file_ref(entry, provider="openai", sha256="0" * 64, size_bytes=3, purpose="training")
    assert ref.ready is ready


@pytest.mark.parametrize(
    ("name", "tuned"),
    [("ft:gpt-4o:org::1", True), ("gpt-4.1.ft-0123", True), ("gpt-4o", False), ("draft:x", False)],
)
def test_tuned_models_are_known_by_their_names(name: str, tuned: bool) -> None:
    assert is_tuned(name) is tuned


# --- find ---------------------------------------------------------------------------------------

QUERY = SubmissionQuery(
    submission_id="ftabc", base_model="gpt-4o-mini", file_digests=("0123456789abcdef",)
)
NAMES = {"file-1": "train.0123456789abcdef.jsonl", "file-2": "other.ffffffffffffffff.jsonl"}


def read(**fields: Any) -> Any:
    return snapshot(job(**fields), owner=OWNER)


def test_only_the_mark_makes_a_job_ours() -> None:
    jobs = [read(id="ftjob-2", metadata={MARKER: "ftother"}), read()]
    found = matched(QUERY, jobs, file_names=lambda: NAMES)
    assert isinstance(found, Found)
    assert found.snapshot.ref.id == "ftjob-1"


def test_of_two_with_the_mark_the_older_one_counts() -> None:
    found = matched(QUERY, [read(id="ftjob-2"), read()], file_names=dict)
    assert isinstance(found, Found)
    assert found.snapshot.ref.id == "ftjob-1"


def test_look_alikes_are_reported_by_file_and_model() -> None:
    bare = {"metadata": None, "model": "gpt-4o-mini-2024-07-18"}
    jobs = [
        read(id="same", **bare),
        read(id="other-file", **{**bare, "training_file": "file-2"}),
        read(id="unknown-file", **{**bare, "training_file": "file-3"}),
        read(id="other-model", **{**bare, "model": "gpt-4.1"}),
        read(id="marked", **{**bare, "metadata": {MARKER: "ftother"}}),
    ]
    found = matched(QUERY, jobs, file_names=lambda: NAMES)
    assert isinstance(found, NotSeen)
    assert [job.ref.id for job in found.similar] == ["same"]


def test_files_are_asked_for_only_when_a_job_could_be_alike() -> None:
    def refuse() -> dict[str, str]:
        raise AssertionError("nobody needs the list of files")

    assert matched(QUERY, [read(metadata={MARKER: "x"})], file_names=refuse) == NotSeen()


# --- result files -------------------------------------------------------------------------------

CSV = (
    "step,train_loss,train_accuracy,valid_loss,validation_mean_token_accuracy\n"
    "1,1.5,0.25,,\n"
    "2,1.25,0.5,1.75,0.4\n"
)


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        b"\xef\xbb\xbf" + CSV.encode(),
        CSV.replace("\n", "\r\n").encode(),
        base64.b64encode(CSV.encode()),
        base64.encodebytes(CSV.encode()),
    ],
)
def test_result_files_are_read_plain_and_in_base64(content: bytes) -> None:
    first, second = result_events(content, file_id="file-9", at=AT)
    assert (first.step, dict(first.metrics)) == (
        1, {"train_loss": 1.5, "train_mean_token_accuracy": 0.25}
    )  # fmt: skip
    assert second.metrics["valid_loss"] == 1.75
    assert second.metrics["valid_mean_token_accuracy"] == 0.4
    assert (first.id, first.created_at) == ("file-9:1", AT)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_result_file_breaks_the_reading(content: bytes) -> None:
    steps = [event.step for event in result_events(content, file_id="f", at=AT)]
    assert steps == sorted(steps, key=lambda step: step or 0)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"<html>,</html>", b'{"a": 1}', b"a,b\n1,2\n", b"step,x\nnan,1\n"]
)
def test_what_is_no_result_file_has_no_numbers(content: bytes) -> None:
    assert result_events(content, file_id="f", at=AT) == []
