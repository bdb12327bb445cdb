"""Settings and job options of the in-memory provider."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from ftproviders.provider.options import ProviderOptions, ProviderSettings

__all__ = ["DEFAULT_ACCOUNT", "MARKER", "MemoryOptions", "MemorySettings"]

DEFAULT_ACCOUNT = "default"
MARKER = "ftproviders_submission"
"""Name of the metadata that carries a submission's id."""


def _split_words(value: object) -> object:
    # The environment and `-o walk=...` can only give one string.
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_split_words), Field(min_length=1)]


class MemorySettings(ProviderSettings):
    """How the in-memory server behaves; each field has ``FTPROVIDERS_MEMORY_<FIELD>``."""

    folder: Path | None = None
    """Folder of the server's state; default ``<home>/memory``. Another folder, another server."""
    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = DEFAULT_ACCOUNT
    """Account at the server; jobs of other accounts are not found."""
    api_key: SecretStr | None = None
    """Sent with every request; checked only by a server that was made with a key."""
    lag_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Seconds until lists show a new job; reading it by id works at once."""
    page_size: Annotated[int, Field(ge=1)] = 3
    """Items in one page of a list; small, so that paging is always exercised."""
    walk: Words | None = None
    """Status words that jobs go through, one a read; comma-separated in the environment."""
    paid: bool = False
    """Pretend that training costs money: consent is asked for and cost limits apply."""
    usd_per_million_tokens: Annotated[float, Field(ge=0)] | None = None
    """Price of training tokens when `paid`; None = the cost is unknown."""
    faults: str | None = None
    """Scripted faults: JSON text, or the path of a JSON file. Each fires once for this server."""


class MemoryOptions(ProviderOptions):
    """Options of one job at the in-memory provider."""

    priority: Literal["normal", "high"] | None = None
    """Queue priority; the server keeps it and shows it."""
    walk: Words | None = None
    """Status words that this job goes through, one a read; any word is allowed."""
