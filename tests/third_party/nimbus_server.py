"""The invented Nimbus service on loopback: strict, with a log of what it received."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from ftproviders.testing.memory import recall

PAGE = 2
WALK = ("PREPARING", "TRAINING", "TRAINING", "DONE")
ENDS = ("DONE", "BROKEN", "STOPPED")
CONFIG = {"epochs", "learning_rate", "rank"}
BODY = {"model", "file", "config", "labels", "seed", "region"}


class RefusedError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class NimbusServer:
    """State and routes; `url` is where it answers until `close`."""

    def __init__(self, *, key: str) -> None:
        self.key = key
        self.files: dict[str, tuple[str, bytes]] = {}
        self.tunings: dict[str, dict[str, Any]] = {}
        self.received: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = 200, {}
                try:
                    server.check_key(self.headers.get("Authorization"))
                    with server._lock:
                        answer = server.route(self.command, self.path, content)
                except RefusedError as refused:
                    status, answer = refused.status, {"error": "refused"}
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Keep quiet: tests look at what adapters print."""

        return Handler

    def check_key(self, header: str | None) -> None:
        if header != f"Bearer {self.key}":
            raise RefusedError(401)

    def route(self, method: str, target: str, content: bytes) -> dict[str, Any]:
        address = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        match (method, *address.path.strip("/").split("/")):
            case ("POST", "v1", "files"):
                return self._upload(query, content)
            case ("POST", "v1", "tunings"):
                return self.create(json.loads(content))
            case ("GET", "v1", "tunings"):
                return self._list(query)
            case ("GET", "v1", "tunings", key):
                return self._step(self._known(key))
            case ("POST", "v1", "tunings", key, "stop"):
                return self._stop(self._known(key))
            case ("GET", "v1", "tunings", key, "log"):
                return {"lines": self._known(key)["log"][::-1]}
            case ("POST", "v1", "chat", "completions"):
                return self._chat(json.loads(content))
        raise RefusedError(400)

    def _upload(self, query: dict[str, str], content: bytes) -> dict[str, Any]:
        key = f"nf-{len(self.files) + 1}"
        self.files[key] = (query["name"], content)
        return {"id": key, "name": query["name"]}

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        unknown = (set(body) - BODY) | (set(body.get("config", {})) - CONFIG)
        if unknown or body["model"] != "cumulus-7b" or body["file"] not in self.files:
            raise RefusedError(400)
        key = f"nt-{len(self.tunings) + 1:03d}"
        tuning = {
            "id": key,
            "state": WALK[0],
            "walk": list(WALK),
            "model": body["model"],
            "file": body["file"],
            "filename": self.files[body["file"]][0],
            "labels": body.get("labels", {}),
            "created": now(),
            "ended": None,
            "result": None,
            "error": None,
            "log": [],
        }
        self.received[key] = body
        self.tunings[key] = tuning
        self.tell(tuning, "accepted")
        return tuning

    def _known(self, key: str) -> dict[str, Any]:
        if key not in self.tunings:
            raise RefusedError(404)
        return self.tunings[key]

    def _list(self, query: dict[str, str]) -> dict[str, Any]:
        start = int(query.get("page", 0))
        listed = list(self.tunings.values())[::-1]
        more = start + PAGE < len(listed)
        return {
            "tunings": listed[start : start + PAGE],
            "next": str(start + PAGE) if more else None,
        }

    def _step(self, tuning: dict[str, Any]) -> dict[str, Any]:
        told = dict(tuning)
        walk = tuning["walk"]
        if len(walk) > 1:
            self.enter(tuning, walk[1:])
        return told

    def enter(self, tuning: dict[str, Any], walk: list[str]) -> None:
        tuning |= {"walk": walk, "state": walk[0]}
        if walk[0] == "TRAINING":
            step = 1 + sum("loss" in line for line in tuning["log"])
            self.tell(tuning, f"step {step}", step=step, loss=1 / step)
        else:
            self.tell(tuning, walk[0].lower())
        if walk[0] in ENDS:
            tuning["ended"] = now()
        if walk[0] == "DONE":
            tuning["result"] = f"{tuning['model']}@{tuning['id']}"

    def _stop(self, tuning: dict[str, Any]) -> dict[str, Any]:
        if tuning["state"] in ENDS:
            raise RefusedError(400)
        self.enter(tuning, ["STOPPING", "STOPPED"])
        return tuning

    def tell(self, tuning: dict[str, Any], text: str, **more: Any) -> None:
        line = {"number": len(tuning["log"]) + 1, "at": now(), "text": text, **more}
        tuning["log"].append(line)

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        _, _, key = body["model"].partition("@")
        tuning = self._known(key)
        rows = recall.rows(self.files[tuning["file"]][1])
        said = recall.answer(rows, body["messages"], max_tokens=body.get("max_tokens"))
        return {
            "model": body["model"],
            "choices": [
                {"message": {"content": said["text"]}, "finish_reason": said["finish_reason"]}
            ],
            "usage": {
                "prompt_tokens": said["prompt_tokens"],
                "completion_tokens": said["completion_tokens"],
            },
        }


def now() -> str:
    return datetime.now(UTC).isoformat()
