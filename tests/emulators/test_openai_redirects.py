"""A service that points elsewhere: neither key nor data go there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from ftproviders import registry
from ftproviders.cli.main import main
from ftproviders.schema.hyperparameters import Method
from ftproviders.testing.openai import OpenAIEmulator
from ftproviders.testing.openai.rig import training_rows
from ftproviders.testing.openai.wire import RawRequest, Reply

KEY = "sk-redirected-" + "0a1B" * 8
MODEL = "gpt-4.1-mini-2025-04-14"


class Moved(OpenAIEmulator):
    """A service that answers everything with the same path at another address."""

    status = 0
    elsewhere = ""
    asked = 0

    @override
    def _handle(self, raw: RawRequest) -> Reply:
        if not self.status:
            return super()._handle(raw)
        self.asked += 1
        return Reply(self.status, "", {"Location": f"{self.elsewhere}{raw.target}"})


class Listener:
    """Another host: writes down whatever reaches it, and answers like the service."""

    def __init__(self) -> None:
        heard = self.heard = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                """Nothing is printed."""

            def do_GET(self) -> None:
                heard.append(f"{self.requestline}\n{self.headers}")
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"object": "list", "data": []}')

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names of http.server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, host: str) -> str:
        return f"http://{host}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    other = Listener()
    yield other
    other.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_whatever_is_asked(
    status: int,
    host: str,
    listener: Listener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(registry, "_entry_points", list)  # what is installed plays no part
    monkeypatch.setenv("FTPROVIDERS_ATTEMPTS", "1")
    monkeypatch.setenv("FTPROVIDERS_SETTLE_SECONDS", "0.01")
    (tmp_path / "train.jsonl").write_text(training_rows(Method.SUPERVISED))
    job = f"provider: openai\nbase_model: {MODEL}\ntraining_file: train.jsonl\n"
    (tmp_path / "job.yaml").write_text(job)
    monkeypatch.chdir(tmp_path)
    with Moved(api_key=KEY) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        assert main(["submit", "job.yaml", "--yes"]) == 0
        server.status, server.elsewhere = status, listener.url(host)
        (ref,) = (job["id"] for job in server.jobs())
        (tmp_path / "job.yaml").write_text(f"{job}seed: 7\n")
        commands = [
            ["models", "--provider", "openai"],
            ["submit", "job.yaml", "--yes"],
            ["status", ref],
            ["events", ref],
            ["cancel", ref, "--yes"],
            ["checkpoints", ref],
        ]
        capsys.readouterr()
        codes = [main([*command, "--debug"]) for command in commands]
    assert codes == [3] * len(commands)
    assert server.asked >= len(commands)
    assert listener.heard == []
    told = "".join(capsys.readouterr())
    assert "base_url" in told
    assert KEY not in told
