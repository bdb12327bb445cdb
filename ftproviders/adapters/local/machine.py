"""Whether this operating system can run jobs and chats."""

from __future__ import annotations

from ftproviders.errors import ConfigurationError
from ftproviders.worker import process

__all__ = ["unsupported"]


def unsupported() -> ConfigurationError | None:
    """Say why jobs and chats cannot run on this operating system, or None."""
    if process.supported():
        return None
    return ConfigurationError(
        "Provider local needs the file locks and sessions of Linux or macOS.",
        provider="local",
        hint="Run it on such a system, for instance in a Linux container.",
    )
