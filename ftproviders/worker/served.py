"""Program: one model behind an existing OpenAI-compatible server, with our guard at the door.

    python -m ftproviders.worker.served FOLDER PARENT PORT SOCKET

FOLDER is the deployment's, PARENT the supervisor's process number, SOCKET the number of a
listening socket that the supervisor keeps (``transformers``), or -1 (``vllm`` binds PORT itself).
The server is `transformers serve`'s own, put together here so that it can have a token, a name
for its model, and a witness for the probe.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from ftproviders.worker import process
from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.engine import vllm_command
from ftproviders.worker.failures import explain
from ftproviders.worker.guard import FOLDER_VARIABLE, Guard

__all__ = ["main"]


def main() -> int:
    """Serve until the process is ended; returns the exit code."""
    directory = DeploymentDirectory(Path(sys.argv[1]))
    parent, port, number = (int(word) for word in sys.argv[2:5])
    process.die_with_parent(parent)
    model = directory.read("model")
    name = directory.read("deployment")["name"]
    if model["engine"] == "vllm":
        _become_vllm(directory, model, name=name, port=port)
    try:
        _serve(directory, model, name=name, number=number)
    except Exception as error:  # noqa: BLE001 - what is known to be hopeless is not tried again
        traceback.print_exc()
        failure = explain(error, {})
        if failure.code != "crashed":
            directory.fail(failure)
        return 1
    return 0


def _become_vllm(
    directory: DeploymentDirectory, model: dict[str, Any], *, name: str, port: int
) -> None:
    from ftproviders.worker.loading import load_tokenizer

    template = directory.path / "chat_template.jinja"
    template.write_text(load_tokenizer(Path(model["tokenizer"])).chat_template, encoding="utf-8")
    os.environ[FOLDER_VARIABLE] = str(directory.path)
    command = vllm_command(model, name=name, port=port, template=template)
    # Dying with the supervisor is kept by the system when a program replaces itself.
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _serve(
    directory: DeploymentDirectory, model: dict[str, Any], *, name: str, number: int
) -> None:
    # Nothing is to be fetched any more: the model is a folder.
    os.environ["HF_HUB_OFFLINE"] = "1"
    import uvicorn

    from ftproviders.worker.openai_server import build

    app = build(directory, model, name=name)
    config = uvicorn.Config(Guard(app, directory.path), log_level="info", lifespan="on")
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=number)])


if __name__ == "__main__":
    sys.exit(main())
