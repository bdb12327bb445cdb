"""Addresses and keys as settings hold them: in one form, fit for a header, never shown together."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

__all__ = ["checked_key", "checked_url", "is_loopback", "without_key"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def checked_url(url: str, *, example: str = "https://host/v1") -> str:
    """Return an address in one form: no slash at the end, host in small letters.

    Args:
        url: The address.
        example: What one looks like, for the error.

    Raises:
        ValueError: It is no address of a web server, or holds a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        # What urllib says quotes the address, and a password may stand in it.
        raise ValueError(f"it must look like {example}") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"it must look like {example}")
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


def is_loopback(url: str) -> bool:
    """Say whether an address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
