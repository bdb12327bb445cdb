"""The door of a local server: nobody without the deployment's token comes in.

An ASGI layer in front of any OpenAI-compatible server. Standard library only. vLLM takes it as
``--middleware ftproviders.worker.guard.Guard`` and finds the deployment through a variable.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

from ftproviders.worker.deploydir import DeploymentDirectory

__all__ = ["FOLDER_VARIABLE", "Guard"]

FOLDER_VARIABLE = "FTPROVIDERS_DEPLOYMENT"
"""Names the deployment's folder, in which the token is; the token itself is in no variable."""

_OPEN = frozenset({"/health"})
_PATHS = frozenset(
    {
        *_OPEN,
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/models",
        "/v1/responses",
        "/tokenize",
        "/detokenize",
    }
)
_HOSTS = frozenset({"127.0.0.1", "localhost"})

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class Guard:
    """Asks every request for ``Authorization: Bearer <token>``.

    It lets through what clients need and nothing else: servers have paths that load other models
    or unload this one. Requests for another host name are turned away, so that a web page cannot
    reach the server by letting its own name point here.

    Args:
        app: The server's own ASGI application.
        folder: The deployment's folder; default: where `FOLDER_VARIABLE` points.
    """

    def __init__(self, app: _App, folder: Path | None = None) -> None:
        self.app = app
        place = Path(os.environ[FOLDER_VARIABLE]) if folder is None else folder
        self._expected = f"Bearer {DeploymentDirectory(place).token()}".encode()

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope["path"], scope["headers"])
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await _answer(send, *refusal)

    def _refusal(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        given = {name.lower(): value for name, value in headers}
        host = given.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0]
        if host.lower() not in _HOSTS:
            return 421, "This server answers to 127.0.0.1 and localhost only."
        if path not in _PATHS:
            return 404, f"There is no {path} here. Use /v1/chat/completions."
        if path in _OPEN:
            return None
        if not hmac.compare_digest(given.get(b"authorization", b""), self._expected):
            return 401, "The token is missing or wrong. Send Authorization: Bearer <token>."
        return None


async def _answer(send: _Send, status: int, message: str) -> None:
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    content = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    headers = [(b"content-type", b"application/json")]
    headers += [(b"www-authenticate", b"Bearer")] if status == 401 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})
