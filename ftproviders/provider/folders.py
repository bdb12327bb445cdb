"""Writing a folder of the user's so that it is there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ftproviders.errors import ConfigurationError

__all__ = ["refuse_taken", "whole_folder"]


def refuse_taken(target: Path, *, provider: str | None = None) -> None:
    """Refuse a folder that has something in it, or a file of that name.

    Raises:
        ConfigurationError: It is so, or nobody lets us look.
    """
    with _named(target, provider=provider):
        if not target.exists() or (target.is_dir() and not any(target.iterdir())):
            return
        what = "is not empty" if target.is_dir() else "is a file"
    raise ConfigurationError(
        f"{target} {what}, so nothing is written there.",
        provider=provider,
        operation="export",
        hint="Name a folder that does not exist yet, or an empty one.",
    )


@contextlib.contextmanager
def whole_folder(target: Path, *, provider: str) -> Iterator[Path]:
    """Give a draft beside `target` to write in; it becomes `target` when the block ends well.

    Whatever is raised in the block removes the draft. Drafts for the same `target` whose writer was
    killed are removed first; those of writers that live are left alone.

    Args:
        target: The folder: absent or empty.
        provider: For errors.

    Raises:
        ConfigurationError: `target` has something in it, or cannot be made.
    """
    refuse_taken(target, provider=provider)
    with _named(target, provider=provider):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        draft, lock = _new_draft(target)
    try:
        yield draft
        # Asked again: somebody may have written there in the meantime.
        refuse_taken(target, provider=provider)
        with _named(target, provider=provider):
            if target.exists():
                target.rmdir()
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def _named(target: Path, *, provider: str | None) -> Iterator[None]:
    """Turn what the system says of a folder into a sentence that names the user's own."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(
            f"The folder {target} cannot be written: the system says of {target.parent} that "
            f"there is {reason!r}.",
            provider=provider,
            operation="export",
            hint="Name a folder in a place that you may write to, for instance in your home "
            "folder.",
        ) from error


# --- drafts ----------------------------------------------------------------------------------


def _prefix(target: Path) -> str:
    """Return how the drafts of this machine begin: on a shared disk locks may not be seen."""
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f".{target.name}.new-{machine}-"


def _new_draft(target: Path) -> tuple[Path, int | None]:
    """Make a draft; its lock is ours as long as we live, None where folders cannot be locked."""
    while True:
        draft = target.with_name(_prefix(target) + secrets.token_hex(4))
        draft.mkdir()
        try:
            lock = _try_lock(draft)
        except OSError:
            return draft, None
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        if lock is not None:
            if draft.is_dir():
                return draft, lock
            os.close(lock)
        # Between its making and its lock somebody took it for a dead one and removed it.


def _sweep(target: Path) -> None:
    """Remove the drafts of writers that are gone: nobody holds their locks."""
    prefix = _prefix(target)
    for path in target.parent.iterdir():
        if not path.name.startswith(prefix):
            continue
        try:
            lock = _try_lock(path)
        except OSError:
            continue  # cannot be locked here, so nobody can tell
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _try_lock(folder: Path) -> int | None:
    """Lock a folder until the number is closed or we end; None when somebody else has it.

    The lock belongs to the open folder, so it stays when the folder is renamed.
    """
    try:
        import fcntl
    except ImportError as error:
        raise OSError("this system has no such locks") from error
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    except BaseException:
        os.close(number)
        raise
    return number
