"""From a failed request, whatever SDK noticed it, to one of our errors."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from ftproviders.adapters._openai_dialect.explaining import (
    Explanation,
    by_code,
    by_param,
    by_status,
    row_numbers,
    rows_named,
)
from ftproviders.errors import (
    AuthenticationError,
    ModelRetiredError,
    NotFoundError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    UnexpectedResponseError,
)

__all__ = ["Decoder", "Refusal", "explained", "retry_after_seconds", "unsent"]

_LONGEST_MESSAGE = 600
_AUTHORITY = (
    "Where a proxy or a server of your own signs its certificates, let SSL_CERT_FILE and, for "
    "deployments and sign-in at Azure, REQUESTS_CA_BUNDLE name a file with its authority."
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A request that failed, as data. Every text in it is scrubbed of keys already."""

    kind: Literal["status", "timeout", "broken", "unsent", "untrusted", "unreadable"]
    """How it failed: an error status; no answer in time; the connection broke; it was never sent,
    or not, because the certificate is not trusted; an answer that cannot be read."""
    status: int | None = None
    code: str | None = None
    param: str | None = None
    type: str | None = None
    message: str = ""
    request_id: str | None = None
    retry_after: float | None = None
    raw: Any = None
    address: str = ""
    """Where the request went, or should have gone."""
    key_hint: str = ""
    """Where the key comes from, for a key that was not accepted."""


def unsent(error: BaseException) -> Refusal:
    """Return what a connection that could not be made is: for most reasons, or for its TLS."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Refusal(kind="untrusted")
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return Refusal(kind="unsent")


Decoder = Callable[[Refusal, str], Explanation | None]
"""Refusal and operation -> what it means at one service; None = what it means everywhere."""


def explained(
    refusal: Refusal, *, provider: str, operation: str, decode: Decoder | None = None
) -> ProviderError:
    """Say what a failed request means.

    Args:
        refusal: What came back.
        provider: For the error.
        operation: Likewise.
        decode: Asked first about an error status.
    """
    if refusal.kind == "status" and refusal.status is not None:
        meaning = (decode(refusal, operation) if decode else None) or _meaning(
            refusal, refusal.status, operation
        )
        return _refused(refusal, refusal.status, meaning, provider=provider, operation=operation)
    kind, what, hint = _unanswered(refusal)
    return kind(
        f"{provider}: {operation} failed: {what}.",
        provider=provider,
        operation=operation,
        hint=hint,
        status_code=refusal.status,
        request_id=refusal.request_id,
        raw=refusal.raw,
        # A connection that was never made has carried nothing out.
        maybe_executed=refusal.kind not in ("unsent", "untrusted"),
    )


def _unanswered(refusal: Refusal) -> tuple[type[ProviderError], str, str]:
    """Return sort, words and hint of a request to which no answer came that can be read."""
    there = refusal.address or "the service"
    kinds: Mapping[str, tuple[type[ProviderError], str, str]] = {
        "timeout": (ProviderTimeoutError, f"{there} gave no answer in time", "Try again later."),
        "broken": (
            ProviderConnectionError,
            f"the connection to {there} broke before an answer came",
            "Check the network and the address, then try again.",
        ),
        "unsent": (
            ProviderConnectionError,
            f"the connection to {there} could not be made",
            "Check the network and the address, then try again.",
        ),
        "untrusted": (
            ProviderConnectionError,
            f"the certificate of {there} is not trusted here, so nothing was sent",
            _AUTHORITY,
        ),
    }
    return kinds.get(
        refusal.kind,
        (
            UnexpectedResponseError,
            "the answer is not what this API says",
            "Check that the address is an OpenAI-compatible API; see --debug.",
        ),
    )


def _refused(
    refusal: Refusal, status: int, meaning: Explanation, *, provider: str, operation: str
) -> ProviderError:
    told = refusal.message[:_LONGEST_MESSAGE].strip().rstrip(".")
    message = f"{provider} refused {operation} with HTTP status {status}"
    message += f": {told}." if told else "."
    hint = " ".join(
        part
        for part in (
            meaning.cause,
            rows_named(told),
            meaning.fix.replace("{provider}", provider),
            refusal.key_hint if meaning.kind is AuthenticationError else "",
            "" if not refusal.retry_after else f"It asks to wait {refusal.retry_after:g} seconds.",
        )
        if part
    )
    error = meaning.kind(
        message,
        provider=provider,
        operation=operation,
        hint=hint,
        status_code=status,
        code=refusal.code or refusal.type,
        request_id=refusal.request_id,
        retry_after=refusal.retry_after,
        raw=refusal.raw,
    )
    error.retryable = error.retryable or meaning.passing
    error.param, error.rows = refusal.param, row_numbers(told)
    return error


def _meaning(refusal: Refusal, status: int, operation: str) -> Explanation:
    creating = operation == "create"
    if status >= 500 or status < 400 or status == 408:
        return by_status(status, creating=creating, named=False)
    found = by_code(refusal.code) or by_code(refusal.type)
    if found is None and creating:
        found = by_param(refusal.param)
    general = by_status(status, creating=creating, named=bool(refusal.code or refusal.param))
    if found is None or (found.kind is ModelRetiredError and not creating):
        return general  # a model that is not found in a chat is just not there
    if found.kind is RateLimitError and status != 429:
        return general
    if general.kind is NotFoundError and not creating:
        return general
    return found


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read how long the service asks to wait: milliseconds, seconds, or a date beside its own."""
    try:
        if headers.get("retry-after-ms"):
            return max(float(headers["retry-after-ms"]) / 1000, 0.0)
        text = headers.get("retry-after")
        return None if not text else _seconds(text, headers.get("date"))
    except ValueError:
        return None


def _seconds(text: str, date: str | None) -> float | None:
    try:
        return max(float(text), 0.0)
    except ValueError:
        until = parsedate_to_datetime(text)
    # By the service's own clock: ours may be off.
    now: datetime | None = parsedate_to_datetime(date) if date else None
    return None if now is None else max((until - now).total_seconds(), 0.0)
