"""Errors of Azure OpenAI and Foundry decoded by the rows of `trap_rows`.

What sort of error it is decides the status or the code alone. Texts change, so a text only chooses
among explanations: a row that is found by its text has the sort that its status has by itself.
"""

from __future__ import annotations

from dataclasses import replace

from ftproviders.adapters.azure_openai.trap_rows import TRAPS, Plane, Trap
from ftproviders.errors import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitError,
)

__all__ = ["TRAPS", "Plane", "Trap", "decode", "kind_of_status", "trap"]

_BY_STATUS: dict[int, type[ProviderError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidRequestError,
    429: RateLimitError,
}


def kind_of_status(status: int | None) -> type[ProviderError]:
    """Return the sort of error that an HTTP status is by itself."""
    if status is not None and status >= 500:
        return ProviderUnavailableError
    return _BY_STATUS.get(status or 400, InvalidRequestError)


def decode(
    plane: Plane,
    *,
    operation: str = "",
    status: int | None = None,
    code: str | None = None,
    message: str = "",
) -> Trap | None:
    """Look a raw error up; the row comes back with its sort of error filled in.

    Args:
        plane: Where it shows.
        operation: What we were doing: create, upload, deploy, chat and so on.
        status: HTTP status, where there is one.
        code: The service's code.
        message: Its text.
    """
    word, text = (code or "").lower(), message.lower()
    for row in TRAPS:
        fits = (
            row.plane == plane
            and (not row.operations or operation in row.operations)
            and (not row.statuses or status in row.statuses)
            and (not row.codes or word in row.codes)
            and (not row.texts or any(piece in text for piece in row.texts))
            and not (row.empty and text)
        )
        if fits:
            return row if row.kind else replace(row, kind=kind_of_status(status))
    return None


def trap(name: str) -> Trap:
    """Return the row of a name.

    Raises:
        KeyError: There is none.
    """
    found = next((row for row in TRAPS if row.name == name), None)
    if found is None:
        raise KeyError(name)
    return found
