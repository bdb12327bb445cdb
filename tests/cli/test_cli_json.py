"""The JSON shapes are those written down in docs/cli.md, key by key and in that order."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ftproviders.cli import shapes
from ftproviders.cli.output import Output
from ftproviders.schema.job import JobEvent
from tests.cli.program import ROOT, Run, lines_of

JOB = [
    "ref", "provider", "account", "id", "submission_id", "attempt", "status", "raw_status",
    "base_model", "model", "created_at", "finished_at", "trained_tokens", "error", "reused",
    "resumable",
]  # fmt: skip
ISSUE = {"line", "column", "path", "rule", "severity", "providers", "message", "fix"}


def documented() -> dict[str, list[str]]:
    """Read the table of docs/cli.md: noun -> keys."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    table = text.partition("## JSON")[2].partition("## Commands")[0]
    rows = re.findall(r"^\| (\w+) \| [^|]* \| (`.*) \|$", table, flags=re.MULTILINE)
    return {noun: re.findall(r"`(\w+)`", keys) for noun, keys in rows}


COMMANDS = {
    "validation": ["validate", "train.jsonl", "--provider", "memory"],
    "statistics": ["data", "stats", "train.jsonl"],
    "tokens": ["data", "tokens", "train.jsonl"],
    "conversion": ["data", "convert", "train.jsonl", "--out", "out.csv", "--to", "columns"],
    "split": ["data", "split", "train.jsonl"],
    "plan": ["plan", "job.yaml"],
    "job": ["status", "memory:job-0001"],
    "jobs": ["jobs"],
    "events": ["events", "memory:job-0001"],
    "metrics": ["metrics", "memory:job-0001"],
    "checkpoints": ["checkpoints", "memory:job-0001"],
    "deployment": ["deploy", "memory:job-0001"],
    "deployments": ["deployments"],
    "chat": ["chat", "memory:job-0001", "Hello?"],
    "export": ["export", "memory:job-0001", "--to", "out"],
    "files": ["files", "--provider", "memory"],
    "report": ["report", "memory:job-0001", "--output", "report.html"],
    "providers": ["providers"],
    "models": ["models", "--provider", "memory"],
    "methods": ["methods"],
    "doctor": ["doctor"],
    "reconcile": ["reconcile"],
    "error": ["status", "memory:nowhere"],
}


@pytest.mark.parametrize("noun", COMMANDS)
def test_keys_are_those_of_the_document(run: Run, finished: str, noun: str) -> None:
    found = run(*COMMANDS[noun], "--json").json
    assert found["schema"] == f"ftproviders.{noun}/1"
    assert list(found)[1:] == documented()[noun]


def test_the_document_names_every_noun_but_the_demo_that_is_tried_elsewhere() -> None:
    assert set(documented()) == {*COMMANDS, "demo"}
    assert documented()["job"] == JOB


@pytest.mark.parametrize(
    "command",
    [
        ["submit", "job.yaml"],
        ["watch", "memory:job-0001"],
        ["model", "memory:job-0001"],
        ["cancel", "memory:job-0001"],
        ["adopt", "memory:job-0001"],
    ],
)
def test_verbs_on_a_job_answer_with_the_job(run: Run, finished: str, command: list[str]) -> None:
    found = run(*command, "--json").json
    assert found["schema"] == "ftproviders.job/1"
    assert list(found)[1:] == JOB
    assert found["ref"] == finished
    assert re.fullmatch(r"ft[a-z2-7]{24}", found["submission_id"])
    assert found["attempt"] == 1
    assert found["created_at"].endswith("Z")


def test_items_of_lists(run: Run, finished: str, folder: Path) -> None:
    for flags in ([], ["--remote"]):
        (job,) = run("jobs", *flags, "--json").json["jobs"]
        assert list(job) == [*JOB, "state", "note"]
        assert job["account"] == "default"
    event, *_ = run("events", finished, "--json").json["events"]
    assert set(event) == {"id", "created_at", "level", "message", "kind", "step", "metrics"}
    point, *_ = run("metrics", finished, "--json").json["metrics"]
    assert set(point) == {"step", "created_at", "values"}
    (folder / "bad.jsonl").write_text('{"messages": [{"role": "x"}]}\n', encoding="utf-8")
    report = run("validate", "bad.jsonl", "--provider", "memory", "--json").json
    assert all(set(issue) == ISSUE for issue in report["issues"])
    assert report["issues"][0]["severity"] == "error"
    assert set(report["verdicts"]["memory"]) == {"ok", "errors", "warnings"}
    checkpoint, *_ = run("checkpoints", finished, "--json").json["checkpoints"]
    assert set(checkpoint) == {"id", "created_at", "step", "model", "metrics"}


def test_deployments_have_the_same_keys_wherever_they_are_shown(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = documented()["deployment"]
    made = run("deploy", finished, "--ttl", "1h", "--json").json
    assert list(made)[1:] == keys
    assert made["account"] == "default"
    (listed,) = run("deployments", "--json").json["deployments"]
    assert list(listed) == keys
    assert (listed["ref"], listed["account"]) == (made["ref"], "default")
    assert list(run("extend", made["ref"], "--ttl", "2h", "--json").json)[1:] == keys
    assert list(run("undeploy", made["ref"], "--json").json)[1:] == [*keys, "deleted"]
    monkeypatch.setenv("FTPROVIDERS_SETTLE_SECONDS", "0")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", '[{"operation": "deploy", "kind": "reset"}]')
    assert run("deploy", finished, "--json").code == 4
    (unknown,) = run("deployments", "--json").json["deployments"]
    assert list(unknown) == keys
    assert (unknown["status"], unknown["account"]) == ("unknown", "default")


def test_a_submission_without_an_outcome_has_the_same_keys(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_SETTLE_SECONDS", "0")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_LAG_SECONDS", "3600")
    fault = '[{"operation": "create", "kind": "reset", "when": "after"}]'
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", fault)
    assert run("submit", "job.yaml", "--json").json["type"] == "OutcomeUnknownError"
    (job,) = run("jobs", "--json").json["jobs"]
    assert list(job) == [*JOB, "state", "note"]
    assert job["provider"] == "memory"
    (open_,) = run("reconcile", "--json").json["unresolved"]
    assert set(open_) == {"job", "similar", "detail"}


def test_follow_is_one_object_a_line(run: Run, submitted: str) -> None:
    objects = lines_of(run("events", submitted, "--follow", "--json").out)
    assert len(objects) > 5
    assert all(list(one)[1:] == documented()["events"] for one in objects)
    assert all(len(one["events"]) == 1 for one in objects)


def test_text_beyond_ascii_survives(run: Run, folder: Path) -> None:
    file = folder / "job.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "suffix: größer-\u2603\n", encoding="utf-8")
    plan = run("plan", "job.yaml", "--json")
    assert plan.json["resolved"]["suffix"] == "größer-\u2603"


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    point = JobEvent(
        id="1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        message="Step 4",
        kind="metrics",
        step=4,
        metrics={"validation_loss": math.nan, "grad_norm": math.inf, "train_loss": 0.5},
    )
    numbers = {"validation_loss": None, "grad_norm": None, "train_loss": 0.5}
    output = Output(json_mode=True)
    output.document("metrics", {"metrics": [shapes.metrics_point(point)]})
    output.document("events", {"events": [shapes.event(point)]})
    metrics, events = capsys.readouterr().out.splitlines()
    assert json.loads(metrics, parse_constant=pytest.fail)["metrics"][0]["values"] == numbers
    assert json.loads(events, parse_constant=pytest.fail)["events"][0]["metrics"] == numbers
