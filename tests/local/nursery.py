"""Workers that start at once: a process that has imported torch makes forks of itself.

    nursery.py serve SOCKET                     the process
    nursery.py start SOCKET PLAN PREPARED FINAL has it make a worker of `killing`

A worker of its own imports for seconds, and the tests of `test_resume` start a hundred of them.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

READY = "FTPROVIDERS_READY_FD"


def serve(path: str) -> None:
    """Make workers until our standard input is closed."""
    import transformers

    from tests.local import killing

    importlib.import_module("ftproviders.worker.training")
    assert transformers.LlamaForCausalLM  # is imported when it is named
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listener, 0], [], [])
            if 0 in readable:
                return
            connection, _ = listener.accept()
            with connection:
                message, files, _, _ = socket.recv_fds(connection, 65_536, 3)
                if os.fork() == 0:
                    listener.close()
                    connection.close()
                    _become(json.loads(message), files, killing)
                for number in files:
                    os.close(number)


def _become(asked: dict[str, Any], files: list[int], killing: Any) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    output, errors, ready = files
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, standard in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(number, standard)
        os.close(number)
    os.environ.update(asked["environ"])
    os.environ[READY] = str(ready)
    os.chdir(asked["folder"])
    os._exit(killing.main(asked["arguments"]))


def start(path: str, arguments: list[str]) -> None:
    """Hand our files over and leave."""
    asked = {"arguments": arguments, "folder": str(Path.cwd()), "environ": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        files = [1, 2, int(os.environ[READY])]
        socket.send_fds(connection, [json.dumps(asked).encode()], files)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        start(sys.argv[2], sys.argv[3:])
