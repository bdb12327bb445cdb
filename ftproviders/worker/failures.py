"""What goes wrong in a worker, in sentences for people. Standard library only."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

__all__ = ["NO_ROOM", "WorkCancelled", "WorkError", "WorkPaused", "explain"]


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk is full, the user's share of it, or a file would be larger than the user may write."""


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
    # torch's own class is recognised by name because this module must not import torch.
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return WorkError(
            f"Out of memory with batch_size={settings.get('batch_size')} and "
            f"max_length_tokens={settings.get('max_length_tokens')}. Make batch_size or "
            "max_length_tokens smaller, or raise gradient_accumulation_steps, which splits a "
            "batch.",
            code="out_of_memory",
            param="batch_size",
        )
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return WorkError(
            f"The disk is full: {error.filename or 'a file'} could not be written. Make room, or "
            f"set "
            "FTPROVIDERS_HOME and FTPROVIDERS_CACHE to another disk.",
            code="disk_full",
        )
    if isinstance(error, PermissionError):
        return WorkError(
            f"{error.filename or 'A file'} may not be read or written by this user. Change its "
            "permissions.",
            code="permission",
        )
    if isinstance(error, ImportError):
        return WorkError(
            f"{error.name or 'A module'} cannot be imported: {error}. "
            "Run: pip install 'ftproviders[local]'",
            code="missing_dependency",
        )
    return WorkError(f"{type(error).__name__}: {error}", code="crashed")
