"""What is OpenAI's own: the address, the key, and how an account is called."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

__all__ = [
    "PUBLIC_URL",
    "account_name",
    "checked_key",
    "checked_url",
    "is_loopback",
    "is_public",
    "ref_account",
    "without_key",
]

PUBLIC_URL = "https://api.openai.com/v1"
_PUBLIC_HOST = "api.openai.com"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def checked_url(url: str) -> str:
    """Return an address in one form: no slash at the end, host in small letters.

    Raises:
        ValueError: It is no address of a web server, or holds a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        # What urllib says quotes the address, and a password may stand in it.
        raise ValueError("it must look like https://host/v1") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("it must look like https://host/v1")
    # A slash in a password ends the host, so an @ anywhere is one too many.
    if "@" in url or parts.query or parts.fragment:
        raise ValueError("it must not hold a user, a password, a query or a fragment")
    host = parts.hostname.lower()
    host = f"[{host}]" if ":" in host else host
    where = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{where}{parts.path.rstrip('/')}"


def checked_key(key: SecretStr) -> SecretStr:
    """Return a key that a header can carry.

    Raises:
        ValueError: It cannot; what HTTP libraries say then would quote it.
    """
    text = key.get_secret_value()
    if not (text.isascii() and text.isprintable() and text == text.strip()):
        raise ValueError("it must be printable ASCII without a line break or blank at its ends")
    return key


def without_key(name: str | None, *, key: SecretStr | None) -> str | None:
    """Return a setting that is part of the account, which is shown and journaled.

    Raises:
        ValueError: It holds the key, or what looks like one.
    """
    from ftproviders.data.secrets import find_secrets

    own = key.get_secret_value() if key else ""
    if name and ((own and own in name) or find_secrets(name.encode("utf-8", "replace"))):
        raise ValueError("it holds what looks like a key, and would be shown")
    return name


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
