"""The server's state: shared by processes, safe against kills, nothing of pytest needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ftproviders.testing.memory import recall
from ftproviders.testing.memory.server import MemoryServer
from ftproviders.testing.memory.store import Store

_WRITER = """
import sys
from pathlib import Path
from ftproviders.testing.memory.server import MemoryServer

server = MemoryServer(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    server.request("upload", {"name": f"{number}.jsonl", "purpose": "training", "content": ""})
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path), "25"]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    requests = MemoryServer(tmp_path).requests("upload")
    assert [request.number for request in requests] == list(range(1, 76))
    assert len({request.pid for request in requests}) == 3
    assert {request.outcome for request in requests} == {"ok"}


@pytest.mark.parametrize("inside", ["\r", "\u2028", "\x85", "\x0b", "\x1c"])
def test_only_a_line_feed_ends_a_row(inside: str) -> None:
    space = inside if inside == "\r" else " "
    line = json.dumps(
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": f"one{inside}two"},
            ]
        },
        ensure_ascii=False,
    )
    learned = recall.rows(f"\ufeff{line.replace(', ', f',{space}')}\r\n{line}\n".encode())
    assert list(learned) == [("Hi", f"one{inside}two")] * 2


def test_threads_share_a_server() -> None:
    server = MemoryServer()

    def work() -> None:
        for _ in range(20):
            body = {"name": "x.jsonl", "purpose": "training", "content": ""}
            server.request("upload", body)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests("upload")) == 80


def test_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def break_off() -> None:
        with store.transaction() as state:
            state.put("job", "one", {"id": "one"})
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        break_off()
    with store.transaction() as state:
        assert state.all("job") == []
        state.put("job", "one", {"id": "one"})
    with Store(tmp_path).transaction() as state:
        assert state.get("job", "one") == {"id": "one"}


def test_what_was_sent_is_the_servers_own(tmp_path: Path) -> None:
    server = MemoryServer()
    body = {"name": "x.jsonl", "purpose": "training", "metadata": {"a": "b"}, "content": "aGk="}
    server.request("upload", body)
    body["metadata"] = {"a": "changed"}
    logged = server.requests("upload")[0].body
    assert logged["metadata"] == {"a": "b"}
    assert logged["content"] == "<4 characters>"
    assert json.loads(server.request("files", {}))["data"][0]["bytes"] == 2


def test_provider_works_without_pytest() -> None:
    program = (
        "import sys\n"
        "sys.modules['pytest'] = sys.modules['_pytest'] = None\n"
        "import ftproviders.testing.memory.adapter, ftproviders.testing.memory.hosting\n"
        "from ftproviders.testing import Fault, FakeClock, MemoryServer, AdapterContract, Rig\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
