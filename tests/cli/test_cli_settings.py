"""Hyperparameters and options on the command line, what a plan shows of them, and typos."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from ftproviders.cli.watching import Progress
from ftproviders.client import FineTuneJob
from ftproviders.runtime import doctor
from ftproviders.schema.job import JobRef, JobSnapshot, JobStatus
from tests.cli.program import Run

FLAGS = ("--provider", "memory", "--model", "memory-small", "--training-file", "train.jsonl")
LOCAL = ("--provider", "local", "--model", "smollm2-135m", "--training-file", "train.jsonl")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan for local as if its packages were here; nothing of them is imported."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())


@pytest.mark.usefixtures("installed")
def test_a_method_that_the_provider_has_not_is_said_before_the_rows(run: Run, folder: Path) -> None:
    told = run("plan", *LOCAL, "--method", "rft")
    assert told.code == 2
    assert told.err.startswith("error: Provider local does not tune with method reinforcement.")
    assert "It has: dpo, supervised." in told.err


def pairs(folder: Path, count: int = 8) -> Path:
    rows = [
        {
            "input": {"messages": [{"role": "user", "content": f"Question {n}?"}]},
            "preferred_output": [{"role": "assistant", "content": "Yes."}],
            "non_preferred_output": [{"role": "assistant", "content": "No."}],
        }
        for n in range(count)
    ]
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_a_hyperparameter_is_taken_with_o_as_with_its_flag(run: Run) -> None:
    flag = run("plan", *FLAGS, "--epochs", "2", "--json").json
    option = run("plan", *FLAGS, "-o", "n-epochs=2", "--json").json
    assert option["submission_id"] == flag["submission_id"]
    assert option["resolved"]["n_epochs"] == 2
    assert option["options"] == {}
    both = run("plan", *FLAGS, "--epochs", "2", "-o", "n_epochs=2", "-o", "priority=high", "--json")
    assert both.json["options"] == {"priority": "high"}


def test_o_wins_over_the_job_file(run: Run) -> None:
    assert run("plan", "job.yaml", "-o", "n_epochs=4", "--json").json["resolved"]["n_epochs"] == 4


@pytest.mark.parametrize(
    "given", [("--epochs", "3", "-o", "n_epochs=2"), ("-o", "n_epochs=3", "-o", "n_epochs=2")]
)
def test_two_values_for_one_hyperparameter_are_refused(run: Run, given: tuple[str, ...]) -> None:
    result = run("plan", *FLAGS, *given)
    assert result.code == 2
    assert "n_epochs is stated twice: 3 and 2." in result.err


def test_a_bad_value_of_a_hyperparameter_names_how_it_was_written(run: Run) -> None:
    result = run("plan", *FLAGS, "-o", "max_length_tokens=x")
    assert result.code == 2
    assert "-o max_length_tokens: " in result.err


@pytest.mark.usefixtures("installed")
def test_every_hyperparameter_of_local_has_a_spelling(run: Run) -> None:
    made = run("plan", *LOCAL, "-o", "max_length_tokens=64", "-o", "warmup_ratio=0.1", "--json")
    assert made.json["resolved"]["max_length_tokens"] == 64
    assert made.json["resolved"]["warmup_ratio"] == 0.1


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("pair", "wanted", "unwanted"),
    [
        ("tuning=qlra", "Did you mean 'qlora'?", "Did you mean 'tuning'"),
        ("max_lenth_tokens=64", "Did you mean 'max_length_tokens'?", "bnb_4bit"),
        ("num_train_epoch=2", "Did you mean 'num_train_epochs'?", "bnb_4bit"),
        ("xyzzy=2", "`ftproviders providers local` shows all", "Did you mean"),
    ],
)
def test_typos_get_a_guess_and_no_long_list(
    run: Run, pair: str, wanted: str, unwanted: str
) -> None:
    result = run("plan", *LOCAL, "-o", pair)
    assert result.code == 2
    assert wanted in result.err
    assert unwanted not in result.err
    assert len(result.err) < 400


@pytest.mark.usefixtures("installed")
def test_a_plan_shows_what_says_something(run: Run) -> None:
    shown = run("plan", *LOCAL).out
    assert "bnb_4bit" not in shown
    assert "trackers" not in shown
    assert "packing = false" in shown
    assert "dtype = auto" not in shown
    four_bit = run("plan", *LOCAL, "-o", "tuning=qlora").out
    assert "bnb_4bit_quant_type = nf4" in four_bit


@pytest.mark.usefixtures("installed")
def test_a_plan_says_about_only_where_it_does_not_know(run: Run) -> None:
    assert "trains on   about " in run("plan", *FLAGS).out
    assert "trains on   at most " in run("plan", *LOCAL, "-o", "max_steps=1").out


@pytest.mark.usefixtures("installed")
def test_the_next_step_after_a_bad_file_names_the_method(run: Run, folder: Path) -> None:
    result = run("plan", *LOCAL, "--method", "dpo")
    assert "ftproviders validate train.jsonl --provider local --method dpo" in result.err
    assert "more: ftproviders validate" not in result.err
    plain = run("plan", *LOCAL[:-1], str(pairs(folder)))
    assert "--method dpo" in plain.err
    assert "Turn it into messages" not in plain.err


def test_pairs_are_never_said_to_have_no_tokens(run: Run, folder: Path) -> None:
    file = str(pairs(folder))
    made = run("plan", *FLAGS[:-1], file, "--method", "dpo").out
    assert " 0 tokens" not in made


def test_models_of_local_name_every_method(run: Run) -> None:
    (first, *_) = run("models", "--provider", "local", "--json").json["models"]
    assert first["methods"] == ["supervised", "dpo"]


def test_no_checkpoints_after_the_end_are_not_yet_to_come(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FineTuneJob, "checkpoints", lambda _: ())
    assert "kept no checkpoints" in run("checkpoints", finished).err


@pytest.mark.parametrize(("status", "told"), [("running", True), ("paused", False)])
def test_only_a_running_job_has_time_left(status: str, told: bool) -> None:
    class Shown:
        live_possible = True
        text = ""

        def live(self, text: str) -> None:
            self.text = text

    shown = Shown()
    progress = Progress(shown)  # type: ignore[arg-type] # what is used of an Output
    for step, state in ((1, "running"), (5, status)):
        seen = JobSnapshot(
            ref=JobRef(provider="memory", id="a"),
            status=JobStatus(state),
            raw_status=state,
            step=step,
            total_steps=10,
        )
        progress.update(seen, [])
    assert (" left" in shown.text) is told


def test_doctor_names_the_optional_parts_that_are_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"bitsandbytes", "plotext"}
    monkeypatch.setattr(doctor, "find_spec", lambda name: name if name in here else None)
    checks = {check["name"]: check for check in run("doctor", "--json").json["checks"]}
    found = checks["optional for local"]
    assert found["ok"]
    assert found["detail"].startswith("installed: quantized, plot; not: serving")
    assert "'ftproviders[serving,distributed,trackers]'" in found["hint"]


def test_doctor_says_which_engine_looks_at_data(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> dict[str, object]:
        checks = run("doctor", "--json").json["checks"]
        return next(check for check in checks if check["name"] == "data engine")

    monkeypatch.setitem(sys.modules, "ftproviders.data._native", None)
    assert found()["ok"]
    assert "C compiler" in str(found()["hint"])
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "native")
    assert not found()["ok"]
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "python")
    assert found()["detail"] == "python, as FTPROVIDERS_DATA_ENGINE says"
