"""The worker's side of a training in several processes: start them, watch them, judge them.

The worker keeps the run's lock and starts ``torchrun``, which starts the processes (`rank`). Each
of them gets the lock too, so that the run counts as alive until the last is gone, and each ends
with the process that started it. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftproviders.worker import process
from ftproviders.worker.failures import WorkCancelled, WorkError, WorkPaused
from ftproviders.worker.lifecycle import Request, Run
from ftproviders.worker.rundir import read_json

__all__ = [
    "CORES_VARIABLE",
    "is_distributed",
    "launch_ranks",
    "launcher_line",
    "outcome_file",
    "receive_lock",
    "scratch_folder",
    "threads_each",
]

CORES_VARIABLE = "FTPROVIDERS_CORES"
"""Processor threads that the processes of this machine share."""
_LOCK_VARIABLE = "FTPROVIDERS_LOCK_SOCKET"
_PROGRAM = "ftproviders.worker.rank"
_LOOK_SECONDS = 0.1
_LAST_LINES = 3


def is_distributed(settings: Mapping[str, Any]) -> bool:
    """Say whether a job trains in several processes."""
    return int(settings.get("processes", 1)) * int(settings.get("nodes", 1)) > 1


def outcome_file(folder: Path, rank: int) -> Path:
    """Return the file in which a process says how it ended; process 0 always, others on failure."""
    return folder / f"rank-{rank}.json"


def scratch_folder(folder: Path, rank: int) -> Path:
    """Return the folder that a process other than 0 may write in."""
    return folder / f".new-rank-{rank}"


def threads_each(processes: int, cores: str | None) -> int:
    """Return how many threads each process of this machine gets.

    Args:
        processes: Processes on this machine.
        cores: Threads for all of them; None = all cores.
    """
    if cores:
        every = int(cores)
    elif hasattr(os, "sched_getaffinity"):  # not everywhere
        every = len(os.sched_getaffinity(0))
    else:
        every = os.cpu_count() or 1
    return max(1, every // processes)


# --- the command -----------------------------------------------------------------------------


def torchrun_arguments(
    settings: Mapping[str, Any], *, node: int, run_id: str, folder: str
) -> list[str]:
    """Return torchrun's arguments for one machine.

    Args:
        settings: The job's resolved settings.
        node: Number of the machine; 0 is the one that holds the run.
        run_id: The same word on every machine.
        folder: The run's folder.
    """
    nodes = settings["nodes"]
    if nodes == 1:
        meet = ["--standalone", "--local-addr", "127.0.0.1"]
    else:
        # "static": process 0 is on machine 0, where the run's lock is; with "c10d" the sorted
        # names of the machines would decide.
        meet = [
            "--node-rank",
            str(node),
            "--rdzv-backend",
            "static",
            "--rdzv-endpoint",
            settings["rendezvous"],
            "--rdzv-id",
            run_id,
        ]
    size = ["--nnodes", str(nodes), "--nproc-per-node", str(settings["processes"])]
    return [*size, *meet, "-m", _PROGRAM, folder]


def launcher_line(settings: Mapping[str, Any], *, node: int, run_id: str, folder: str) -> str:
    """Return the line that a person types on machine `node`."""
    arguments = torchrun_arguments(settings, node=node, run_id=run_id, folder=folder)
    return shlex.join(["torchrun", *arguments])


# --- start and watch -------------------------------------------------------------------------


def launch_ranks(run: Run) -> Mapping[str, object]:
    """Train in several processes.

    Args:
        run: The run, whose lock this process holds.

    Returns:
        What process 0 found out, for ``status.json``.

    Raises:
        WorkError: A process failed.
        WorkCancelled: Somebody asked to stop.
        WorkPaused: Somebody asked to pause, and a checkpoint is written or nothing was done yet.
    """
    folder = run.directory.path
    settings = run.job["settings"]
    for old in (*folder.glob("rank-*.json"), folder / "agent.json"):
        old.unlink(missing_ok=True)
    _announce(run, settings)
    run.check()
    with _lock_for_ranks(run) as server:
        agent = _start(run, settings, server)
        try:
            request = _watch(run, agent, server)
        finally:
            _end(agent)
            for scratch in folder.glob(".new-rank-*"):
                shutil.rmtree(scratch, ignore_errors=True)
    run.directory.reread()
    if request is not None:
        raise WorkCancelled if request is Request.CANCEL else WorkPaused
    return _judge(run, code=agent.returncode)


def _announce(run: Run, settings: Mapping[str, Any]) -> None:
    count, nodes = settings["processes"], settings["nodes"]
    run.event(f"Training with {settings['parallel']} in {count * nodes} processes.")
    for node in range(1, nodes):
        name = run.directory.path
        line = launcher_line(settings, node=node, run_id=name.name, folder=str(name))
        run.event(f"Waiting for machine {node} of {nodes - 1} more. Run there: {line}")


def _start(run: Run, settings: Mapping[str, Any], server: _LockServer) -> subprocess.Popen[bytes]:
    folder = run.directory.path
    arguments = torchrun_arguments(settings, node=0, run_id=folder.name, folder=str(folder))
    environ = {
        **os.environ,
        _LOCK_VARIABLE: server.address,
        CORES_VARIABLE: os.environ.get("OMP_NUM_THREADS", ""),
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    # Also for torchrun itself, which would otherwise choose 1 and warn.
    environ["OMP_NUM_THREADS"] = str(
        threads_each(settings["processes"], environ[CORES_VARIABLE] or None)
    )
    if settings["nodes"] == 1 and "GLOO_SOCKET_IFNAME" not in environ and sys.platform == "linux":
        environ["GLOO_SOCKET_IFNAME"] = "lo"  # nobody outside needs to reach these sockets
    command = process.python_command("ftproviders.worker.agent")
    return subprocess.Popen(
        [*command, str(os.getpid()), str(folder / "agent.json"), *arguments],
        stdin=subprocess.DEVNULL,
        env=environ,
        pass_fds=(server.lock,),
    )


def _watch(run: Run, agent: subprocess.Popen[bytes], server: _LockServer) -> Request | None:
    """Wait for the processes; returns the request for which they are to be ended, if any.

    Processes that train look for requests themselves and stop together after a step.
    """
    while agent.poll() is None:
        server.serve(_LOOK_SECONDS)
        request = run.requested()
        if request is None:
            continue
        if request is Request.CANCEL:
            run.directory.request_cancel()  # SIGTERM alone left nothing that they could see
        if run.directory.status().get("status") != "running":
            return request
    return None


def _end(agent: subprocess.Popen[bytes]) -> None:
    """End torchrun if it still runs; its processes end with it."""
    if agent.poll() is None:
        agent.send_signal(signal.SIGKILL)
    agent.wait()


# --- the verdict -----------------------------------------------------------------------------


def _judge(run: Run, *, code: int) -> Mapping[str, object]:
    folder = run.directory.path
    outcome = read_json(outcome_file(folder, 0))
    word = outcome.get("outcome")
    # Process 0 writes it when all of them have come to the end. What becomes of one that is left
    # behind in its farewell, or stumbles while Python shuts down, changes nothing any more.
    if word in ("cancelled", "paused"):
        raise WorkCancelled if word == "cancelled" else WorkPaused
    if word == "done" and run.directory.adapter.is_dir():
        facts: dict[str, object] = outcome["facts"]
        return facts
    raise _cause(run, code)


def _cause(run: Run, code: int) -> WorkError:
    """Find the process that failed first: the others then fail because it is gone."""
    folder = run.directory.path
    said = {_rank_of(file): read_json(file) for file in sorted(folder.glob("rank-*.json"))}
    failed = {rank: words for rank, words in said.items() if words.get("outcome") == "failed"}
    for words in failed.values():
        if words["code"] != "crashed":
            return WorkError(words["message"], code=words["code"], param=words["param"])
    silent = [
        failure
        for failure in read_json(folder / "agent.json").get("failures", [])
        if failure["rank"] not in failed
    ]
    # SIGTERM is how torchrun ends the others: no cause, as long as there is any other.
    for failure in silent:
        if failure["exit_code"] != -signal.SIGTERM:
            return _died(run, failure["rank"], failure["exit_code"])
    for rank, words in failed.items():
        message = f"Process {rank} of the training failed: {words['message']}"
        return WorkError(f"{message}. {_logs(folder)}", code="crashed")
    return WorkError(
        f"torchrun ended with exit code {code} without a result. It said: "
        f"{run.directory.last_words(_LAST_LINES)}. {_logs(folder)}",
        code="crashed",
    )


def _died(run: Run, rank: int, code: int) -> WorkError:
    how = f"exit code {code}"
    if code < 0:
        how = f"signal {-code} ({signal.Signals(-code).name})"
        if -code == signal.SIGKILL:
            how += ", which is what the system sends when memory runs out"
    words = run.directory.last_words(_LAST_LINES, rank=rank) or "nothing"
    return WorkError(
        f"Process {rank} of the training was ended by {how}. Its last words: {words}. "
        f"{_logs(run.directory.path)}",
        code="rank_died",
    )


def _logs(folder: Path) -> str:
    return f"The logs are {folder}/worker.log (process 0) and {folder}/rank-*.log"


def _rank_of(file: Path) -> int:
    return int(file.stem.removeprefix("rank-"))


# --- the lock, handed to every process -------------------------------------------------------


class _LockServer:
    """Gives an open lock to whoever connects; only this user can reach the socket.

    Args:
        listener: A listening Unix socket.
        lock: The open lock.
        address: The socket's path.
    """

    def __init__(self, listener: socket.socket, lock: int, address: str) -> None:
        self.listener = listener
        self.lock = lock
        self.address = address

    def serve(self, seconds: float) -> None:
        """Serve whoever comes within that time."""
        ready, _, _ = select.select([self.listener], [], [], seconds)
        if ready:
            connection, _ = self.listener.accept()
            with connection, contextlib.suppress(OSError):
                socket.send_fds(connection, [b"lock"], [self.lock])


@contextlib.contextmanager
def _lock_for_ranks(run: Run) -> Iterator[_LockServer]:
    if run.lock is None:
        raise RuntimeError("a run in several processes needs the worker's lock")
    with tempfile.TemporaryDirectory(prefix="ft-") as folder:
        address = str(Path(folder) / "lock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(64)
            yield _LockServer(listener, run.lock, address)


def receive_lock() -> Sequence[int]:
    """Take the run's lock from the worker; it is held until this process ends.

    Returns:
        The open lock.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ.pop(_LOCK_VARIABLE))
        _, numbers, _, _ = socket.recv_fds(connection, 16, 1)
    return numbers
