"""What every SDK client of ours is made with, whoever is called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ftproviders.adapters._openai_dialect.addresses import is_loopback

__all__ = ["client_arguments"]

_CONNECT_SECONDS = 10.0


def client_arguments(
    sdk: Any, url: str, *, timeout_seconds: float, headers: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return arguments for the SDK's client.

    Args:
        sdk: The module ``openai``; only an adapter imports it.
        url: The address that is called.
        timeout_seconds: How long to wait for an answer.
        headers: Those that say who asks, in lower case; None = not sent.
    """
    plain_and_here = is_loopback(url) and url.startswith("http:")
    return {
        "timeout": sdk.Timeout(timeout_seconds, connect=_CONNECT_SECONDS),
        "default_headers": _instead_of_custom_headers(headers, absent=sdk.Omit()),
        # The runtime tries again, and knows what must not be sent twice.
        "max_retries": 0,
        "http_client": sdk.DefaultHttpx2Client(
            # Key and data go to the address that was set, and nowhere else.
            follow_redirects=False,
            # A proxy for the internet cannot reach a server on this machine.
            trust_env=not plain_and_here,
            # Without TLS and redirects there is no certificate to check: loading all of the
            # machine's takes longer than most requests.
            verify=not plain_and_here,
        ),
    }


def _instead_of_custom_headers(headers: Mapping[str, str | None], *, absent: Any) -> dict[str, Any]:
    """Return what overrides OPENAI_CUSTOM_HEADERS, which the SDK reads: another key, or whose."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    names = [line.partition(":")[0].strip() for line in lines if ":" in line]
    return {name: headers.get(name.lower()) or absent for name in names}
