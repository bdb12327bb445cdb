"""Processes and locks: start detached, say "I am here", find out who lives, stop.

Everything that depends on the operating system stands here. It is written for POSIX and tested on
Linux.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = [
    "READY_VARIABLE",
    "alive",
    "daemonize",
    "die_with_parent",
    "end_group",
    "ended",
    "environment",
    "exclusive",
    "hold",
    "launch",
    "python_command",
    "release",
    "signal_worker",
    "supported",
    "tell_parent",
    "try_hold",
    "watch_parent",
]

READY_VARIABLE = "FTPROVIDERS_READY_FD"
"""Holds the number of the pipe on which a worker tells its parent that it has taken over."""


_PR_SET_PDEATHSIG = 1
"""Number of the request in Linux' prctl(2)."""


def supported() -> bool:
    """Say whether this operating system has the locks and sessions that workers need."""
    return os.name == "posix"


# --- starting --------------------------------------------------------------------------------


def environment(*, threads: int | None = None) -> dict[str, str]:
    """Return the environment for a worker.

    Waiting threads must sleep instead of spinning: with other work on the same cores, spinning was
    measured to halve the speed, and these variables are read before Python starts.

    Args:
        threads: Threads for matrix work; None = the library's choice.
    """
    env = dict(os.environ)
    env.setdefault("GOMP_SPINCOUNT", "0")
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    env.setdefault("TOKENIZERS_PARALLELISM", "false")
    if threads is not None:
        env["OMP_NUM_THREADS"] = str(threads)
    home = str(Path(__file__).resolve().parents[2])
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if home not in installed:
        # A source tree: the child has another working folder and must find the package all the
        # same.
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [home, env.get("PYTHONPATH")]))
    return env


def launch(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    environ: Mapping[str, str],
    timeout_seconds: float,
) -> str | None:
    """Start a worker that outlives us, and wait for its word.

    The command must call `daemonize` and then `tell_parent`. Its output goes to `log`.

    Args:
        command: Program and arguments.
        log: File that gets everything the program prints.
        folder: Working folder of the program.
        environ: Its environment.
        timeout_seconds: How long to wait for its word.

    Returns:
        The word; empty when the program ended without one; None when none came in time.
    """
    reader, writer = os.pipe()
    try:
        with _private_append(log) as output:
            starter = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**environ, READY_VARIABLE: str(writer)},
                pass_fds=(writer,),
                start_new_session=True,
            )
        os.close(writer)
        writer = -1
        word = _read_word(reader, timeout_seconds)
        # The starter leaves as soon as it has forked the worker; after a word or an end of file it
        # is
        # gone or going. When nothing came in time it hangs, and so does whatever it started.
        if word is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(starter.pid, signal.SIGKILL)
        starter.wait()
        return word
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def daemonize() -> None:
    """Leave the process that started us, so that it never has to wait for us.

    Called first thing in a worker, while there is one thread. The starter exits, the fork goes on
    in the session that the starter leads, hence with the starter's number as its process group.
    """
    if os.fork() > 0:
        os._exit(0)


def die_with_parent(parent: int) -> None:
    """Have the system end this process with the one that started it, however that one ends.

    Linux sends SIGKILL by itself; elsewhere a thread looks twice a second.

    Args:
        parent: The parent's process number, to notice that it died before this call.
    """
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    else:
        watch_parent(parent)
    if os.getppid() != parent:
        os._exit(1)


def watch_parent(parent: int) -> None:
    """End this process within a second of the one that started it, however that one ends.

    Unlike `die_with_parent` it does not mind that the thread which started us ends before its
    process does.

    Args:
        parent: The parent's process number.
    """
    import threading

    threading.Thread(target=_end_without, args=(parent,), daemon=True).start()


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def tell_parent(word: str) -> None:
    """Say one word to the process in `launch`, which may be dead by now."""
    number = os.environ.pop(READY_VARIABLE, None)
    if number is None:
        return
    with contextlib.suppress(OSError):
        os.write(int(number), word.encode())
    with contextlib.suppress(OSError):
        os.close(int(number))


def _read_word(reader: int, timeout_seconds: float) -> str | None:
    deadline = time.monotonic() + timeout_seconds
    received = b""
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(reader, 256)
        if not chunk:
            return received.decode()
        received += chunk


@contextlib.contextmanager
def _private_append(path: Path) -> Iterator[int]:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield number
    finally:
        os.close(number)


# --- locks -----------------------------------------------------------------------------------


def hold(path: Path) -> int:
    """Take the lock of the file `path`, waiting for it; it ends with the process or `release`.

    The lock belongs to the open file, so it stays held when the folder around it is renamed.
    """
    import fcntl

    number = _open_lock(path)
    fcntl.flock(number, fcntl.LOCK_EX)
    return number


def try_hold(path: Path) -> int | None:
    """Take the lock of the file `path`, or return None when somebody has it."""
    import fcntl

    number = _open_lock(path)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    return number


def release(number: int) -> None:
    """Give back what `hold` or `try_hold` returned."""
    os.close(number)


def alive(path: Path) -> bool:
    """Say whether a process holds the lock of the file `path`.

    Looking takes a shared lock for an instant, so that two lookers do not see each other.
    """
    import fcntl

    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(number)
    return False


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of the file `path` for a block; waits for other processes."""
    number = hold(path)
    try:
        yield
    finally:
        release(number)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


# --- stopping --------------------------------------------------------------------------------


def signal_worker(pid: int, started_at: float, *, kill: bool, number: int = signal.SIGTERM) -> bool:
    """Ask a worker for something, or end its whole process group.

    Args:
        pid: The worker's process.
        started_at: Its start time in seconds since the epoch, as psutil tells it: a number that was
            given to another process in the meantime is left alone.
        kill: False = a signal to the process, True = SIGKILL to its group.
        number: The signal to the process; the default asks it to stop.

    Returns:
        Whether there was such a process.
    """
    import psutil

    try:
        found = psutil.Process(pid)
        if abs(found.create_time() - started_at) > 1.0:
            return False
        if kill:
            os.killpg(os.getpgid(pid), signal.SIGKILL)
        else:
            found.send_signal(number)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def ended(pid: int) -> bool:
    """Say whether a child of ours has ended; its number stays taken until it is waited for."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def end_group(pid: int) -> None:
    """End every process of the group that `pid`, a child of ours not yet waited for, leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def python_command(module: str) -> list[str]:
    """Return the command that runs a module of ours; the working folder is not on its path."""
    return [sys.executable, "-P", "-m", module]
