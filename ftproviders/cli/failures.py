"""From exception to exit code, sentence and JSON object: the only place that decides it.

0 done - 1 it ran and the answer is no - 2 wrong use or configuration - 3 the provider refused or is
down - 4 outcome unknown - 5 wait timed out or left, paused or stalled - 130 Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from ftproviders import errors
from ftproviders.cli.streams import ReaderGoneError, StreamError, settle

if TYPE_CHECKING:
    from ftproviders.cli.output import Output

__all__ = [
    "EXIT_CODES",
    "DeclinedError",
    "Interrupted",
    "WaitLeftError",
    "exit_code",
    "guarded",
    "report",
]

_ISSUES_SHOWN = 10
_AFTER_THE_VERB = ("--json", "--yes", "--quiet", "--debug", "--profile")
_ROW_BY_ROW = frozenset({"read", "split"})
"""Operations on data files whose errors name a row and carry no report."""


class DeclinedError(errors.ConsentError):
    """The user was asked and said no."""


class Interrupted(errors.FineTuneError):
    """Ctrl-C where there is more to say than that: a job goes on, or a request was under way."""


class WaitLeftError(errors.FineTuneError):
    """Waiting stopped before the job ended, because nobody reads what is said about it."""


EXIT_CODES: Mapping[type[BaseException], int] = {
    KeyboardInterrupt: 130,
    Interrupted: 130,
    errors.OutcomeUnknownError: 4,
    errors.WaitTimeoutError: 5,
    errors.JobPausedError: 5,
    errors.StalledError: 5,
    errors.DeploymentTimeoutError: 5,
    WaitLeftError: 5,
    errors.JobError: 1,
    errors.DeploymentFailedError: 1,
    errors.DatasetError: 1,
    DeclinedError: 1,
    errors.ProviderError: 3,
    errors.DeploymentError: 3,
    errors.FineTuneError: 2,
    # A flag that does not exist, a file that may not be read, and a fault of ours: the same
    # command would fail in the same way again.
    typer.TyperException: 2,
    Exception: 2,
}
"""Exception type -> exit code; the nearest class of the exception counts."""


def exit_code(error: BaseException) -> int:
    """Return the exit code for `error`."""
    if isinstance(error, errors.DatasetError) and error.report is None:
        # Without a report the file could not be read at all, unless rows were read one by one.
        return 1 if error.operation in _ROW_BY_ROW else 2
    for kind in type(error).__mro__:
        if kind in EXIT_CODES:
            return EXIT_CODES[kind]
    return 2


def guarded(action: Callable[[], int], *, output: Output, debug: bool) -> int:
    """Run `action`; whatever goes wrong becomes a sentence and an exit code, never a traceback.

    Args:
        action: What to do; returns its exit code.
        output: Where the sentence goes.
        debug: Show the traceback as well.

    Returns:
        The exit code.
    """
    try:
        return action()
    # Whoever leaves a pipe early, as in `| head`, has what they wanted.
    except (BrokenPipeError, ReaderGoneError):
        settle()
        return 0
    # The one place that catches everything: a person shall never see a traceback unasked.
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        if debug:
            with suppress(OSError):
                traceback.print_exc()
        with suppress(ReaderGoneError):
            report(error, output)
        settle()
        return exit_code(error)


def report(error: BaseException, output: Output) -> None:
    """Say what happened: two lines on stderr, or with ``--json`` one object on stdout.

    What stdout does not take is said on stderr as well.

    Raises:
        ReaderGoneError: Nobody reads stderr either.
    """
    facts = _facts(error)
    if output.json_mode:
        try:
            output.document("error", facts)
        except StreamError:
            pass
        else:
            return
    for line in _issues(error):
        output.complain(line)
    output.complain(f"error: {facts['message']}")
    if facts["hint"]:
        output.complain(f"hint: {facts['hint']}")


def _facts(error: BaseException) -> dict[str, Any]:
    message, hint = _words(error)
    ref = getattr(error, "ref", None)
    received = getattr(error, "received", "")
    return {
        "type": type(error).__name__,
        "message": message,
        "hint": hint,
        "ref": None if ref is None else str(ref),
        "code": getattr(error, "code", None),
        "status_code": getattr(error, "status_code", None),
        "request_id": getattr(error, "request_id", None),
        **({"received": received} if received else {}),
    }


def _words(error: BaseException) -> tuple[str, str]:
    if isinstance(error, errors.FineTuneError | StreamError):
        return error.message, error.hint
    if isinstance(error, typer.TyperException):
        return _misplaced(error) or (error.format_message(), _usage(error))
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", ""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}.", _os_hint(error)
    # The text of a foreign exception may hold a key, so only its type and place are named.
    where = f"Unexpected {type(error).__name__} in {_place(error)}"
    return (
        f"{where}: this is a fault of ftproviders or of a provider package.",
        "Run the command again with --debug and report what it shows.",
    )


def _misplaced(error: typer.TyperException) -> tuple[str, str] | None:
    """Tell a flag that every verb has, and that was written before the verb."""
    flag, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if flag not in _AFTER_THE_VERB or context is None or context.parent is not None:
        return None
    return f"{flag} stands before the verb.", f"Put it after the verb: ftproviders VERB {flag}"


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", None) or "ftproviders"
    return f"`{path} --help` shows how it is used."


def _os_hint(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            "Check who may read and write there; FTPROVIDERS_HOME names another folder for state."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Make room on that disk, or name another folder with FTPROVIDERS_HOME."
    return ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "an unknown place"
    parts = frames[-1].filename.replace(os.sep, "/").rsplit("/", 2)
    return f"{'/'.join(parts[-2:])}:{frames[-1].lineno}"


def _issues(error: BaseException) -> list[str]:
    """Return the first errors of a data file, so that nobody has to run a second command."""
    found = error.report if isinstance(error, errors.DatasetError) else None
    if found is None:
        return []
    from ftproviders.cli.shapes import issue_line

    bad = [issue for issue in found.issues if issue.severity == "error"]
    lines = [issue_line(found.file, issue) for issue in bad[:_ISSUES_SHOWN]]
    if len(bad) > _ISSUES_SHOWN:
        # The hint has the command that shows them all, with provider and method.
        lines.append(f"... and {len(bad) - _ISSUES_SHOWN} more.")
    return lines
