"""What is OpenAI's own: the address, and how an account is called."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["PUBLIC_URL", "account_name", "checked_url", "is_loopback", "is_public", "ref_account"]

PUBLIC_URL = "https://api.openai.com/v1"
_PUBLIC_HOST = "api.openai.com"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def checked_url(url: str) -> str:
    """Return an address in one form: no slash at the end, host in small letters.

    Raises:
        ValueError: It is no address of a web server, or holds a password, a query or a fragment.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("it must look like https://host/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("it must not hold a user, a password, a query or a fragment")
    host = parts.hostname.lower()
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def is_public(url: str) -> bool:
    """Say whether an address is OpenAI's own, also in another region (``eu.api.openai.com``)."""
    host = urlsplit(url).hostname or ""
    return host == _PUBLIC_HOST or host.endswith(f".{_PUBLIC_HOST}")


def is_loopback(url: str) -> bool:
    """Say whether an address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
