"""What is OpenAI's own: the address, and how an account is called."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = [
    "PUBLIC_URL",
    "account_name",
    "is_public",
    "ref_account",
]

PUBLIC_URL = "https://api.openai.com/v1"
_PUBLIC_HOST = "api.openai.com"


def is_public(url: str) -> bool:
    """Say whether an address is OpenAI's own, also in another region (``eu.api.openai.com``)."""
    host = urlsplit(url).hostname or ""
    return host == _PUBLIC_HOST or host.endswith(f".{_PUBLIC_HOST}")


def account_name(
    url: str, *, organization: str | None, project: str | None, profile: str | None
) -> str:
    """Return the full name of an account: where it is, and whose. Never a key."""
    named = {"org": organization, "project": project, "profile": profile}
    return " ".join([url, *(f"{name}={value}" for name, value in named.items() if value)])


def ref_account(url: str, *, organization: str | None, project: str | None) -> str | None:
    """Return how refs write an account; None where it is OpenAI's public default."""
    parts = urlsplit(url)
    path = parts.path.removesuffix("/v1").strip("/")
    where = [] if url == PUBLIC_URL else [parts.netloc, *([path] if path else [])]
    whose = [value for value in (organization, project) if value]
    return "/".join([*where, *whose]) or None
