"""Parts of a deployment that need no model: command of vLLM, guard, probe over HTTP, snapshots."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ftproviders.adapters.local.deploywire import to_deployment
from ftproviders.schema.deployment import DeploymentRef, DeploymentStatus
from ftproviders.worker import engine
from ftproviders.worker.asking import healthy, pass_probe
from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.engine import choose_engine, lora_rank, vllm_command
from ftproviders.worker.failures import WorkError
from ftproviders.worker.guard import FOLDER_VARIABLE, Guard

PROBE = {"messages": [{"role": "user", "content": "hi"}], "ids": [5, 6, 7], "text": "<u>hi<a>"}


@pytest.fixture
def directory(tmp_path: Path) -> DeploymentDirectory:
    directory = DeploymentDirectory(tmp_path)
    directory.write("deployment", {"name": "support"})
    directory.make_token()
    return directory


# --- vLLM ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "rank"),
    [
        ({"peft_type": "LORA", "r": 8}, 8),
        ({"peft_type": "LORA", "r": 8, "rank_pattern": {"q_proj": 24}}, 24),
        ({"peft_type": "LORA", "r": 8, "use_dora": True}, None),
        ({"peft_type": "LORA", "r": 8, "bias": "all"}, None),
        ({"peft_type": "LORA", "r": 8, "modules_to_save": ["lm_head"]}, None),
        ({"peft_type": "LORA", "r": 1024}, None),
        ({"peft_type": "IA3"}, None),
    ],
)
def test_vllm_takes_plain_lora_only(
    tmp_path: Path, config: Mapping[str, Any], rank: int | None
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert lora_rank(tmp_path) == rank


def test_vllm_serves_the_adapter_beside_its_base(directory: DeploymentDirectory) -> None:
    model = {"folder": "/base", "tokenizer": "/run/adapter", "adapter": "/run/adapter", "rank": 24}
    template = directory.path / "chat_template.jinja"
    command = vllm_command(model, name="support", port=4321, template=template)
    line = " ".join(command)
    assert command[command.index("serve") + 1] == "/base"
    assert "--enable-lora --lora-modules support=/run/adapter --max-lora-rank 32" in line
    assert "--host 127.0.0.1 --port 4321" in line
    assert f"--chat-template {template}" in line
    assert "--middleware ftproviders.worker.guard.Guard" in line
    assert directory.token() not in line
    assert "api-key" not in line
    merged = {"folder": "/merged", "tokenizer": "/run/adapter"}
    line = " ".join(vllm_command(merged, name="support", port=1, template=template))
    assert "--served-model-name support" in line
    assert "lora" not in line.replace("/merged", "")


def test_vllm_is_taken_only_where_it_is_and_a_gpu_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, device, chosen in (
        (True, True, "vllm"),
        (True, False, "transformers"),
        (False, True, "transformers"),
    ):
        found = object() if there else None
        monkeypatch.setattr(engine.importlib.util, "find_spec", lambda _, found=found: found)
        monkeypatch.setattr(engine, "has_nvidia_device", lambda device=device: device)
        assert choose_engine() == chosen


# --- guard ---------------------------------------------------------------------------------------


def asked(guard: Guard, path: str, **headers: str) -> int:
    """Return the status that the guard, or the application behind it (200), answers."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(guard(scope, receive, send))
    return int(sent[0]["status"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_guard_finds_its_deployment_as_a_middleware_would(
    directory: DeploymentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(directory.path))
    guard = Guard(application)
    key = f"Bearer {directory.token()}"
    assert asked(guard, "/v1/models", host="127.0.0.1:80", authorization=key) == 200
    assert asked(guard, "/health", host="localhost:80") == 200
    assert asked(guard, "/v1/models", host="127.0.0.1:80") == 401
    assert asked(guard, "/v1/models", host="127.0.0.1:80", authorization=key + "x") == 401
    assert asked(guard, "/v1/models", host="127.0.0.1:80", authorization=key[:-1]) == 401
    assert asked(guard, "/v1/models", host="127.0.0.1:80", authorization=key.lower()) == 401
    assert asked(guard, "/v1/models", authorization=key) == 421
    assert asked(guard, "/v1/models", host="evil.example:80", authorization=key) == 421
    assert asked(guard, "/reset", host="127.0.0.1:80", authorization=key) == 404


def test_guard_closes_web_sockets(directory: DeploymentDirectory) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    asyncio.run(Guard(application, directory.path)({"type": "websocket"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


# --- probe ---------------------------------------------------------------------------------------


@contextmanager
def server(answers: Mapping[str, Any], seen: list[tuple[str, str, Any]]) -> Iterator[int]:
    """Serve fixed JSON answers by path; a number is a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(self.path)

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers["Authorization"], content))
            self.answer(self.path)

        def answer(self, path: str) -> None:
            found = answers.get(path, 404)
            self.send_response(found if isinstance(found, int) else 200)
            self.end_headers()
            self.wfile.write(b"no" if isinstance(found, int) else json.dumps(found).encode())

        def log_message(self, *_: Any) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield httpd.server_port
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def probe(directory: DeploymentDirectory, port: int, chosen: str) -> None:
    model = {"probe": PROBE, "nonce": "n", "engine": chosen, "folder": "/m"}
    pass_probe(directory, model, port=port, timeout_seconds=10)


def test_probe_asks_vllm_what_it_makes_of_the_conversation(directory: DeploymentDirectory) -> None:
    answers: dict[str, Any] = {
        "/health": {},
        "/v1/chat/completions": {"choices": [{}]},
        "/tokenize": {"tokens": [5, 6, 7]},
        "/detokenize": {"prompt": "<u>hi<a>"},
    }
    seen: list[tuple[str, str, Any]] = []
    with server(answers, seen) as port:
        assert healthy(port)
        probe(directory, port, "vllm")
        assert {key for _, key, _ in seen} == {f"Bearer {directory.token()}"}
        assert seen[1][2]["messages"] == PROBE["messages"]
        assert seen[1][2]["add_generation_prompt"] is True
        answers["/tokenize"] = {"tokens": [5, 9, 7]}
        answers["/detokenize"] = {"prompt": "<u>ho<a>"}
        with pytest.raises(WorkError, match=r"position 1 .*'<u>hi<a>'.*'<u>ho<a>'") as raised:
            probe(directory, port, "vllm")
        assert raised.value.code == "template_differs"
    assert not healthy(port, timeout_seconds=0.5)
    with pytest.raises(OSError, match="refused"):
        probe(directory, port, "vllm")


def test_probe_that_is_refused_or_unseen_is_a_failure(directory: DeploymentDirectory) -> None:
    # What an earlier server saw does not count.
    directory.write("probed", {"nonce": "n", "ids": PROBE["ids"], "text": PROBE["text"]})
    answered = {"/v1/chat/completions": {"choices": [{}]}}
    unseen = pytest.raises(WorkError, match="without showing")
    with server(answered, []) as port, unseen:
        probe(directory, port, "transformers")
    with server({"/v1/chat/completions": 500}, []) as port:
        assert not healthy(port)
        with pytest.raises(WorkError, match="HTTP status 500, no"):
            probe(directory, port, "transformers")


# --- snapshots -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "alive", "status", "raw"),
    [
        ("pending", True, DeploymentStatus.CREATING, "pending"),
        ("merging", True, DeploymentStatus.CREATING, "merging"),
        ("asking", True, DeploymentStatus.CREATING, "asking"),
        ("restarting", True, DeploymentStatus.CREATING, "restarting"),
        ("ready", True, DeploymentStatus.READY, "ready"),
        ("ready", False, DeploymentStatus.FAILED, "interrupted"),
        ("preparing", False, DeploymentStatus.FAILED, "interrupted"),
        ("stopping", True, DeploymentStatus.DELETING, "stopping"),
        ("expired", False, DeploymentStatus.FAILED, "expired"),
        ("failed", False, DeploymentStatus.FAILED, "failed"),
        ("of a later version", True, DeploymentStatus.UNKNOWN, "of a later version"),
    ],
)
def test_word_and_lock_say_how_it_stands(
    word: str, alive: bool, status: DeploymentStatus, raw: str
) -> None:
    model = {"source": "local-path", "name": "/m", "provider": "local"}
    found = to_deployment(
        DeploymentRef(provider="local", id="x"),
        order={"model": model, "name": "x"},
        lease=None,
        status={"status": word},
        alive=alive,
        key_file="/k",
        log="/l",
    )
    assert (found.status, found.raw_status) == (status, raw)
    assert (found.error is not None) == (raw == "interrupted")
    # What is not there yet says what it is at.
    assert (found.doing is not None) == (status is DeploymentStatus.CREATING)
