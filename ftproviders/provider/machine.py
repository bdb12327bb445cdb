"""Who works from here: one name of user and machine, made once and kept in the state folder.

Deployments carry it as their owner; provider ``local`` calls the machine by its second half.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import socket
from pathlib import Path

from ftproviders.errors import JournalError

__all__ = ["machine_name", "owner"]

_OWNER = re.compile(r"[A-Za-z0-9.@_-]{3,120}")
_MACHINE = re.compile(r"[A-Za-z0-9._-]{1,120}")
_EARLIER = ("local", "machine")
"""Where the machine's name was kept before there was one file; refs name it, so it holds on."""


def owner(home: Path) -> str:
    """Return who works from here: ``<user>@<host name>-<8 hexadecimal digits>``.

    Made once and kept in the state folder, so that a renamed machine stays the same owner. Two
    processes that ask first at the same time get the same one: a link never replaces a file.

    Args:
        home: The state folder (``FTPROVIDERS_HOME``).

    Raises:
        JournalError: The state folder cannot be read or written.
    """
    file = home / "owner"
    try:
        with contextlib.suppress(FileNotFoundError):
            return _read(file, _OWNER)
        _keep(file, f"{_user()}@{_earlier(home) or _new_machine()}\n")
        return _read(file, _OWNER)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(file, error) from error


def machine_name(home: Path) -> str:
    """Return ``<host name>-<8 hexadecimal digits>``: what follows the ``@`` in `owner`.

    Args:
        home: The state folder (``FTPROVIDERS_HOME``).

    Raises:
        JournalError: The state folder cannot be read or written.
    """
    try:
        earlier = _earlier(home)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(home.joinpath(*_EARLIER), error) from error
    return earlier or owner(home).rpartition("@")[2]


def _earlier(home: Path) -> str | None:
    try:
        return _read(home.joinpath(*_EARLIER), _MACHINE)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _read(file: Path, form: re.Pattern[str]) -> str:
    text = file.read_text(encoding="utf-8").strip()
    if not form.fullmatch(text):
        raise OSError("it does not hold one name")
    return text


def _keep(file: Path, text: str) -> None:
    """Write a file that was not there; the one of a process that was faster stays."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as content:
            content.write(text)
            content.flush()
            os.fsync(content.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


def _user() -> str:
    try:
        return _plain(getpass.getuser(), "user")
    except (OSError, KeyError):  # a container without a user database
        return "user"


def _new_machine() -> str:
    return f"{_plain(socket.gethostname(), 'machine')}-{secrets.token_hex(4)}"


def _plain(text: str, otherwise: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-")[:40] or otherwise


def _unusable(file: Path, error: Exception) -> JournalError:
    return JournalError(
        f"Who works from here stands in {file}, and it cannot be used: {error}. Nothing was sent.",
        operation="identify",
        hint="Correct the folder's permissions, or set FTPROVIDERS_HOME to another folder.",
    )
