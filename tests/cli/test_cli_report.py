"""``report`` and ``metrics --plot`` over the in-memory provider."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from ftproviders.errors import MissingDependencyError
from ftproviders.schema.job import JobEvent
from tests.cli.program import Run, row

HARMFUL = "<script>alert(1)</script>"


@pytest.fixture
def validated(run: Run, folder: Path) -> str:
    """The ref of a finished job that had a validation file."""
    rows = [row("Question number 3?", "Answer number 3."), row("Question number 5?", HARMFUL)]
    (folder / "valid.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    flags = ("--validation-file", "valid.jsonl", "--seed", "7", "--batch-size", "4")
    result = run("submit", "job.yaml", *flags, "-o", "priority=high", "--wait")
    assert result.code == 0, result.err
    return result.out.splitlines()[0]


def test_a_page_is_written_and_its_name_printed(run: Run, validated: str, folder: Path) -> None:
    result = run("report", validated, "--output", "page.html")
    page = (folder / "page.html").read_text(encoding="utf-8")

    assert (result.code, result.out) == (0, "page.html\n"), result.err
    assert "asking the tuned model, question 2 of 2" in result.err
    for words in (
        validated,
        "<svg",
        "validation (valid_loss)",
        "Question number 5?",
        "after (tuned model), word for word as expected",
        "I have not been tuned",
        "All 2 rows of valid.jsonl were asked",
        "Settings in force",
    ):
        assert words in page, words
    assert "<script" not in page
    digests = re.findall(r"\b[0-9a-f]{64}\b", page)
    assert len(set(digests)) == 2


def test_the_printed_command_is_the_same_job(run: Run, validated: str, folder: Path) -> None:
    import html

    run("report", validated, "--output", "page.html")
    page = html.unescape((folder / "page.html").read_text(encoding="utf-8"))
    command = re.search(r"<pre>(ftproviders submit.*?)</pre>", page, re.DOTALL)
    assert command is not None
    words = shlex.split(command.group(1).replace("\\\n", " "))

    assert words[-1] == "--again"
    again = run(*words[1:-1], "--json").json
    assert (again["ref"], again["reused"]) == (validated, True)


def test_own_questions_and_a_limit(run: Run, finished: str, folder: Path) -> None:
    questions = [row(f"Question number {n}?", "Yes.") for n in range(3)]
    (folder / "q.jsonl").write_text("\n".join(questions), encoding="utf-8")
    flags = ("--questions", "q.jsonl", "--rows", "2", "--json")
    result = run("report", finished, "--output", "page.html", *flags)
    page = (folder / "page.html").read_text(encoding="utf-8")

    assert result.json == {
        "schema": "ftproviders.report/1",
        "ref": finished,
        "file": "page.html",
        "bytes": len(page.encode()),
    }
    assert "The first 2 rows of q.jsonl were asked" in page
    assert "Question number 1?" in page
    assert "Question number 2?" not in page


def test_why_nobody_was_asked_is_said(run: Run, finished: str) -> None:
    def page(*flags: str) -> str:
        result = run("report", finished, "--output", "-", *flags)
        assert result.code == 0, result.err
        return result.out

    assert "No question was asked: no validation file is known." in page()
    assert "No question was asked, as wished." in page("--rows", "0")
    waiting = run("submit", "job.yaml", "--again").out.strip()
    out = run("report", waiting, "--output", "-").out
    assert "No question was asked: there is no tuned model; the job is" in out


def test_where_answers_cost_money_only_named_questions_are_asked(
    run: Run, validated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "1")

    by_itself = run("report", validated, "--output", "-").out
    named = run("report", validated, "--output", "-", "--questions", "valid.jsonl").out

    assert "answers of this provider may cost money" in by_itself
    assert "I have not been tuned" not in by_itself
    assert "I have not been tuned" in named


def test_a_changed_validation_file_is_not_asked(run: Run, validated: str, folder: Path) -> None:
    (folder / "valid.jsonl").write_text(row("Other?", "Yes.") + "\n", encoding="utf-8")
    changed = run("report", validated, "--output", "-").out
    (folder / "valid.jsonl").unlink()
    gone = run("report", validated, "--output", "-").out

    assert "valid.jsonl has changed since; its rows then are not known" in changed
    assert "Other?" not in changed
    assert "valid.jsonl is not there any more" in gone


def test_a_job_that_no_journal_knows_has_a_page_that_says_what_is_missing(
    run: Run, finished: str, own_environment: Path
) -> None:
    (own_environment / "data" / "journal.db").unlink()
    page = run("report", finished, "--output", "-").out

    assert "there is no exact command to give" in page
    assert "where it was submitted from is not known, so rows are not" in page


def test_files_are_not_overwritten_by_accident(run: Run, finished: str, folder: Path) -> None:
    assert run("report", finished, "--output", "page.html").code == 0
    again = run("report", finished, "--output", "page.html")
    assert (again.code, "exists already" in again.err) == (2, True)
    assert run("report", finished, "--output", "page.html", "--overwrite").code == 0

    data = (folder / "train.jsonl").read_bytes()
    refused = run("report", finished, "--output", "train.jsonl", "--overwrite")
    assert (refused.code, "never overwritten" in refused.err) == (2, True)
    assert (folder / "train.jsonl").read_bytes() == data
    assert run("report", finished, "--output", "-", "--json").code == 2


def test_a_mistake_in_the_questions_is_found_before_anything_is_asked(
    run: Run, finished: str, folder: Path
) -> None:
    (folder / "q.jsonl").write_text('{"query": "Why?"}\n', encoding="utf-8")
    result = run("report", finished, "--output", "page.html", "--questions", "q.jsonl")

    assert result.code != 0
    assert "q.jsonl, line 1: this is not a question" in result.err
    assert "asking" not in result.err
    assert not (folder / "page.html").exists()


def test_a_model_that_does_not_answer_is_said(
    run: Run, validated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftproviders.errors import DeploymentError

    def silent(*_arguments: Any, **_settings: Any) -> None:
        raise DeploymentError("The model sleeps.")

    monkeypatch.setattr("ftproviders.testing.memory.hosting.MemoryHosting.chat", silent)
    out = run("report", validated, "--output", "-").out

    assert "The base model did not answer: The model sleeps." in out
    assert "The tuned model did not answer: The model sleeps." in out


# --- metrics --------------------------------------------------------------------------------------


def test_metrics_are_drawn_plainly_where_no_terminal_is(run: Run, validated: str) -> None:
    result = run("metrics", validated, "--plot")

    assert result.code == 0
    assert result.out.startswith("Loss\n⠒ train_loss   o valid_loss\n")
    assert "\x1b" not in result.out
    assert "step" in result.out.splitlines()[-1]
    assert max(map(len, result.out.splitlines())) <= 80


def test_a_plot_is_as_wide_as_the_terminal_and_coloured_unless_no_color(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    narrow = run("metrics", finished, "--plot")
    assert max(len(line) for line in _bare(narrow.out).splitlines()) <= 50
    assert "\x1b[38" in narrow.out
    monkeypatch.setenv("NO_COLOR", "1")
    assert run("metrics", finished, "--plot").out == _bare(narrow.out)


def _bare(text: str) -> str:
    """Return `text` without colours, and without the blanks that stood before their end."""
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).split("\n")
    return "\n".join(line.rstrip() for line in lines)


def test_forms_of_metrics_exclude_each_other(run: Run, finished: str) -> None:
    result = run("metrics", finished, "--plot", "--csv")

    assert (result.code, "--csv and --plot" in result.err) == (2, True)
    assert run("metrics", finished, "--plot", "--json").code == 2


def test_without_plotext_the_install_line_is_told(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_arguments: Any, **_settings: Any) -> str:
        raise MissingDependencyError("No plotext.", hint="pip install 'ftproviders[plot]'")

    monkeypatch.setattr("ftproviders.reports.plot", missing)
    result = run("metrics", finished, "--plot")

    assert result.code == 2
    assert "pip install 'ftproviders[plot]'" in result.err


def test_metrics_show_the_last_value_of_a_repeated_step(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("metrics", finished, "--json").json["metrics"]
    events = "ftproviders.testing.memory.adapter.MemoryAdapter.events"
    told = [
        JobEvent.model_validate({
            "id": str(number), "created_at": "2026-05-04T12:00:00Z", "message": "",
            "kind": "metrics", "step": step, "metrics": {"train_loss": value},
        })
        for number, (step, value) in enumerate([(1, 9.0), (2, 8.0), (2, 2.0), (3, 1.0)])
    ]  # fmt: skip
    monkeypatch.setattr(events, lambda *_arguments, **_settings: told)

    found = run("metrics", finished, "--json").json["metrics"]

    assert json.dumps(first) != json.dumps(found)
    assert [(m["step"], m["values"]["train_loss"]) for m in found] == [
        (1, 9.0), (2, 2.0), (3, 1.0),
    ]  # fmt: skip
