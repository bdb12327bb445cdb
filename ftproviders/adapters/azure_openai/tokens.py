"""Entra ID tokens for the data plane: asked for on use, with the scope that the resource takes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ftproviders.errors import AuthenticationError

__all__ = ["SCOPES", "Tokens", "credential_error"]

SCOPES = ("https://ai.azure.com/.default", "https://cognitiveservices.azure.com/.default")
"""What the documentation says (2026-09-20), and what older samples use: one of them is taken."""


class Tokens:
    """Gives the SDK a bearer token for each request; azure-identity keeps it until it ends.

    Args:
        make_credential: Signs in; called on first use.
        scope: The one to ask for; None = the first of `SCOPES`, then the other.
        hide: Told each token, so that it is shown nowhere.
    """

    def __init__(
        self,
        make_credential: Callable[[], Any],
        *,
        scope: str | None,
        hide: Callable[[str], None] = lambda _token: None,
    ) -> None:
        self._make_credential = make_credential
        self._hide = hide
        self._credential: Any = None
        self._scopes = SCOPES if scope is None else (scope,)
        self._left = len(self._scopes) - 1
        """How many scopes have not been tried in vain."""
        self._lock = threading.Lock()
        self._used = threading.local()
        """Scope of the token that this thread's request has."""

    def __call__(self) -> str:
        """Return a token."""
        if self._credential is None:
            self._credential = self._make_credential()
        self._used.scope = scope = self._scopes[0]
        token: str = self._credential.get_token(scope).token
        self._hide(token)
        return token

    def refused(self) -> bool:
        """Take note of a 401; return whether another scope is left to be tried."""
        with self._lock:
            if getattr(self._used, "scope", self._scopes[0]) != self._scopes[0]:
                return True  # another thread was refused meanwhile, and has gone on to the next
            left = self._left > 0
            self._scopes = (*self._scopes[1:], self._scopes[0])
            # When none was taken it was not the scope: later, each of them counts again.
            self._left = self._left - 1 if left else len(self._scopes) - 1
            return left

    def close(self) -> None:
        """End the credential's connections."""
        if self._credential is not None:
            self._credential.close()
            self._credential = None


def credential_error(
    error: Exception, *, provider: str, operation: str
) -> AuthenticationError | None:
    """Translate what azure-identity raises; None when it is something else.

    Its text is not quoted: it is long, and names tenants and accounts.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if type(error).__module__.partition(".")[0] != "azure" or not names & {
        "ClientAuthenticationError",
        "CredentialUnavailableError",
    }:
        return None
    return AuthenticationError(
        f"{provider}: {operation} failed: Entra ID gave no token ({type(error).__name__}).",
        provider=provider,
        operation=operation,
        hint="Sign in with `az login`, give this machine an identity, or set AZURE_OPENAI_API_KEY; "
        "--debug shows what was tried.",
    )
