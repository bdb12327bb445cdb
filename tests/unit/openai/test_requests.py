"""Ours -> theirs: the bodies that are sent, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ftproviders.adapters._openai_dialect.graders import grader_problems
from ftproviders.adapters._openai_dialect.limits import refuse_what_cannot_be_sent
from ftproviders.adapters._openai_dialect.options import MARKER
from ftproviders.adapters._openai_dialect.request import chat_body, create_body
from ftproviders.adapters.openai import PROVIDER
from ftproviders.adapters.openai.options import OpenAIOptions
from ftproviders.errors import ConfigurationError
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.job import FileRef, JobSpec

MODEL = "gpt-4.1-mini-2025-04-14"
CHECK = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}


def file(purpose: str) -> FileRef:
    return FileRef(
        provider="openai",
        id=f"file-{purpose}",
        name="t.0123456789abcdef.jsonl",
        sha256="0" * 64,
        bytes=1,
        purpose=purpose,
    )


def spec(**fields: Any) -> JobSpec:
    given = {"provider": "openai", "base_model": MODEL, "training_file": "t.jsonl", **fields}
    return JobSpec.model_validate(given)


def body(asked: JobSpec, *files: FileRef, **options: Any) -> dict[str, Any]:
    return create_body(
        PROVIDER,
        asked,
        options=OpenAIOptions.model_validate(options),
        files=files or (file("training"),),
        submission_id="ftabc",
    )


def test_a_bare_job_sends_what_it_needs_and_its_mark() -> None:
    assert body(spec()) == {
        "model": MODEL,
        "training_file": "file-training",
        "method": {"type": "supervised"},
        "metadata": {MARKER: "ftabc"},
    }


def test_everything_that_is_stated_goes_to_its_place() -> None:
    knobs = {"n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": 0.5, "beta": 0.1}
    sent = body(
        spec(method="dpo", hyperparameters=knobs, suffix="kettle", seed=7),
        file("training"),
        file("validation"),
        metadata={"team": "search"},
        wandb="kettles",
    )
    assert sent["method"] == {"type": "dpo", "dpo": {"hyperparameters": knobs}}
    assert (sent["suffix"], sent["seed"]) == ("kettle", 7)
    assert sent["validation_file"] == "file-validation"
    assert sent["metadata"] == {"team": "search", MARKER: "ftabc"}
    assert sent["integrations"] == [{"type": "wandb", "wandb": {"project": "kettles"}}]


def test_reinforcement_carries_its_grader_and_its_own_settings() -> None:
    sent = body(
        spec(method="rft", hyperparameters={"n_epochs": 1}),
        grader=CHECK,
        reasoning_effort="high",
        compute_multiplier=1.5,
        eval_interval=2,
        eval_samples="auto",
    )
    assert sent["method"] == {
        "type": "reinforcement",
        "reinforcement": {
            "grader": CHECK,
            "hyperparameters": {
                "n_epochs": 1,
                "reasoning_effort": "high",
                "compute_multiplier": 1.5,
                "eval_interval": 2,
                "eval_samples": "auto",
            },
        },
    }


def test_a_setting_that_the_method_lacks_is_not_sent() -> None:
    sent = body(spec(hyperparameters={"n_epochs": 3, "beta": 0.2, "lora_r": 4}))
    assert sent["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 3}},
    }


def test_wandb_has_all_its_fields() -> None:
    wandb = {"project": "p", "name": "n", "entity": "e", "tags": ["a", "b"]}
    assert body(spec(), wandb=wandb)["integrations"] == [{"type": "wandb", "wandb": wandb}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("compute_multiplier", 0.00001),
        ("compute_multiplier", 10.1),
        ("eval_interval", 0),
        ("eval_samples", -1),
        ("reasoning_effort", "extreme"),
        ("wandb", {"name": "without a project"}),
    ],
)
def test_options_keep_the_bounds_of_the_description(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        OpenAIOptions.model_validate({field: value})


@pytest.mark.parametrize(
    ("fields", "options", "words"),
    [
        ({"suffix": ""}, {}, "suffix has 0"),
        ({"suffix": "x" * 65}, {}, "1 to 64"),
        ({}, {"metadata": {f"k{i}": "v" for i in range(16)}}, "15 beside the mark"),
        ({}, {"metadata": {"k" * 65: "v"}}, "1 to 64"),
        ({}, {"metadata": {"k": "v" * 513}}, "512"),
        ({}, {"metadata": {MARKER: "mine"}}, "mark of the submission"),
        ({}, {"grader": CHECK}, "belong to method reinforcement"),
        ({"method": "dpo"}, {"eval_samples": 2}, "eval_samples belong"),
        ({"method": "rft"}, {}, "needs option grader"),
        ({"method": "rft"}, {"grader": {"type": "vibes"}}, "grader.type must be one of"),
    ],
)
def test_what_would_be_refused_is_named_before_the_upload(
    fields: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        refuse_what_cannot_be_sent(
            spec(**fields), OpenAIOptions.model_validate(options), provider="openai"
        )
    assert "providers openai" in caught.value.hint


def test_limits_let_pass_what_is_just_allowed() -> None:
    options = {"metadata": {f"{i:064}": "v" * 512 for i in range(15)}}
    refuse_what_cannot_be_sent(
        spec(suffix="x" * 64), OpenAIOptions.model_validate(options), provider="openai"
    )


ASKED = {"role": "user", "content": "How good is {{sample.output_text}}?"}
SCORE = {"type": "score_model", "name": "s", "model": "o4", "input": [ASKED]}
LABEL = {
    "type": "label_model",
    "name": "l",
    "model": "o4",
    "input": [ASKED],
    "labels": ["good", "bad"],
    "passing_labels": ["good"],
}


def multi(**graders: Any) -> dict[str, Any]:
    return {"type": "multi", "name": "m", "graders": graders, "calculate_output": "a + b"}


@pytest.mark.parametrize(
    "grader",
    [
        CHECK,
        {"type": "text_similarity", "name": "t", "input": "a", "reference": "b",
         "evaluation_metric": "rouge_l"},
        {"type": "python", "name": "p", "source": "def grade(): ...", "image_tag": "2025-05-08"},
        SCORE | {"range": [0, 1], "sampling_params": {"seed": 1, "top_p": None}},
        SCORE | {"sampling_params": {"reasoning_effort": "low", "max_completions_tokens": 9}},
        multi(a=CHECK, b=LABEL),
        {**multi(), "graders": CHECK},
    ],
)  # fmt: skip
def test_graders_of_the_description_are_taken(grader: dict[str, Any]) -> None:
    assert grader_problems(grader) == []


@pytest.mark.parametrize(
    ("grader", "words"),
    [
        ({**CHECK, "operation": "is"}, "grader.operation must be one of eq, ne, like, ilike"),
        ({k: v for k, v in CHECK.items() if k != "reference"}, "grader lacks reference"),
        ({**CHECK, "threshold": 0.5}, "grader has no field threshold"),
        ({**CHECK, "input": 3}, "grader.input must be a text"),
        ({**SCORE, "input": []}, "must be a list with something in it"),
        (LABEL, "grader.type must be one of"),
        (multi(a={**CHECK, "operation": "x"}), "grader.graders.a.operation"),
        (multi(a=multi(b=CHECK)), "grader.graders.a.type must be one of"),
        (multi(), "grader.graders must be an object"),
        ({"type": "multi", "name": "m"}, "lacks graders, calculate_output"),
        (multi(a={**LABEL, "passing_labels": ["fine"]}), "fine, which is no label"),
        (multi(a="no grader"), "grader.graders.a must be an object"),
        ({**multi(a=CHECK), "calculate_output": 5}, "grader.calculate_output must be a text"),
        (SCORE | {"input": [1]}, "grader.input[0] must be a message"),
        (SCORE | {"input": [ASKED, {"role": "user"}]}, "grader.input[1] must be a message"),
        (SCORE | {"input": [{**ASKED, "role": "robot"}]}, "grader.input[0].role must be one of"),
        (SCORE | {"range": [0]}, "grader.range must be two numbers"),
        (SCORE | {"range": [0, "1"]}, "grader.range must be two numbers"),
        (SCORE | {"range": [1, 0]}, "the smaller first"),
        (SCORE | {"sampling_params": 3}, "grader.sampling_params must be an object"),
        (SCORE | {"sampling_params": {"max_tokens": 3}}, "sampling_params has no field max_tokens"),
        (SCORE | {"sampling_params": {"temperature": "hot"}}, "temperature must be a number"),
        (SCORE | {"sampling_params": {"seed": 1.5}}, "seed must be a whole number"),
        (SCORE | {"sampling_params": {"reasoning_effort": "x"}}, "reasoning_effort must be one of"),
        (
            {"type": "python", "name": "p", "source": "x", "image_tag": 3},
            "image_tag must be a text",
        ),
        (multi(a=LABEL | {"labels": [1], "passing_labels": []}), "labels must be a list of texts"),
    ],
)
def test_what_is_wrong_with_a_grader_is_named(grader: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in grader_problems(grader)), grader_problems(grader)


ASK = [ChatMessage(role=Role.USER, content="hello")]


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("ft:gpt-4.1-mini-2025-04-14:org::id", "max_tokens"),
        ("llama-3", "max_tokens"),
        ("ft:o4-mini-2025-04-16:org::id:ckpt-step-3", "max_completion_tokens"),
    ],
)
def test_the_limit_of_an_answer_has_the_name_that_the_family_takes(model: str, word: str) -> None:
    sent = chat_body(model, ASK, temperature=0.0, max_tokens=5)
    assert sent == {
        "model": model,
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.0,
        word: 5,
    }


def test_a_chat_states_only_what_was_stated() -> None:
    assert set(chat_body("m", ASK, temperature=None, max_tokens=None)) == {"model", "messages"}
