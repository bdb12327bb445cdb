"""Lines that train the same once more."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml

import ftproviders as ft
from ftproviders.reports import DataFile
from ftproviders.reports.reproduce import again, as_command, as_python, digest_check
from ftproviders.schema.job import JobSpec
from tests.unit.reports.cases import report

NASTY = "a 'quoted' $(name); \"x\".jsonl"


def spec(**parts: Any) -> JobSpec:
    usual = {"provider": "elsewhere", "base_model": "small", "training_file": NASTY}
    return JobSpec(**{**usual, **parts})


def words(command: str) -> list[str]:
    return shlex.split(command.replace("\\\n", " "))


def test_every_setting_with_a_flag_is_in_the_command() -> None:
    asked = spec(
        validation_file="v.jsonl",
        method="dpo",
        hyperparameters={"n_epochs": 2, "batch_size": "auto", "learning_rate": 5e-05,
                         "lora_alpha": 16.0},
        seed=7, suffix="my model", max_cost_usd=2.5, strict=True,
        options={"elsewhere": {"fast": True, "label": "a b"}},
    )  # fmt: skip

    assert words(as_command(asked)) == [
        "ftproviders", "submit", "--provider", "elsewhere", "--model", "small",
        "--training-file", NASTY, "--validation-file", "v.jsonl", "--method", "dpo",
        "--epochs", "2", "--batch-size", "auto", "--learning-rate", "5e-05",
        "--lora-alpha", "16.0", "--seed", "7", "--suffix", "my model",
        "-o", "fast=true", "-o", "label=a b", "--max-cost", "2.5", "--strict", "--again",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "parts",
    [
        {"hyperparameters": {"warmup_ratio": 0.1, "n_epochs": 1}},
        {"options": {"elsewhere": {"layers": ["q", "v"]}}},
        {"hyperparameters": {"max_steps": 9}, "suffix": "x\nJOB\nrm -rf /"},
    ],
)
def test_what_has_no_flag_is_written_into_a_job_file(parts: dict[str, Any]) -> None:
    asked = spec(**parts)
    first, *lines = as_command(asked).split("\n")
    word = first.removeprefix("cat > job.yaml <<'").removesuffix("'")
    end = lines.index(word)

    assert JobSpec.model_validate(yaml.safe_load("\n".join(lines[:end]))) == asked
    assert lines[end + 1 :] == ["ftproviders submit job.yaml --again"]


def test_the_python_lines_make_the_same_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = spec(hyperparameters={"n_epochs": 2, "warmup_ratio": 0.1}, seed=7,
                 options={"elsewhere": {"layers": ["q"], "fast": True}})  # fmt: skip
    given: list[Any] = []

    class Job:
        def wait(self) -> None:
            given.append("waited")

    def submit(wanted: JobSpec, *, again: bool) -> Job:
        given.extend([wanted, again])
        return Job()

    monkeypatch.setattr(ft, "submit", submit, raising=False)
    exec(compile(as_python(asked), "lines", "exec"), {})

    assert given == [asked, True, "waited"]


def test_the_seed_in_force_is_written_out_and_other_providers_are_left_out() -> None:
    asked = spec(
        base_model={"elsewhere": "small", "other": "large"},
        options={"other": {"x": 1}, "elsewhere": {"y": 2}},
        note="mine",
    )

    made = again(report(spec=asked, facts={"settings": {"seed": 42}}))

    assert made is not None
    assert (made.seed, made.base_model, made.note) == (42, "small", None)
    assert dict(made.options) == {"elsewhere": {"y": 2}}
    assert again(report()) is None


def test_digests_are_checked_where_they_are_known() -> None:
    asked = spec(validation_file="v\nrm -rf /")
    files = [DataFile(purpose="training", name="t", sha256="a" * 64),
             DataFile(purpose="validation", name="v", sha256="b" * 64)]  # fmt: skip

    lines = digest_check(report(files=files), asked).split("\n")

    assert lines == ["sha256sum --check <<'FILES'", f"{'a' * 64}  {NASTY}", "FILES"]
    assert digest_check(report(), asked) == ""
