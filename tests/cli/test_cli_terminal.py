"""What needs a real process: terminals, consent, Ctrl-C, closed pipes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import ROOT, Result, Run, Spawn, ended, environment

PATIENCE_SECONDS = 60.0


class Terminal:
    """A pseudo-terminal for one program; stdout may be a pipe beside it."""

    def __init__(
        self, spawn: Spawn, *arguments: str, stdout: bool = False, **settings: Any
    ) -> None:
        self._master, slave = pty.openpty()
        streams: dict[str, Any] = {"stdin": slave, "stderr": slave}
        if stdout:
            streams["stdout"] = slave
        self.process = spawn(*arguments, start_new_session=True, **streams, **settings)
        os.close(slave)
        self.shown = ""

    def until(self, words: str) -> None:
        """Read the terminal until `words` are shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in self.shown:
            assert time.monotonic() < deadline, f"{words!r} was not shown: {self.shown!r}"
            assert self._read(), f"{words!r} was not shown: {self.shown!r}"

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> Result:
        """Read to the end and return the exit code, stdout and what the terminal showed."""
        while self._read():
            pass
        result = ended(self.process)
        os.close(self._master)
        return Result(result.code, result.out, self.shown)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], PATIENCE_SECONDS)[0]:
            return False
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # Linux says so when the program has closed its side
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "1")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_USD_PER_MILLION_TOKENS", "1000")


def remote_jobs(run: Run) -> list[dict[str, Any]]:
    return list(run("jobs", "--remote", "--json").json["jobs"])


@pytest.mark.usefixtures("paid")
def test_without_a_terminal_nothing_paid_is_sent_without_yes(run: Run) -> None:
    refused = run("submit", "job.yaml")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert run("submit", "job.yaml", "--json").json["type"] == "ConsentError"
    assert remote_jobs(run) == []
    agreed = run("submit", "job.yaml", "--yes")
    assert agreed.code == 0
    ref = agreed.out.strip()
    assert run("cancel", ref).code == 2
    assert run("status", ref, "--json").json["status"] not in ("cancelling", "cancelled")
    assert run("cancel", ref, "--yes").code == 0


@pytest.mark.usefixtures("paid")
def test_cost_limits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("submit", "job.yaml", "--yes", "--max-cost", "0.01").code == 2
    assert run("plan", "job.yaml", "--max-cost", "1000").code == 0
    monkeypatch.delenv("FTPROVIDERS_MEMORY_USD_PER_MILLION_TOKENS")
    refused = run("submit", "job.yaml", "--yes", "--max-cost", "1000", "--json")
    assert (refused.code, refused.json["type"]) == (2, "CostLimitError")
    assert remote_jobs(run) == []


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1)])
def test_on_a_terminal_a_paid_submit_shows_the_plan_and_asks(
    spawn: Spawn, run: Run, answer: str, code: int
) -> None:
    terminal = Terminal(spawn, "submit", "job.yaml")
    terminal.until("Go on? [y/N]")
    assert "cost        about $" in terminal.shown
    assert "memory-small" in terminal.shown
    assert remote_jobs(run) == []
    terminal.type(answer)
    result = terminal.end()
    assert result.code == code
    assert result.out == ("memory:job-0001\n" if code == 0 else "")
    assert len(remote_jobs(run)) == (1 if code == 0 else 0)


@pytest.mark.usefixtures("paid")
def test_end_of_input_is_no_consent(spawn: Spawn, run: Run) -> None:
    terminal = Terminal(spawn, "submit", "job.yaml", "--json")
    terminal.until("Go on? [y/N]")
    terminal.type("\x04")
    result = terminal.end()
    assert result.code == 1
    assert json.loads(result.out)["type"] == "DeclinedError"
    assert remote_jobs(run) == []


@pytest.mark.usefixtures("paid")
def test_on_a_terminal_a_paid_cancel_asks(spawn: Spawn, run: Run) -> None:
    ref = run("submit", "job.yaml", "--yes").out.strip()
    terminal = Terminal(spawn, "cancel", ref)
    terminal.until("Go on? [y/N]")
    assert f"This cancels job {ref}" in terminal.shown
    terminal.type("n\n")
    assert terminal.end().code == 1
    assert run("status", ref, "--json").json["status"] not in ("cancelling", "cancelled")
    yes = Terminal(spawn, "cancel", ref, "--yes")
    assert yes.end().code == 0
    assert "Go on?" not in yes.shown


def test_free_things_do_not_ask(spawn: Spawn, run: Run) -> None:
    terminal = Terminal(spawn, "submit", "job.yaml")
    result = terminal.end()
    assert result.code == 0
    assert "Go on?" not in terminal.shown
    assert run("cancel", result.out.strip()).code == 0


def test_a_terminal_gets_a_drawn_table_and_a_status_line(spawn: Spawn) -> None:
    waited = Terminal(spawn, "submit", "job.yaml", "--wait", stdout=True).end()
    assert waited.code == 0
    assert "\rmemory:job-0001  " in waited.err
    assert "succeeded: ft:memory-small" in waited.err
    table = Terminal(spawn, "jobs", stdout=True).end()
    assert "\u2500\u2500\u2500" in table.err
    assert "memory:job-0001" in table.err


def test_ctrl_c_while_watching_leaves_the_job_alone(
    spawn: Spawn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_WALK", "queued,running")
    ref = run("submit", "job.yaml").out.strip()
    for arguments in (["watch", ref], ["events", ref, "--follow"]):
        terminal = Terminal(spawn, *arguments, stdout=True)
        terminal.until("Job is running.")
        terminal.process.send_signal(signal.SIGINT)
        result = terminal.end()
        assert result.code == 130
        assert f"ftproviders watch {ref}" in result.err
        assert "Traceback" not in result.err
    assert run("status", ref, "--json").json["status"] == "running"


def test_ctrl_c_while_waiting_with_json_is_still_one_object(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_WALK", "running")
    terminal = Terminal(spawn, "submit", "job.yaml", "--wait", "--json")
    terminal.until("Job is running.")
    terminal.process.send_signal(signal.SIGINT)
    result = terminal.end()
    assert result.code == 130
    error = json.loads(result.out)
    assert (error["schema"], error["ref"]) == ("ftproviders.error/1", "memory:job-0001")
    assert error["hint"] == "Come back with: ftproviders watch memory:job-0001"


def test_ctrl_c_at_the_question_sends_nothing(spawn: Spawn, run: Run, paid: None) -> None:
    terminal = Terminal(spawn, "submit", "job.yaml")
    terminal.until("Go on? [y/N]")
    terminal.process.send_signal(signal.SIGINT)
    result = terminal.end()
    assert result.code == 130
    assert "Traceback" not in result.err
    assert remote_jobs(run) == []


def test_a_reader_that_goes_away_is_no_error(spawn: Spawn, run: Run, folder: Path) -> None:
    ref = run("submit", "job.yaml", "--wait").out.splitlines()[0]
    for arguments in (["events", ref], ["metrics", ref, "--csv"], ["jobs", "--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        process = spawn(*arguments, stdout=writing)
        os.close(writing)
        result = ended(process)
        assert result.err == ""
        assert result.code == 0


@pytest.fixture
def no_reader() -> Iterator[int]:
    """The writing end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_goes_away_ends_the_wait_and_not_the_job(
    spawn: Spawn, run: Run, monkeypatch: pytest.MonkeyPatch, no_reader: int, flags: list[str]
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_WALK", "running")
    if not flags:
        left = ended(spawn("submit", "job.yaml", "--wait", stdout=no_reader))
        assert left.code == 5
        assert "ftproviders watch memory:job-0001" in left.err
    ref = run("submit", "job.yaml").out.strip()
    assert ref == "memory:job-0001"
    # Both streams in one pipe, as in `2>&1 | head`: nobody can be told, but the code says it.
    for arguments in (["submit", "job.yaml", "--wait"], ["watch", ref]):
        process = spawn(*arguments, *flags, stdout=no_reader, stderr=no_reader)
        assert process.wait(60) == 5
    # The progress has no reader any more, the results have.
    watched = ended(spawn("watch", ref, *flags, stderr=no_reader))
    assert watched.code == 5
    assert (json.loads(watched.out)["ref"] if flags else watched.out) == (ref if flags else "")
    assert run("status", ref, "--json").json["status"] == "running"


def test_a_reader_that_goes_away_before_a_job_is_made_ends_the_wait(
    spawn: Spawn, run: Run, no_reader: int
) -> None:
    process = spawn("submit", "job.yaml", "--wait", stdout=no_reader, stderr=no_reader)
    assert process.wait(60) == 5
    assert run("submit", "job.yaml").out == "memory:job-0001\n"


def test_a_wait_that_is_over_needs_no_reader(spawn: Spawn, submitted: str, no_reader: int) -> None:
    assert ended(spawn("watch", submitted, stdout=no_reader)).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "train.jsonl", "--provider", "memory"],
        ["validate", "train.jsonl", "--provider", "memory", "--json"],
        ["submit", "job.yaml"],
        ["submit", "job.yaml", "--json"],
        ["providers"],
        ["--version"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_output_that_cannot_be_written_is_a_sentence_on_stderr(
    spawn: Spawn, run: Run, arguments: list[str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        result = ended(spawn(*arguments, stdout=full))
    assert result.code == 2
    error, hint = result.err.splitlines()[-2:]
    assert error.startswith("error: ")
    assert "No space left on device" in error
    assert hint.startswith("hint: ")
    assert "Traceback" not in result.err
    assert "Exception ignored" not in result.err
    if arguments[0] == "submit":
        assert run("submit", "job.yaml", "--again").out == "memory:job-0001\n"


def test_the_exit_code_speaks_when_no_stream_can(spawn: Spawn, submitted: str) -> None:
    with Path("/dev/full").open("wb") as full:
        for flags in ([], ["--json"], ["--debug"], ["--json", "--debug"]):
            for arguments, code in ((["status", "memory:job-9999"], 3), (["submit"], 2)):
                process = spawn(*arguments, *flags, stdout=full, stderr=full)
                assert process.wait(60) == code
        # An error that stdout does not take is said on stderr, with its own code.
        result = ended(spawn("status", "memory:job-9999", "--json", stdout=full))
        assert (result.code, "job-9999" in result.err) == (3, True)
        # Progress that cannot be written does not stop a job from being watched to its end.
        assert spawn("watch", submitted, stderr=full).wait(60) == 0


def test_what_a_dead_stream_still_holds_is_not_complained_about_at_exit() -> None:
    program = (
        "import sys\n"
        "from ftproviders.cli.failures import guarded\n"
        "from ftproviders.cli.output import Output\n"
        "def action():\n"
        "    sys.stdout.write('no line end, so it waits in the buffer')\n"
        "    raise {error}\n"
        "sys.exit(guarded(action, output=Output(), debug=False))\n"
    )
    for error, code in (("PermissionError(13, 'no')", 2), ("BrokenPipeError", 0)):
        with Path("/dev/full").open("wb") as full:
            command = [sys.executable, "-c", program.format(error=error)]
            done = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, env=environment(), text=True
            )
        assert done.returncode == code
        assert "Exception ignored" not in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("paid")
def test_closed_streams_are_empty_ones(spawn: Spawn, run: Run) -> None:
    def closing(*numbers: int) -> Callable[[], None]:
        def close() -> None:
            for number in numbers:
                os.close(number)

        return close

    refused = ended(spawn("submit", "job.yaml", stdin=None, preexec_fn=closing(0)))
    assert refused.code == 2
    assert "Nobody can be asked" in refused.err
    assert remote_jobs(run) == []
    assert ended(spawn("jobs", "--quiet", preexec_fn=closing(1))) == Result(0, "", "")
    listed = ended(spawn("jobs", "--json", preexec_fn=closing(2)))
    assert (listed.code, json.loads(listed.out)["jobs"]) == (0, [])
    for numbers in ((1,), (2,), (0, 1, 2)):
        everything = spawn("submit", "job.yaml", preexec_fn=closing(*numbers))
        assert ended(everything).code == 2
    assert remote_jobs(run) == []


def test_output_survives_a_terminal_that_knows_only_ascii(
    spawn: Spawn, run: Run, folder: Path
) -> None:
    file = folder / "job.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "suffix: größer\n", encoding="utf-8")
    environment = {"PYTHONIOENCODING": "ascii"}
    plain = ended(spawn("plan", "job.yaml", env=environment))
    assert plain.code == 0, plain.err
    assert "gr\\xf6\\xdfer" in plain.out
    as_json = ended(spawn("plan", "job.yaml", "--json", env=environment))
    assert json.loads(as_json.out)["resolved"]["suffix"] == "größer"


def test_python_m_and_the_installed_command_are_the_same(spawn: Spawn) -> None:
    result = ended(spawn("--help", stdin=subprocess.DEVNULL))
    assert result.code == 0
    assert "reconcile" in result.out
