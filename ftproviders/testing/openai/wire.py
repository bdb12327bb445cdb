"""The emulator's HTTP side: reads requests from loopback connections, sends answers, breaks them.

It knows nothing of OpenAI; what an answer holds comes from the `Handle` that it is given.
"""

from __future__ import annotations

import contextlib
import json
import select
import shutil
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, Literal

from typing_extensions import override

from ftproviders.testing.openai.call import Content, Stream

__all__ = ["HttpServer", "RawRequest", "Reply"]

_BLOCK_BYTES = 256 * 1024
_POLL_SECONDS = 0.02
_MOST_HOLD_SECONDS = 600.0
_CLOSE_SECONDS = 10.0


@dataclass(frozen=True)
class RawRequest:
    """A request as it came."""

    method: str
    target: str
    """Path and query, still encoded."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Path
    """The body, in a file that is gone after the answer; empty when there was none."""


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    status: int
    payload: dict[str, Any] | str | Content | Stream
    """A dict is sent as JSON, a string as it is."""
    headers: Mapping[str, str] = field(default_factory=dict)
    effect: Literal["reset", "hold", "truncate"] | None = None
    """Reset the connection instead, hold it without an answer, or stop in the middle."""
    hold_seconds: float = 0.0
    """0 = until the client leaves."""


Handle = Callable[[RawRequest], Reply]


class HttpServer:
    """A server on a loopback address, each connection in a thread of its own.

    Args:
        handle: Called for each request, from several threads at once.
        host: Address to listen at.
        port: Port; 0 = any that is free.
        tls: Certificate and key to serve HTTPS with; None = plain HTTP.
    """

    def __init__(
        self, handle: Handle, *, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = _Server((host, port), handle, tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": _POLL_SECONDS},
            name="ftproviders-emulator",
            daemon=True,
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening and end every connection.

        Raises:
            RuntimeError: The server itself failed at a request, which no client can tell from a
                broken connection.
        """
        self._server.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.drop_connections()
        self._server.server_close()
        if self._server.failures:
            raise RuntimeError("The emulator itself failed:\n" + "\n".join(self._server.failures))

    def wait(self) -> None:
        """Block until the server is closed by another thread."""
        while self._thread.is_alive():
            self._thread.join(timeout=1.0)


class _Server(ThreadingHTTPServer):
    # Daemons, so that a program that forgets to close still ends; `drop_connections` waits.
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], handle: Handle, tls: ssl.SSLContext | None
    ) -> None:
        self.handle = handle
        self._tls = tls
        self.closing = threading.Event()
        self.failures: list[str] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._workers: set[threading.Thread] = set()
        super().__init__(address, _Handler)

    @override
    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._workers.add(threading.current_thread())
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._workers.discard(threading.current_thread())

    @override
    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._tls is not None:
            # The handshake is made by the connection's own thread, at its first read.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._lock:
            self._connections.add(connection)
        return connection, address

    @override
    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        with self._lock:
            left, workers = list(self._connections), list(self._workers)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in workers:
            worker.join(timeout=_CLOSE_SECONDS)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong here, for `HttpServer.close` to tell."""
        with self._lock:
            self.failures.append("".join(traceback.format_exception(sys.exception())))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes; without this the second waits for the client's word.
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  # only it makes these

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are recorded by the emulator, not printed."""

    @override
    def handle(self) -> None:
        # A client that does not trust the certificate ends the handshake.
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            super().handle()

    @override
    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _serve(self) -> None:
        with tempfile.NamedTemporaryFile(prefix="ftproviders-request-") as spool:
            if not self._read_body(spool.file):
                self.close_connection = True
                return
            spool.flush()
            headers = {name.lower(): value for name, value in self.headers.items()}
            raw = RawRequest(self.command, self.path, headers, Path(spool.name))
            reply = self.server.handle(raw)
            self._send(reply)

    def __getattr__(self, name: str) -> Any:
        # http.server calls do_GET, do_POST and so on: here, all of them are one.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _read_body(self, spool: Any) -> bool:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self._read_chunks(spool)
        return _copy(self.rfile, spool, int(self.headers.get("Content-Length") or 0))

    def _read_chunks(self, spool: Any) -> bool:
        while True:
            size = int(self.rfile.readline().split(b";")[0].strip() or b"0", 16)
            whole = _copy(self.rfile, spool, size)
            self.rfile.readline()
            if not whole or size == 0:
                return whole

    def _send(self, reply: Reply) -> None:
        if reply.effect == "hold":
            self._hold(reply.hold_seconds or _MOST_HOLD_SECONDS)
        if reply.effect in ("hold", "reset"):
            self._reset()
            return
        if isinstance(reply.payload, Stream):
            self._send_stream(reply, reply.payload)
            return
        if isinstance(reply.payload, Content) and isinstance(reply.payload.body, Path):
            self._send_file(reply, reply.payload.body, reply.payload.content_type)
            return
        content_type = "application/json"
        if isinstance(reply.payload, Content):
            content, content_type = bytes(reply.payload.body), reply.payload.content_type
        elif isinstance(reply.payload, str):
            content = reply.payload.encode()
        else:
            content = json.dumps(reply.payload).encode()
        self._head(reply, {"Content-Type": content_type, "Content-Length": str(len(content))})
        if reply.effect == "truncate":
            self.wfile.write(content[: len(content) // 2])
            self._reset(gently=True)
            return
        self.wfile.write(content)

    def _send_file(self, reply: Reply, path: Path, content_type: str) -> None:
        size = path.stat().st_size
        self._head(reply, {"Content-Type": content_type, "Content-Length": str(size)})
        with path.open("rb") as file:
            if reply.effect == "truncate":
                _copy(file, self.wfile, size // 2)
                self._reset(gently=True)
            else:
                shutil.copyfileobj(file, self.wfile, _BLOCK_BYTES)

    def _send_stream(self, reply: Reply, stream: Stream) -> None:
        self._head(reply, {"Content-Type": "text/event-stream", "Connection": "close"})
        self.close_connection = True
        whole = [f"data: {json.dumps(chunk)}\n\n" for chunk in stream.chunks]
        whole.append("data: [DONE]\n\n")
        if reply.effect == "truncate":
            whole = whole[: len(whole) // 2]
        for text in whole:
            self.wfile.write(text.encode())
            self.wfile.flush()
        if reply.effect == "truncate":
            self._reset(gently=True)

    def _head(self, reply: Reply, headers: Mapping[str, str]) -> None:
        self.send_response_only(reply.status)
        given = {name.lower() for name in reply.headers}
        for name, value in {**headers, **reply.headers}.items():
            if name in reply.headers or name.lower() not in given:
                self.send_header(name, value)
        self.end_headers()

    def _hold(self, seconds: float) -> None:
        """Say nothing until the client has left, the time is over or the server closes."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not self.server.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], _POLL_SECONDS)
            # The plain method: that of a TLS connection cannot peek.
            if readable and not socket.socket.recv(self.connection, 1, socket.MSG_PEEK):
                return

    def _reset(self, *, gently: bool = False) -> None:
        """End the connection; not gently, the client is told that it was reset."""
        self.close_connection = True
        if not gently:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def _copy(source: BinaryIO | Any, target: Any, size: int) -> bool:
    """Copy exactly `size` bytes; False when the source ends before."""
    left = size
    while left:
        block = source.read(min(left, _BLOCK_BYTES))
        if not block:
            return False
        left -= len(block)
        target.write(block)
    return True
