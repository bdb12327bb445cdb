"""Commands that are ended while their worker works: no process and no half a folder is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from ftproviders.worker.rundir import RunDirectory
from tests.unit.local.conftest import Rig, until

ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.fixture
def ref(rig: Rig) -> str:
    """A job whose model was trained as a whole; nothing of it is of use but its names."""
    found = rig.ended(rig.create()).ref
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (rig.run() / "adapter" / name).write_text("{}")
    return str(found)


@pytest.fixture
def hangup() -> Iterator[None]:
    """Let commands mind SIGHUP also where the tests were started with nohup, which they inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def start(rig: Rig, hangup: None) -> Iterator[Start]:
    """Start commands whose workers hang while they load: importing torch takes ten minutes."""
    (rig.folder / "modules").mkdir()
    (rig.folder / "modules" / "torch.py").write_text("import time\ntime.sleep(600)\n")
    paths = os.pathsep.join([str(ROOT), str(rig.folder / "modules")])
    home = {"FTPROVIDERS_HOME": str(rig.settings.home), "FTPROVIDERS_CACHE": str(rig.folder)}
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: str) -> subprocess.Popen[str]:
        client = subprocess.Popen(
            [sys.executable, "-P", "-m", "ftproviders", *arguments],
            cwd=rig.folder,
            env={**os.environ, **home, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(client)
        return client

    yield call
    for client in started:
        client.kill()
        client.communicate()


def worker_of(client: subprocess.Popen[str], module: str) -> psutil.Process:
    """Wait for the worker that a command starts."""
    found: list[psutil.Process] = []

    def there() -> bool:
        assert client.poll() is None, client.communicate()
        found[:] = [one for one in psutil.Process(client.pid).children() if module in words(one)]
        return bool(found)

    until(there)
    return found[0]


def words(one: psutil.Process) -> Sequence[str]:
    try:
        return one.cmdline()
    except psutil.NoSuchProcess:
        return ()


def gone(one: psutil.Process) -> bool:
    try:
        return not one.is_running() or one.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def drafts(rig: Rig) -> list[Path]:
    return sorted(rig.folder.glob(".exp.new-*"))


def exporting(start: Start, ref: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    client = start("export", ref, "--to", "exp", "--format", "merged", "--weights", "bf16")
    return client, worker_of(client, "ftproviders.worker.export")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_export_that_is_ended_leaves_nothing(
    rig: Rig, start: Start, ref: str, number: signal.Signals
) -> None:
    client, worker = exporting(start, ref)
    assert len(drafts(rig)) == 1
    client.send_signal(number)
    _, told = client.communicate(timeout=60)
    # As every command ends by that signal: whoever sent it sees no difference.
    assert client.returncode == (130 if number == signal.SIGINT else -number)
    assert "What was written so far was removed." in told
    assert drafts(rig) == []
    # A signal that arrives while the worker is being started finds nobody to pass it on to; that
    # worker ends as soon as it looks for its parent, which is before it writes anything.
    until(lambda: gone(worker))
    assert not (rig.folder / "exp").exists()


def test_a_killed_export_ends_its_worker_and_the_next_one_clears_up(
    rig: Rig, start: Start, ref: str
) -> None:
    killed, worker = exporting(start, ref)
    (left,) = drafts(rig)
    killed.kill()
    until(lambda: gone(worker))
    assert left.is_dir()
    exporting(start, ref)
    (second,) = drafts(rig)
    assert second != left
    # A third one leaves the draft of the second, which lives, alone.
    exporting(start, ref)
    assert second in drafts(rig)
    assert len(drafts(rig)) == 2


@pytest.mark.parametrize("flags", [(), ("--quiet",), ("--json",)])
def test_a_chat_that_is_killed_while_the_model_loads_ends_its_worker(
    start: Start, ref: str, flags: tuple[str, ...]
) -> None:
    client = start("chat", ref, "My kettle leaks", *flags)
    worker = worker_of(client, "ftproviders.worker.chat")
    client.kill()
    until(lambda: gone(worker), seconds=30)
    out, told = client.communicate()
    assert out == ""
    assert ("Loading the model" in told) == (not flags)
    assert told.count("\n") == (0 if flags else 1)


def test_a_tied_program_ends_with_the_process_that_started_it(rig: Rig) -> None:
    """The converter of GGUF files, when the worker of an export is killed."""
    code = (
        "import os, subprocess, sys\n"
        "tied = [sys.executable, '-m', 'ftproviders.worker.tied', str(os.getpid())]\n"
        "sleeper = [sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(600)']\n"
        "child = subprocess.Popen([*tied, *sleeper], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert not gone(child)
        parent.kill()
        until(lambda: gone(child))


# --- a training that was killed -------------------------------------------------------------------


@pytest.fixture
def command(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Run a command line in this process; its workers only pretend to train."""
    from ftproviders.adapters.local import adapter
    from ftproviders.cli.main import main

    program = rig.adapter().program
    monkeypatch.setattr(adapter.process, "python_command", lambda _module: program)
    monkeypatch.setenv("FTPROVIDERS_HOME", str(rig.settings.home))
    monkeypatch.setenv("FTPROVIDERS_CACHE", str(rig.folder / "cache"))

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        return (code, *capsys.readouterr())

    return call


@pytest.mark.parametrize("step", [None, 2])
def test_events_and_resume_tell_of_a_death_and_where_it_goes_on(
    rig: Rig, command: Callable[..., Any], step: int | None
) -> None:
    ref = rig.ended(rig.create("die")).ref
    run = RunDirectory(rig.run())
    if step is not None:
        run.checkpoints.mkdir()
        (run.checkpoints / "latest.json").write_text(f'{{"step": {step}}}')
    for _ in range(2):  # told once, however often somebody looks
        code, told, notes = command("events", str(ref))
        assert (code, notes) == (0, "")
        assert told.count("\n") == 1
        assert "warning" in told
        assert "ended at step 2 of 9 without a verdict: it was killed" in told
    code, _, notes = command("resume", str(ref))
    assert code == 0
    where = "starts over" if step is None else "goes on from the checkpoint of step 2"
    assert f"It {where}" in notes
    rig.ended(ref)
    messages = [event.message for event in rig.adapter().events(ref)]
    assert messages[1].startswith(f"The job was resumed (attempt 2): it {where}")
    assert sum("without a verdict" in message for message in messages) == 1
    assert messages[-1] == "Training succeeded."


def test_a_job_without_events_says_so(rig: Rig, command: Callable[..., Any]) -> None:
    ref = rig.ended(rig.create()).ref
    (rig.run() / "events.jsonl").unlink()
    assert command("events", str(ref)) == (0, "", f"{ref} has no events; it is succeeded.\n")
    assert command("events", str(ref), "--quiet") == (0, "", "")


# --- places that cannot be written ----------------------------------------------------------------


@pytest.mark.parametrize("place", ["/proc/x", "train.jsonl/x", "train.jsonl/x/y"])
def test_an_export_to_an_impossible_place_names_it(
    rig: Rig, ref: str, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(rig.folder)
    code, _, told = command("export", ref, "--to", place)
    assert code == 2
    assert "error: The folder" in told
    assert f"{place} cannot be written" in told
    assert "hint: Name a folder in a place that you may write to" in told


@pytest.mark.parametrize("inside", ["", "deeper/still"])
def test_a_home_that_is_a_file_is_called_a_file(
    rig: Rig, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    monkeypatch.setenv("FTPROVIDERS_HOME", str(rig.data / inside))
    code, _, told = command("jobs")
    assert code == 2
    assert f"error: {rig.data} is a file" in told
    assert "Set FTPROVIDERS_HOME to a folder" in told
    assert "Errno" not in told
