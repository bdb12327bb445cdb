"""Each verb, as a person sees it and as a script reads it."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ftproviders import registry
from ftproviders.cli import checkpointing
from ftproviders.client import FineTuneJob
from ftproviders.schema.job import JobEvent, JobRef, JobSnapshot, JobStatus
from tests.cli.program import Run, lines_of, row


def test_plan_shows_what_would_be_sent_and_sends_nothing(run: Run) -> None:
    result = run("plan", "job.yaml", "--lora-r", "8", "--batch-size", "4", "-o", "priority=high")
    assert result.code == 0
    assert "memory-small" in result.out
    assert "setting     n_epochs = 2" in result.out
    assert "option      priority = high" in result.out
    assert "sent as     batch_size -> rows_per_step" in result.out
    assert "ignored     lora_r = 8: memory has no lora_r" in result.out
    assert "cost        nothing (free)" in result.out
    assert run("jobs", "--json").json["jobs"] == []


def test_unknown_cost_is_said_with_its_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "1")
    result = run("plan", "job.yaml")
    assert "cost        unknown (" in result.out
    assert "$0" not in result.out
    assert run("plan", "job.yaml", "--json").json["cost"]["usd"] is None


def test_submit_prints_the_ref_alone_and_the_next_command_on_stderr(run: Run) -> None:
    result = run("submit", "job.yaml")
    assert result.code == 0
    assert result.out == "memory:job-0001\n"
    assert "Next: ftproviders watch memory:job-0001" in result.err


def test_the_same_submission_returns_the_same_job(run: Run, submitted: str) -> None:
    again = run("submit", "job.yaml")
    assert again.out.strip() == submitted
    assert "--again" in again.err
    assert run("submit", "job.yaml", "--json").json["reused"] is True
    anew = run("submit", "job.yaml", "--again", "--json").json
    assert anew["ref"] != submitted
    assert (anew["attempt"], anew["reused"]) == (2, False)


def test_again_does_not_train_twice_when_the_ref_was_never_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("ftproviders.cli.output.Output.line", _reader_is_gone)
        run("submit", "job.yaml")
    assert run("submit", "job.yaml", "--again").out == "memory:job-0001\n"


def _reader_is_gone(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_the_next_command_is_one_that_makes_sense(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("submit", "job.yaml").err.splitlines()[-1] == (
        f'Next: ftproviders chat {finished} "..."'
    )
    lone = replace(registry.info("memory"), hosting=None)
    monkeypatch.setattr("ftproviders.client.FineTuneClient.provider", lambda _self, _name: lone)
    assert f"Next: ftproviders model {finished}\n" in run("submit", "job.yaml").err


def test_quiet_and_json_leave_stderr_empty(run: Run) -> None:
    result = run("submit", "job.yaml", "--wait", "--json", "--quiet")
    assert (result.json["status"], result.err) == ("succeeded", "")


def test_submit_wait_stays_and_ends_with_the_model(run: Run) -> None:
    result = run("submit", "job.yaml", "--wait")
    assert result.code == 0
    first, last = result.out.splitlines()
    assert first == "memory:job-0001"
    assert last == "succeeded: ft:memory-small:default::job-0001"
    assert "train_loss" in result.err
    quiet = run("submit", "job.yaml", "--again", "--wait", "--quiet")
    assert quiet.err == ""


def test_json_stdout_is_one_object_also_with_wait(run: Run) -> None:
    job = run("submit", "job.yaml", "--wait", "--json").json
    assert job["schema"] == "ftproviders.job/1"
    assert job["status"] == "succeeded"
    assert job["model"] == "ft:memory-small:default::job-0001"
    assert job["provider"] == "memory"
    assert job["id"] == "job-0001"


def test_jobs_lists_the_journal_newest_first(run: Run, submitted: str) -> None:
    second = run("submit", "job.yaml", "--suffix", "other").out.strip()
    assert [job["ref"] for job in run("jobs", "--json").json["jobs"]] == [second, submitted]
    header, *rows = run("jobs").out.splitlines()
    assert header.split()[:2] == ["ref", "status"]
    assert [line.split()[0] for line in rows] == [second, submitted]


def test_jobs_looks_anew_where_it_costs_nothing(
    run: Run, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = run("jobs", "--json").json["jobs"]
    (then,) = run("jobs", "--json").json["jobs"]
    assert (first["status"], then["status"]) == ("queued", "running")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "1")
    (kept,) = run("jobs", "--json").json["jobs"]
    assert kept["status"] == "running"


def test_jobs_says_plainly_when_nothing_was_created(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", '[{"operation": "create", "kind": "quota"}]')
    assert run("submit", "job.yaml").code == 3
    assert "refused: nothing was created" in run("jobs").out


def test_names_are_not_broken_on_a_narrow_terminal(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    shown = run("jobs").out
    assert finished in shown
    assert "ft:memory-small:default::job-0001" in shown


def test_jobs_remote_asks_the_provider_and_needs_no_journal(
    run: Run, submitted: str, own_environment: Path
) -> None:
    for file in (own_environment / "data").glob("journal.db*"):
        file.unlink()
    assert run("jobs", "--json").json["jobs"] == []
    remote = run("jobs", "--remote", "--json").json["jobs"]
    assert [job["ref"] for job in remote] == [submitted]
    assert run("status", submitted).code == 0
    adopted = run("adopt", submitted, "--json").json
    assert adopted["ref"] == submitted
    assert [job["ref"] for job in run("jobs", "--json").json["jobs"]] == [submitted]


def test_status_shows_the_job_now(run: Run, submitted: str) -> None:
    lines = dict(line.split(None, 1) for line in run("status", submitted).out.splitlines())
    assert lines["ref"] == submitted
    assert lines["status"] == "queued"
    assert run("status", submitted.removeprefix("memory:"), "--json").json["ref"] == submitted


def test_watch_ends_with_the_job(run: Run, submitted: str) -> None:
    result = run("watch", submitted)
    assert result.code == 0
    assert "succeeded" in result.out
    assert "Job is running." in result.err
    assert run("watch", submitted, "--json").json["status"] == "succeeded"


def test_events_and_follow(run: Run, submitted: str) -> None:
    follow = run("events", submitted, "--follow", "--json")
    objects = lines_of(follow.out)
    assert {one["schema"] for one in objects} == {"ftproviders.events/1"}
    followed = [one["events"][0] for one in objects]
    assert followed[-1]["message"] == "Job is succeeded."
    assert run("events", submitted, "--json").json["events"] == followed
    text = run("events", submitted).out.splitlines()
    assert len(text) == len(followed)
    assert text[-1].endswith("Job is succeeded.")
    assert run("events", submitted, "--follow").out.splitlines() == text


def test_metrics_as_table_csv_and_json(run: Run, finished: str) -> None:
    points = run("metrics", finished, "--json").json["metrics"]
    assert points[0]["values"]["train_loss"] > points[-1]["values"]["train_loss"]
    table = run("metrics", finished).out.splitlines()
    assert table[0].split() == ["step", "train_loss"]
    assert len(table) == len(points) + 1
    rows = list(csv.DictReader(io.StringIO(run("metrics", finished, "--csv").out)))
    assert [float(row["train_loss"]) for row in rows] == [
        point["values"]["train_loss"] for point in points
    ]
    assert [int(row["step"]) for row in rows] == [point["step"] for point in points]


def test_metrics_have_one_row_a_step(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def events(job: FineTuneJob, **_: object) -> list[JobEvent]:
        told = [{"train_loss": 2.0, "epoch": 1.0}, {"epoch": 1.0, "validation_loss": 3.0}]
        moment = datetime(2026, 5, 4, tzinfo=UTC)
        return [
            JobEvent(id=str(i), created_at=moment, message="", kind="metrics", step=9, metrics=one)
            for i, one in enumerate(told)
        ]

    monkeypatch.setattr(FineTuneJob, "events", events)
    table = run("metrics", finished).out.splitlines()
    assert [line.split() for line in table] == [
        ["step", "train_loss", "epoch", "validation_loss"],
        ["9", "2", "1", "3"],
    ]
    assert len(run("metrics", finished, "--csv").out.splitlines()) == 2
    (point,) = run("metrics", finished, "--json").json["metrics"]
    assert point["values"] == {"train_loss": 2.0, "epoch": 1.0, "validation_loss": 3.0}


def test_times_for_people_have_one_form_with_their_zone(run: Run, submitted: str) -> None:
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.search(rf"(?m)^created +{form}$", run("status", submitted).out)
    watched = run("watch", submitted)
    assert re.search(rf"(?m)^{form}  Job is running\.$", watched.err)
    assert re.search(rf"(?m)^finished +{form}$", watched.out)
    assert all(re.match(form, line) for line in run("events", submitted).out.splitlines())
    assert re.search(rf"{form}$", run("jobs").out.splitlines()[1])
    assert "T" in run("status", submitted, "--json").json["created_at"]


@pytest.mark.parametrize(
    ("step", "status", "told"),
    [
        (3, "running", "when its checkpoint is written"),
        (0, "running", "there is no checkpoint"),
        (None, "validating", "there is no checkpoint"),
        (None, "running", "as soon as it can"),
    ],
)
def test_pause_promises_no_checkpoint_before_the_first_step(
    step: int | None, status: str, told: str
) -> None:
    ref = JobRef(provider="memory", id="job-1")
    seen = JobSnapshot(ref=ref, status=JobStatus(status), raw_status=status, step=step)
    assert told in checkpointing._when_it_stops(seen)


def test_plan_marks_defaults_and_says_nothing_twice(run: Run, tmp_path: Path) -> None:
    flags = ("--provider", "local", "--model", "some/model", "--training-file", "train.jsonl")
    lines = run("plan", *flags, "--epochs", "2", "-o", "packing=true").out.splitlines()
    assert "setting     n_epochs = 2" in lines
    assert "setting     packing = true" in lines
    assert "setting     batch_size = 8 (default)" in lines
    assert not [line for line in lines if line.startswith("option")]


def test_model_prints_its_name_alone(run: Run, finished: str) -> None:
    assert run("model", finished).out == "ft:memory-small:default::job-0001\n"


def test_chat_prints_the_reply_alone(run: Run, finished: str) -> None:
    assert run("chat", finished, "Question number 7?").out == "Answer number 7.\n"
    flags = ("--system", "Be brief.", "--temperature", "0", "--max-tokens", "2", "--json")
    reply = run("chat", finished, "Question number 7?", *flags).json
    assert reply["text"] == "Answer number"
    assert reply["finish_reason"] == "length"


def test_cancel_stops_a_job_and_leaves_an_ended_one(run: Run, submitted: str) -> None:
    assert run("cancel", submitted, "--json").json["status"] in ("cancelling", "cancelled")
    assert run("watch", submitted).code == 1
    other = run("submit", "job.yaml", "--suffix", "b", "--wait").out.splitlines()[0]
    result = run("cancel", other)
    assert result.code == 0
    assert "nothing to cancel" in result.err
    assert "succeeded" in result.out


def test_reconcile_with_nothing_open(run: Run, submitted: str) -> None:
    assert run("reconcile").out == "Every submission is resolved.\n"
    assert run("reconcile", "--json").json["unresolved"] == []


def test_reconcile_takes_one_submission(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTPROVIDERS_SETTLE_SECONDS", "0")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_LAG_SECONDS", "3600")
    script = '[{"operation": "create", "kind": "reset", "when": "after", "times": 2}]'
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", script)
    for suffix in ("one", "two"):
        assert run("submit", "job.yaml", "--suffix", suffix).code == 4
    second, first = (row["submission_id"] for row in run("jobs", "--json").json["jobs"])
    looked = run("reconcile", first, "--json")
    assert looked.code == 4
    assert [one["job"]["submission_id"] for one in looked.json["unresolved"]] == [first]
    assert run("reconcile", first, "--assume-absent").code == 0
    assert run("reconcile", first).out == f"Submission {first} is resolved.\n"
    left = run("reconcile", "--json")
    assert [one["job"]["submission_id"] for one in left.json["unresolved"]] == [second]
    wrong = run("reconcile", "ft-nowhere")
    assert wrong.code == 2
    assert "no submission 'ft-nowhere'" in wrong.err


def test_validate_shows_issues_statistics_and_verdicts(run: Run, folder: Path) -> None:
    good = run("validate", "train.jsonl", "--provider", "memory")
    assert good.code == 0
    assert "12 (" in good.out
    assert "memory    accepts  0       0" in good.out
    bad = [row("a", "b"), '{"messages": [{"role": "usr", "content": "x"}]}', '{"messages":']
    (folder / "bad.jsonl").write_text("\n".join(bad), encoding="utf-8")
    result = run("validate", "bad.jsonl", "--provider", "memory")
    assert result.code == 1
    assert "bad.jsonl:2:24: error message.role (messages[0].role):" in result.out
    assert "memory    refuses" in result.out
    capped = run("validate", "bad.jsonl", "--provider", "memory", "--max-issues", "1", "--json")
    assert len(capped.json["issues"]) == 1
    assert capped.json["issues_truncated"] >= 1
    assert capped.json["verdicts"]["memory"]["errors"] >= 2


def test_validate_takes_a_validation_file_under_both_names(run: Run, folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"messages": []}\n', encoding="utf-8")
    for flag in ("--validation-file", "--validation"):
        result = run("validate", "train.jsonl", flag, "bad.jsonl", "--provider", "memory", "--json")
        assert result.code == 1
        assert result.json["verdicts"]["memory"]["ok"] is True
        assert result.json["validation_file"]["verdicts"]["memory"]["ok"] is False
    both = run("validate", "train.jsonl", "--validation", "train.jsonl", "--provider", "memory")
    assert both.code == 0


def test_validate_without_provider_asks_all_and_passes_when_one_accepts(run: Run) -> None:
    alone = run("validate", "train.jsonl", "--json")
    assert alone.code == 0
    assert {"memory", "local"} <= set(alone.json["verdicts"])
    everyone = run("validate", "train.jsonl", "--provider", "memory", "--all", "--json")
    assert everyone.json["verdicts"] == alone.json["verdicts"]
    named = run("validate", "train.jsonl", "--provider", "memory", "--json")
    assert set(named.json["verdicts"]) == {"memory"}
    twice = run("validate", "train.jsonl", "--provider", "memory", "--provider", "local", "--json")
    assert set(twice.json["verdicts"]) == {"memory", "local"}


def test_providers_lists_all_and_tells_about_one(run: Run) -> None:
    assert {"local", "memory"} <= {line.split()[0] for line in run("providers").out.splitlines()}
    one = run("providers", "memory").out
    assert "Queue priority; the server keeps it and shows it." in one
    assert "FTPROVIDERS_MEMORY_LAG_SECONDS" in one
    (described,) = run("providers", "memory", "--json").json["providers"]
    options = {option["name"]: option for option in described["options"]}
    assert options["priority"]["type"] == "'normal' | 'high' | None"
    assert {"cancel", "events"} <= set(described["features"])
    knobs = {knob["name"]: knob for knob in described["hyperparameters"]}
    assert knobs["n_epochs"]["methods"] == ["dpo", "supervised"]
    local = run("providers", "local")
    assert "0 < x <= 1 or auto" in local.out
    (described_local,) = run("providers", "local", "--json").json["providers"]
    assert {
        method for knob in described_local["hyperparameters"] for method in knob["methods"]
    } == {"supervised", "dpo"}
    settings = {setting["name"]: setting for setting in described["settings"]}
    assert settings["api_key"]["env"] == ["FTPROVIDERS_MEMORY_API_KEY"]


def test_models(run: Run) -> None:
    rows = run("models", "--provider", "memory").out.splitlines()
    assert rows[1].split()[:2] == ["memory", "memory-small"]
    models = run("models", "--json").json["models"]
    assert "memory-large" in {model["name"] for model in models}


def test_doctor(run: Run) -> None:
    assert run("doctor").code == 0
    report = run("doctor", "--json").json
    assert report["ok"] is True
    assert "provider memory" in {check["name"] for check in report["checks"]}


def test_a_profile_names_the_provider(run: Run, own_environment: Path) -> None:
    config = '[profiles.mine]\nprovider = "memory"\n'
    (own_environment / "config.toml").write_text(config, encoding="utf-8")
    flags = ("--model", "memory-small", "--training-file", "train.jsonl")
    assert run("plan", *flags).code == 2
    assert run("plan", *flags, "--profile", "mine", "--json").json["provider"] == "memory"
