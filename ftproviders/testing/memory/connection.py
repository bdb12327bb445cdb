"""How the in-memory adapters reach their server: one attempt, errors by table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ftproviders.errors import FineTuneError
from ftproviders.testing.memory import wire
from ftproviders.testing.memory.faults import load_faults
from ftproviders.testing.memory.options import DEFAULT_ACCOUNT, MemorySettings
from ftproviders.testing.memory.refusal import MemoryServerError
from ftproviders.testing.memory.server import DEFAULT_WALK, MemoryServer

__all__ = ["Connection", "translated"]


class Connection:
    """Requests of one account to one server; the folder is opened with the first request.

    Args:
        settings: Connection settings.
        server: Server in this process; None = the one in the settings' folder.
    """

    def __init__(self, settings: MemorySettings, server: MemoryServer | None) -> None:
        self._settings = settings
        self._server = server

    @property
    def public_account(self) -> str | None:
        """Account as refs write it."""
        account = self._settings.account
        return None if account == DEFAULT_ACCOUNT else account

    @property
    def account(self) -> str:
        """Full account: its name, and the folder where one was chosen."""
        folder = self._settings.folder
        return self._settings.account + (f"@{folder}" if folder is not None else "")

    def ask(self, operation: str, **body: Any) -> dict[str, Any]:
        """Send one request and read its answer; whatever goes wrong is raised as it comes."""
        key = self._settings.api_key
        text = self._opened().request(
            operation,
            body,
            account=self._settings.account,
            api_key=key.get_secret_value() if key else None,
        )
        return wire.read_answer(text)

    def pages(self, operation: str, **body: Any) -> Iterator[dict[str, Any]]:
        """Walk over every item of a list, page by page."""
        more = True
        while more:
            page = self.ask(operation, **body)
            yield from page["data"]
            more = page["has_more"]
            if more:
                body["after"] = page["data"][-1]["id"]

    def _opened(self) -> MemoryServer:
        if self._server is None:
            settings = self._settings
            self._server = MemoryServer(
                settings.folder or settings.home / "memory",
                lag_seconds=settings.lag_seconds,
                page_size=settings.page_size,
                walk=settings.walk or DEFAULT_WALK,
            )
            script = load_faults(settings.faults) if settings.faults else ()
            self._server.play(script)
        return self._server


def translated(
    error: Exception,
    *,
    operation: str,
    otherwise: Callable[[Exception], FineTuneError],
) -> FineTuneError:
    """Turn the server's refusal into our error by its code; leave the rest to `otherwise`."""
    if not isinstance(error, MemoryServerError) or error.code not in wire.ERRORS:
        return otherwise(error)
    kind, hint = wire.ERRORS[error.code]
    return kind(
        f"memory refused {operation}: {error.message}",
        provider=wire.PROVIDER_NAME,
        operation=operation,
        hint=hint,
        status_code=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        raw={"code": error.code, "message": error.message, "param": error.param},
    )
