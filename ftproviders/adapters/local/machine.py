"""Which machine this is: a name that is made once and kept in the state folder."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
from pathlib import Path

from ftproviders.errors import ConfigurationError
from ftproviders.worker import process
from ftproviders.worker.rundir import private_folder

__all__ = ["machine_name", "unsupported"]


def unsupported() -> ConfigurationError | None:
    """Say why jobs and chats cannot run on this operating system, or None."""
    if process.supported():
        return None
    return ConfigurationError(
        "Provider local needs the file locks and sessions of Linux or macOS.",
        provider="local",
        hint="Run it on such a system, for instance in a Linux container.",
    )


def machine_name(folder: Path) -> str:
    """Return ``<host name>-<8 hexadecimal digits>``, made when it is asked for first.

    Two processes that ask first at the same time get the same name: it is linked into place, and a
    link never replaces a file.

    Args:
        folder: The provider's state folder.
    """
    file = folder / "machine"
    with contextlib.suppress(FileNotFoundError):
        return file.read_text(encoding="utf-8").strip()
    host = re.sub(r"[^A-Za-z0-9-]+", "-", socket.gethostname()).strip("-")[:60] or "machine"
    draft = private_folder(folder) / f".machine-{secrets.token_hex(8)}"
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as content:
            content.write(f"{host}-{secrets.token_hex(4)}\n")
            content.flush()
            os.fsync(content.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
    return file.read_text(encoding="utf-8").strip()
