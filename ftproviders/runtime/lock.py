"""One process at a time for one submission."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from ftproviders.config import Config
from ftproviders.errors import ConfigurationError, JournalError

__all__ = ["is_locked", "submission_lock"]


@contextmanager
def submission_lock(
    config: Config,
    series_id: str,
    *,
    on_progress: Callable[[str], None],
    doing: str = "submitting the same job",
    operation: str = "submit",
) -> Iterator[None]:
    """Hold the operating system's lock of a submission; it ends with the process, however it ends.

    Args:
        config: Where the locks are and how long to wait.
        series_id: Id of attempt 1, shared by all attempts.
        on_progress: Told when another process holds the lock.
        doing: What the holder of the lock is doing, for people.
        operation: Its name, for errors.

    Raises:
        JournalError: The lock file cannot be made; nothing was sent.
        ConfigurationError: Another process held the lock for longer than the time-out.
    """
    folder = config.home / "locks"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(folder / f"{series_id}.lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_progress(f"another process is {doing}; waiting for it")
            lock.acquire(timeout=config.lock_timeout_seconds)
    except Timeout as error:
        raise ConfigurationError(
            f"Another process has been {doing} for more than "
            f"{config.lock_timeout_seconds:g} seconds; nothing was sent from here.",
            operation=operation,
            hint="Wait for it, or end it, then run the same command again.",
        ) from error
    except OSError as error:
        raise JournalError(
            f"The lock in {folder} cannot be made: {error}. Nothing was sent.",
            operation=operation,
            hint="Correct the folder's permissions, or set FTPROVIDERS_HOME to another folder.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(config: Config, series_id: str) -> bool:
    """Say whether a process is at work on a submission now.

    Raises:
        JournalError: The lock file cannot be read.
    """
    path = config.home / "locks" / f"{series_id}.lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, mode=0o600, timeout=0):
            return False
    except Timeout:
        return True
    except OSError as error:
        raise JournalError(
            f"The lock {path} cannot be read: {error}. Nothing was sent.",
            operation="files",
            hint="Correct the folder's permissions, or set FTPROVIDERS_HOME to another folder.",
        ) from error
