"""``--from REF``: what is shown, what wins, and a sentence for whatever stands in the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Result, Run, row

FOREIGN = {"operation": "download_file", "kind": "not_found", "times": None}


def moved(result: Result) -> dict[str, object]:
    assert result.code == 0, result.err
    return result.json["moved_from"]


def test_a_job_like_another_is_shown_and_made_once(run: Run, finished: str) -> None:
    shown = run("plan", "--from", finished, "--epochs", "3")
    assert shown.code == 0, shown.err
    for line in (
        f"moved from  {finished} (succeeded)",
        "data        training: train.jsonl (as it was submitted; SHA-256 ",
        "moves       n_epochs: 2 -> 3",
        f"lost        Checkpoints, events and metrics of {finished} stay there.",
        "until       memory, memory-small: no end is known here",
    ):
        assert line in shown.out, shown.out
    first = run("submit", "--from", finished, "--epochs", "3")
    again = run("submit", "--from", finished, "--epochs", "3")
    assert first.code == again.code == 0
    assert first.out == again.out != f"{finished}\n"
    assert len(run("jobs", "--remote", "--json").json["jobs"]) == 2
    (note,) = {j["note"] for j in run("jobs", "--json").json["jobs"] if j["note"]}
    assert note == f"from {finished}"


def test_nothing_changed_is_the_job_that_is_there(run: Run, finished: str) -> None:
    result = run("submit", "--from", finished)
    assert result.out == f"{finished}\n"
    assert "has that job already" in result.err


def test_a_move_shows_what_changes(run: Run, finished: str) -> None:
    flags = ("--provider", "local", "--model", "smollm2-135m", "-o", "learning_rate_multiplier=2")
    shown = run("plan", "--from", finished, *flags)
    assert "changes     provider: memory -> local" in shown.out, shown.err
    assert "changes     model: memory-small -> smollm2-135m" in shown.out
    assert "ignored     learning_rate_multiplier = 2.0: " in shown.out
    assert "moves       learning_rate_multiplier" not in shown.out, "the old job had none"
    assert re.search(r"^moves +n_epochs = 2: taken$", shown.out, re.MULTILINE)
    assert re.search(r"^lost +The tuned model .* stays at memory", shown.out, re.MULTILINE)


def test_json_has_the_documented_keys(run: Run, finished: str) -> None:
    assert run("plan", "job.yaml", "--json").json["moved_from"] is None
    found = moved(run("plan", "--from", finished, "--epochs", "3", "--json"))
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    told = text.partition("- `moved_from` of a `plan`")[2].partition("\n- ")[0]
    words = set(re.findall(r"\w+", told))
    assert {*found} <= words
    for part in ("files", "settings"):
        entries = found[part]
        assert isinstance(entries, list)
        assert entries
        assert {*entries[0]} <= words
    lifecycle = found["source_lifecycle"]
    assert isinstance(lifecycle, dict)
    assert {*lifecycle} <= words


def test_a_short_ref_and_a_job_of_somebody_else(run: Run, finished: str, folder: Path) -> None:
    short = finished.partition(":")[2][:5]
    assert moved(run("plan", "--from", short, "--json"))["ref"] == finished
    listed = run("jobs", "--json").json["jobs"]
    assert moved(run("plan", "--from", listed[0]["submission_id"], "--json"))["ref"] == finished


def test_flags_go_before_the_job_file_and_that_before_the_job(
    run: Run, finished: str, folder: Path
) -> None:
    (folder / "change.yaml").write_text(
        "provider: memory\nsuffix: from-file\nseed: 5\n"
        "hyperparameters: {n_epochs: 4, batch_size: 2}\noptions: {memory: {priority: high}}\n"
    )
    flags = ("--epochs", "5", "-o", "walk=queued,succeeded")
    plan = run("plan", "change.yaml", "--from", finished, *flags, "--json").json
    assert plan["resolved"]["n_epochs"] == 5
    assert plan["resolved"]["batch_size"] == 2
    assert (plan["resolved"]["seed"], plan["resolved"]["suffix"]) == (5, "from-file")
    assert plan["options"] == {"priority": "high", "walk": ["queued", "succeeded"]}
    assert plan["training"]["path"] == "train.jsonl"


def test_provider_of_the_configuration_goes_before_that_of_the_job(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_PROVIDER", "local")
    assert (
        run("plan", "--from", finished, "--model", "smollm2-135m", "--json").json["provider"]
        == "local"
    )


# --- what stands in the way -----------------------------------------------------------------------


def test_an_unknown_ref(run: Run) -> None:
    for ref, code in (("memory:job-9999", 3), ("nobody:job-1", 2), ("job-1", 2)):
        result = run("plan", "--from", ref, "--provider", "memory")
        assert result.code == code, result.err
        assert result.err.startswith("error: "), result.err
        assert "hint: " in result.err


def test_a_model_that_the_new_provider_does_not_have(run: Run, finished: str) -> None:
    result = run("plan", "--from", finished, "--provider", "local")
    assert result.code == 2
    assert "local is not known to have the model 'memory-small'" in result.err
    assert "--model, for instance: smollm2-135m" in result.err
    assert run("plan", "--from", finished, "--provider", "local", "--json").json["ref"] == finished


def test_a_mapping_of_models_without_the_provider(run: Run, folder: Path, finished: str) -> None:
    (folder / "job.yaml").write_text(
        "base_model: {memory: memory-small}\ntraining_file: train.jsonl\n"
    )
    for command in (("plan", "job.yaml"), ("plan", "job.yaml", "--from", finished)):
        result = run(*command, "--provider", "local")
        assert result.code == 2
        assert "base_model names no model for provider local (it has: memory)" in result.err
        assert "Add an entry local: MODEL" in result.err
    assert run("plan", "job.yaml", "--provider", "memory").code == 0


def test_a_file_that_changed_or_went_is_fetched(run: Run, finished: str, folder: Path) -> None:
    (folder / "train.jsonl").write_text(row("Other?", "Yes.") + "\n", encoding="utf-8")
    changed = run("plan", "--from", finished, "--epochs", "3", "--json")
    assert changed.json["training"]["rows"] == 12
    (warning,) = [w for w in changed.json["warnings"] if "train.jsonl" in w]
    assert "has changed since it was submitted; the copy that memory has is used" in warning
    (folder / "train.jsonl").unlink()
    gone = run("plan", "--from", finished, "--epochs", "3", "--json").json
    assert gone["moved_from"]["files"][0]["origin"] == "downloaded"
    assert gone["submission_id"] == changed.json["submission_id"]


def test_a_deleted_journal_changes_nothing(
    run: Run, finished: str, folder: Path, own_environment: Path
) -> None:
    flags = ("--from", finished, "--epochs", "3")
    before = run("submit", *flags).out
    (own_environment / "data" / "journal.db").unlink()
    (folder / "train.jsonl").unlink()
    assert run("submit", *flags).out == before
    assert len(run("jobs", "--remote", "--json").json["jobs"]) == 2


def test_a_file_that_nobody_has_any_more(
    run: Run, finished: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "train.jsonl").rename(folder / "mine.jsonl")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", json.dumps([FOREIGN]))
    result = run("plan", "--from", finished, "--epochs", "3")
    assert result.code == 2
    assert re.search(r"\(train\.jsonl; SHA-256 [0-9a-f]{64}\)", result.err)
    assert "hint: Give the file yourself: --training-file FILE." in result.err
    given = run("plan", "--from", finished, "--epochs", "3", "--training-file", "mine.jsonl")
    assert given.code == 0
    assert "mine.jsonl (given now; " in given.out


def test_an_old_provider_that_is_down(
    run: Run, finished: str, folder: Path, monkeypatch: pytest.MonkeyPatch, own_environment: Path
) -> None:
    down = {"operation": "*", "kind": "unavailable", "times": None}
    flags = ("--provider", "local", "--model", "smollm2-135m")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", json.dumps([down]))
    monkeypatch.setenv("FTPROVIDERS_ATTEMPTS", "1")
    by_journal = run("plan", "--from", finished, *flags)
    assert by_journal.code == 0
    assert "what the journal has kept is used" in by_journal.out
    (folder / "train.jsonl").unlink()
    without_file = run("plan", "--from", finished, *flags)
    assert without_file.code == 3
    assert "--training-file FILE" in without_file.err
    (own_environment / "data" / "journal.db").unlink()
    assert run("plan", "--from", finished, *flags).code == 3


def test_a_value_that_does_not_fit_names_its_flag(run: Run, finished: str, folder: Path) -> None:
    flag = run("plan", "--from", finished, "--max-cost", "-1")
    assert flag.code == 2
    assert "--max-cost: " in flag.err
    (folder / "change.yaml").write_text("seed: 5\nhyperparameters: {n_epochs: many}\n")
    line = run("plan", "change.yaml", "--from", finished)
    assert line.code == 2
    assert "change.yaml:2: hyperparameters.n_epochs: " in line.err


def test_strict_refuses_what_the_move_would_ignore(run: Run, finished: str, folder: Path) -> None:
    flags = ("--from", finished, "-o", "learning_rate_multiplier=2", "--strict")
    refused = run("plan", *flags, "--provider", "local", "--model", "smollm2-135m")
    assert refused.code == 2
    assert "would ignore: learning_rate_multiplier" in refused.err


def test_a_paid_move_is_agreed_to_first(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "true")
    refused = run("submit", "--from", finished, "--epochs", "3")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert run("submit", "--from", finished, "--epochs", "3", "--yes").code == 0
