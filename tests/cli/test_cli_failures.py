"""Exit codes and sentences: each code provoked, and never a traceback that nobody asked for."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ftproviders import errors
from ftproviders.cli.failures import EXIT_CODES, exit_code
from ftproviders.schema.job import JobRef, JobSnapshot, JobStatus
from tests.cli.program import Run, row

REF = JobRef(provider="memory", id="job-1")
SNAPSHOT = JobSnapshot(ref=REF, status=JobStatus.FAILED, raw_status="failed")


def faults(*script: dict[str, object]) -> str:
    return json.dumps(script)


def test_every_exception_of_the_tree_has_its_exit_code() -> None:
    codes = {
        errors.JobFailedError("x", snapshot=SNAPSHOT): 1,
        errors.JobCancelledError("x", snapshot=SNAPSHOT): 1,
        errors.JobPausedError("x", snapshot=SNAPSHOT): 5,
        errors.WaitTimeoutError("x", snapshot=SNAPSHOT): 5,
        errors.StalledError("x", snapshot=SNAPSHOT): 5,
        errors.DatasetError("the file cannot be read"): 2,
        errors.UnsupportedFeatureError("x", feature="pause"): 2,
        errors.JournalError("x"): 2,
        errors.OutcomeUnknownError("x", submission_id="ft"): 4,
        errors.DeploymentError("x"): 3,
        KeyboardInterrupt(): 130,
        PermissionError(13, "Permission denied"): 2,
    }
    for error, code in codes.items():
        assert exit_code(error) == code, type(error)
    for name in errors.__all__:
        kind = getattr(errors, name)
        found = next(code for parent, code in EXIT_CODES.items() if issubclass(kind, parent))
        assert found in (1, 2, 3, 4, 5)
        if issubclass(kind, errors.ConfigurationError):
            assert found == 2
        if issubclass(kind, errors.ProviderError) and kind is not errors.OutcomeUnknownError:
            assert found == 3


@pytest.mark.parametrize("walk", ["queued,failed", "queued,cancelled"])
def test_exit_1_when_the_job_ends_badly(
    run: Run, monkeypatch: pytest.MonkeyPatch, walk: str
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_WALK", walk)
    result = run("submit", "job.yaml", "--wait")
    assert result.code == 1
    assert result.out.splitlines()[0] == "memory:job-0001"
    assert "--again" in result.err
    error = run("watch", "memory:job-0001", "--json")
    assert error.code == 1
    assert error.json["ref"] == "memory:job-0001"
    assert error.json["type"] in ("JobFailedError", "JobCancelledError")
    # Looking at it is no failure.
    assert run("status", "memory:job-0001").code == 0
    # Nor does the same submission start it anew by itself.
    assert run("submit", "job.yaml").code == 1


def test_exit_1_for_data_errors_with_the_first_issues(run: Run, folder: Path) -> None:
    (folder / "train.jsonl").write_text('{"messages": []}\n', encoding="utf-8")
    result = run("submit", "job.yaml")
    assert result.code == 1
    assert "train.jsonl:1" in result.err
    assert result.out == ""
    assert run("submit", "job.yaml", "--json").json["type"] == "DatasetError"


def test_exit_1_when_there_is_no_model_yet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_WALK", "running")
    submitted = run("submit", "job.yaml").out.strip()
    result = run("model", submitted)
    assert result.code == 1
    assert f"ftproviders watch {submitted}" in result.err
    assert run("chat", submitted, "Hello?").code == 1


def test_exit_3_when_the_provider_refuses(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("status", "memory:job-9999").code == 3
    script = faults({"operation": "create", "kind": "quota"})
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", script)
    result = run("submit", "job.yaml", "--json")
    assert result.code == 3
    assert result.json["type"] == "QuotaExceededError"
    assert result.json["status_code"] == 429
    assert result.json["code"]
    assert result.json["request_id"]
    assert run("jobs", "--remote", "--json").json["jobs"] == []


def test_exit_4_when_the_outcome_is_unknown_and_reconcile_settles_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_SETTLE_SECONDS", "0")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_LAG_SECONDS", "3600")
    script = faults({"operation": "create", "kind": "reset", "when": "after"})
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", script)
    result = run("submit", "job.yaml")
    assert result.code == 4
    assert "ftproviders " in result.err.splitlines()[-1]
    (row_,) = run("jobs", "--json").json["jobs"]
    assert (row_["ref"], row_["state"], row_["status"]) == (None, "unknown", "unknown")
    assert "unknown" in run("jobs").out
    still = run("reconcile", "--json")
    assert still.code == 4
    assert len(still.json["unresolved"]) == 1
    assert "UNRESOLVED" in run("reconcile").out
    assert run("doctor").code == 1
    monkeypatch.setenv("FTPROVIDERS_MEMORY_LAG_SECONDS", "0")
    settled = run("reconcile")
    assert settled.code == 0
    assert "resolved: memory:job-0001" in settled.out
    assert run("submit", "job.yaml").out == "memory:job-0001\n"


def test_what_was_assumed_absent_is_called_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTPROVIDERS_SETTLE_SECONDS", "0")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_LAG_SECONDS", "3600")
    script = faults({"operation": "create", "kind": "reset", "when": "after"})
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", script)
    assert run("submit", "job.yaml").code == 4
    assert "unknown: run ftproviders reconcile" in run("jobs").out
    done = run("reconcile", "--assume-absent")
    assert done.code == 0
    assert done.out.startswith("assumed absent: memory, submission ft")
    assert done.out.endswith("(it may be sent again)\n")


@pytest.mark.parametrize("flag", ["--json", "--quiet", "--profile"])
def test_a_flag_before_the_verb_is_told_where_it_belongs(run: Run, flag: str) -> None:
    result = run(flag, "jobs")
    assert result.code == 2
    assert f"after the verb: ftproviders VERB {flag}" in result.out + result.err


def test_exit_5_when_the_wait_is_over_or_the_job_is_paused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_WALK", "running")
    result = run("submit", "job.yaml", "--wait", "--timeout", "0.1")
    assert result.code == 5
    assert "ftproviders watch memory:job-0001" in result.err
    paused = run("submit", "job.yaml", "--suffix", "b", "-o", "walk=paused", "--wait", "--json")
    assert paused.code == 5
    assert paused.json["type"] == "JobPausedError"
    assert " is paused." in paused.json["message"]  # the provider's own word says no more


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["submit"], "No provider is named."),
        (["submit", "--provider", "memory"], "No base model is named."),
        (["submit", "--provider", "memory", "--model", "m"], "No training file is named."),
        (["submit", "job.yaml", "--training-file", "nope.jsonl"], "nope.jsonl"),
        (["submit", "job.yaml", "--provider", "memroy"], "'memory'"),
        (["submit", "job.yaml", "--method", "sftt"], "supervised"),
        (["submit", "job.yaml", "--epochs", "many"], "--epochs"),
        (["submit", "job.yaml", "--epochs", "0"], "smallest value is 1"),
        (["submit", "job.yaml", "--seed", "-1"], "--seed"),
        (["submit", "job.yaml", "--lora-r", "0"], "--lora-r"),
        (["submit", "job.yaml", "--strict", "--lora-r", "8"], "lora_r"),
        (["submit", "job.yaml", "--timeout", "5"], "--wait"),
        (["submit", "job.yaml", "-o", "priority"], "key=value"),
        (["submit", "job.yaml", "-o", "priority=urgent"], "priority"),
        (["submit", "job.yaml", "-o", "colour=red"], "providers memory"),
        (["submit", "train.jsonl"], "--training-file"),
        (["submit", "nope.yaml"], "nope.yaml"),
        (["submit", "."], "directory"),
        (["submit", "job.yaml", "more.yaml"], "more.yaml"),
        (["validate"], "FILE"),
        (["validate", "nope.jsonl"], "nope.jsonl"),
        (["validate", ".", "--provider", "memory"], "folder"),
        (["validate", "train.jsonl", "--provider", "memroy"], "'memory'"),
        (["status", "job-nowhere"], "job-nowhere"),
        (["status", "memroy:job-1"], "'memory'"),
        (["status", "memory:"], "memory:"),
        (["status", ""], "''"),
        (["providers", "memroy"], "'memory'"),
        (["models", "--provider", "memroy"], "'memory'"),
        (["metrics", "memory:job-0001", "--csv", "--json"], "--csv"),
        (["reconcile", "--adopt", "memory:job-1", "--assume-absent"], "--assume-absent"),
        (["chat", "memory:job-0001"], "PROMPT"),
        (["doctor", "--profile", "nowhere"], "nowhere"),
        (["traim"], "traim"),
        (["submit", "--bogus"], "--bogus"),
    ],
)  # fmt: skip
def test_wrong_use_is_exit_2_and_a_sentence(run: Run, arguments: list[str], words: str) -> None:
    plain = run(*[a for a in arguments if a != "--json"])
    result = run(*arguments) if "--json" in arguments else plain
    assert result.code == 2, result.err
    assert "Traceback" not in plain.err + plain.out
    as_json = run(*arguments, *([] if "--json" in arguments else ["--json"]))
    assert as_json.code == 2
    assert as_json.json["schema"] == "ftproviders.error/1"
    assert words in as_json.json["message"] + as_json.json["hint"]
    if "--json" not in arguments:
        assert plain.out == ""
        assert words in plain.err
        assert plain.err.splitlines()[0].startswith("error: ")
        assert plain.err.splitlines()[1].startswith("hint: ")


def test_no_verb_shows_the_help_and_is_wrong_use(run: Run) -> None:
    result = run()
    assert result.code == 2
    assert "Commands:" in result.out


def test_debug_shows_the_traceback_and_changes_nothing_else(run: Run) -> None:
    plain, debug = run("status", "nowhere"), run("status", "nowhere", "--debug")
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err
    assert debug.err.endswith(plain.err)
    assert plain.code == debug.code == 2
    usage = run("submit", "--bogus", "--debug")
    assert "Traceback" in usage.err


@pytest.mark.parametrize("flags", [[], ["--debug"], ["--json"], ["--json", "--debug"]])
@pytest.mark.parametrize(
    ("pair", "options"),
    [
        ("priority=sk-123456", "{memory: {priority: sk-123456}}"),
        ("colour=sk-123456", "{memory: {colour: sk-123456}}"),
        ("=sk-123456", "{memory: sk-123456}"),
        ("sk-123456", "sk-123456"),
    ],
)
def test_a_refused_option_is_not_repeated(
    run: Run, folder: Path, pair: str, options: str, flags: list[str]
) -> None:
    job = (folder / "job.yaml").read_text(encoding="utf-8")
    (folder / "own.yaml").write_text(f"{job}options: {options}\n", encoding="utf-8")
    for arguments in (["job.yaml", "-o", pair], ["own.yaml"]):
        result = run("submit", *arguments, *flags)
        assert result.code == 2, result.err
        assert "option" in (result.err + result.out).lower()
        assert "sk-123456" not in result.err + result.out


def test_a_fault_of_ours_is_a_sentence_without_the_foreign_text(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("key sk-123456 refused")

    monkeypatch.setattr("ftproviders.client.FineTuneClient.jobs", broken)
    result = run("jobs")
    assert result.code == 2
    assert "RuntimeError" in result.err
    assert "--debug" in result.err
    assert "sk-123456" not in result.err + result.out
    assert run("jobs", "--json").json["type"] == "RuntimeError"


def test_control_characters_from_elsewhere_do_not_reach_a_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    result = run("status", "memory:\x1b[2Jgone")
    assert "\x1b[2J" not in result.err.replace("\\x1b", "")
    assert "gone" in result.err


@pytest.mark.parametrize("name", ["job.yaml", "train.jsonl"])
def test_a_file_without_permission_is_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opened = Path.open

    def refusing(file: Path, *arguments: Any, **named: Any) -> Any:
        # As the system would; root may read every file, so its own bits would prove nothing.
        if file.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return opened(file, *arguments, **named)

    monkeypatch.setattr(Path, "open", refusing)
    result = run("submit", "job.yaml")
    assert result.code == 2
    assert name in result.err
    assert "fault of ftproviders" not in result.err
    assert run("submit", "job.yaml", "--json").json["schema"] == "ftproviders.error/1"


def test_a_state_folder_that_cannot_be_made_is_a_sentence(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "occupied").write_text("a file where a folder should be", encoding="utf-8")
    monkeypatch.setenv("FTPROVIDERS_HOME", str(folder / "occupied"))
    for arguments in (["submit", "job.yaml"], ["jobs"]):
        result = run(*arguments)
        assert result.code == 2
        assert "occupied" in result.err
        assert "fault of ftproviders" not in result.err
        assert run(*arguments, "--json").json["schema"] == "ftproviders.error/1"


def test_data_that_is_no_text_is_said(run: Run, folder: Path) -> None:
    (folder / "train.jsonl").write_bytes(b"\x00\xff\xfe" * 100)
    assert run("validate", "train.jsonl", "--provider", "memory").code in (1, 2)
    assert run("submit", "job.yaml").code in (1, 2)
    (folder / "train.jsonl").write_text(row("a", "b"), encoding="utf-8")
    assert run("validate", "train.jsonl", "--provider", "memory").code == 0
