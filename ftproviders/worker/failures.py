"""What goes wrong in a worker, in sentences for people. Standard library only."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["NO_ROOM", "WorkCancelled", "WorkError", "WorkPaused", "explain"]


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk is full, the user's share of it, or a file would be larger than the user may write."""


_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|std::bad_alloc", re.IGNORECASE)
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


class WorkCancelled(BaseException):
    """Somebody asked to cancel. Not an Exception, so that no library swallows it."""


class WorkPaused(BaseException):
    """Somebody asked to pause, and all that is needed to go on is kept."""


class WorkError(Exception):
    """The work cannot go on, for a reason that is known.

    Args:
        message: What happened and what to change.
        code: Short stable word for programs, for instance ``no_labels``.
        param: The setting or file concerned.
    """

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


def explain(error: BaseException, settings: Mapping[str, Any]) -> WorkError:
    """Turn any exception into a failure that a person can act on.

    Args:
        error: What was raised.
        settings: The job's resolved settings, to name values in the advice.
    """
    if isinstance(error, WorkError):
        return error
    if _is_out_of_memory(error):
        return WorkError(
            f"Out of memory with batch_size={settings.get('batch_size')} and "
            f"max_length_tokens={settings.get('max_length_tokens')}. Raise "
            "gradient_accumulation_steps, which splits a batch, switch gradient_checkpointing on, "
            "or make batch_size or max_length_tokens smaller; tuning=qlora holds the base model in "
            "a quarter of the room.",
            code="out_of_memory",
            param="batch_size",
        )
    refused = _explain_system(error)
    if refused is not None:
        return refused
    if isinstance(error, ImportError):
        return WorkError(
            f"{error.name or 'A module'} cannot be imported: {error}. "
            "Run: pip install 'ftproviders[local]'",
            code="missing_dependency",
        )
    return WorkError(f"{type(error).__name__}: {error}", code="crashed")


def _explain_system(error: BaseException) -> WorkError | None:
    """Turn what the system refused into a failure; None = it was not the system."""
    number, named = _system_number(error), getattr(error, "filename", None)
    if number in NO_ROOM:
        return WorkError(
            f"The disk is full: {named or 'a file'} could not be written. Make room, or set "
            "FTPROVIDERS_HOME and FTPROVIDERS_CACHE to another disk.",
            code="disk_full",
        )
    if number == errno.EROFS:
        return WorkError(
            f"{named or 'A file'} could not be written: its disk is read-only now. Mount it "
            "writable again; a disk that has become read-only by itself may be failing.",
            code="read_only",
        )
    if isinstance(error, PermissionError):
        return WorkError(
            f"{named or 'A file'} may not be read or written by this user. Change its permissions.",
            code="permission",
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return WorkError(
            f"{named or error} is missing: it was there before, or should be. Put it back.",
            code="file_missing",
        )
    if number is not None:
        return WorkError(
            f"The system refused: {error}. Look at the disk or the network that it is on.",
            code="io_error",
        )
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's own class is recognised by name because this module must not import torch. Its
    # allocator for processors raises a RuntimeError that only its text tells from others.
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))


def _system_number(error: BaseException) -> int | None:
    """Return the number of the system's error; None = it is none of the system's."""
    if isinstance(error, OSError):
        return error.errno
    # safetensors is written in Rust: the number of the system's error is in the text alone.
    told = _SYSTEM_ERROR.search(str(error)) if type(error).__name__ == "SafetensorError" else None
    return None if told is None else int(told[1])
