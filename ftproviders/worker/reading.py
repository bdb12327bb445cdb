"""Between guard and server: requests are read and checked, and a client that leaves is noticed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from ftproviders.worker.orders import PATHS, Refused, checked, error_body

__all__ = ["GONE", "Reader"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

GONE: ContextVar[threading.Event | None] = ContextVar("GONE", default=None)
"""Set when the client of the request at hand has closed the connection."""


class Reader:
    """Checks requests for answers, and tells the generation when nobody waits for it any more.

    Args:
        app: The server's own ASGI application.
        model: The model's name for clients.
        tools: Whether the model's chat template writes the tools of a request.
    """

    def __init__(self, app: _App, *, model: str, tools: bool = True) -> None:
        self.app = app
        self.model = model
        self.tools = tools

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in PATHS:
            await self.app(scope, receive, send)
            return
        content = await _body(receive)
        if content is None:
            return
        try:
            order = checked(scope["path"], _parsed(content), model=self.model, tools=self.tools)
        except Refused as refused:
            body = error_body(
                refused.message, status=refused.status, param=refused.param, code=refused.code
            )
            await _answer(send, refused.status, body)
            return
        await self._watched(scope, json.dumps(order).encode(), receive, send)

    async def _watched(
        self, scope: _Message, content: bytes, receive: _Receive, send: _Send
    ) -> None:
        gone, left = threading.Event(), asyncio.Event()
        GONE.set(gone)
        unread = [content]

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            left.set()

        async def read() -> _Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        headers = [(n, v) for n, v in scope["headers"] if n.lower() not in _OF_THE_BODY]
        headers += [(b"content-type", b"application/json")]
        headers += [(b"content-length", str(len(content)).encode())]
        watcher = asyncio.create_task(watch())
        try:
            await self.app({**scope, "headers": headers}, read, send)
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher


_OF_THE_BODY = frozenset({b"content-type", b"content-length", b"transfer-encoding"})


async def _body(receive: _Receive) -> bytes | None:
    """Return the request's body, or None when the client left in the middle."""
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        content += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(content)


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(f"The request is no JSON: {error}.", code="invalid_json") from error


async def _answer(send: _Send, status: int, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
