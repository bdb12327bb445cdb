"""What the in-memory server says when it refuses: HTTP-like status and a code of its own."""

from __future__ import annotations

from collections.abc import Mapping

from ftproviders.testing.memory.faults import FaultKind

__all__ = ["MemoryServerError", "invalid", "missing", "refusal", "unauthorized"]


class MemoryServerError(Exception):
    """An error answer of the in-memory server.

    Attributes:
        status: HTTP-like status.
        code: The server's code, as data: what the adapter goes by.
        param: Field of the request that is at fault.
        retry_after: Seconds that the server asks to wait.
        request_id: The server's id of the request.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.request_id: str | None = None


_REFUSALS: Mapping[FaultKind, tuple[int, str, str]] = {
    FaultKind.RATE_LIMIT: (429, "rate_limited", "Too many requests."),
    FaultKind.UNAVAILABLE: (503, "unavailable", "The server is being restarted."),
    FaultKind.SERVER_ERROR: (500, "server_error", "Something failed inside the server."),
    FaultKind.UNAUTHORIZED: (401, "unauthorized", "The key is not accepted."),
    FaultKind.FORBIDDEN: (403, "forbidden", "The account may not do this."),
    FaultKind.NOT_FOUND: (404, "not_found", "There is no such thing."),
    FaultKind.INVALID: (400, "invalid", "The request is not accepted."),
    FaultKind.CONFLICT: (409, "conflict", "Something of that name is there already."),
    FaultKind.QUOTA: (429, "quota_exceeded", "The account's quota is used up."),
    FaultKind.RETIRED: (410, "retired", "The model takes no new jobs any more."),
}


def refusal(kind: FaultKind, *, retry_after: float | None = None) -> MemoryServerError | None:
    """Return the error answer for a fault, or None when the fault is of another sort."""
    if kind not in _REFUSALS:
        return None
    status, code, message = _REFUSALS[kind]
    return MemoryServerError(message, status=status, code=code, retry_after=retry_after)


def invalid(message: str, param: str | None = None) -> MemoryServerError:
    """Return the answer to a request that cannot be carried out as it is."""
    return MemoryServerError(message, status=400, code="invalid", param=param)


def missing(what: str, key: str) -> MemoryServerError:
    """Return the answer to a request for something that is not there."""
    return MemoryServerError(f"There is no {what} {key!r}.", status=404, code="not_found")


def unauthorized() -> MemoryServerError:
    """Return the answer to a request with the wrong key."""
    status, code, message = _REFUSALS[FaultKind.UNAUTHORIZED]
    return MemoryServerError(message, status=status, code=code)
