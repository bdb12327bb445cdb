"""How the supervisor talks to its server: over HTTP, as clients do. Standard library only.

Proxies of the environment are not asked: the server is on this machine.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Mapping
from typing import Any

from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.failures import WorkError
from ftproviders.worker.probe import difference

__all__ = ["healthy", "pass_probe"]

_SHOWN_CHARACTERS = 400


def healthy(port: int, *, timeout_seconds: float = 2.0) -> bool:
    """Say whether the server on `port` answers ``/health``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def pass_probe(
    directory: DeploymentDirectory, model: Mapping[str, Any], *, port: int, timeout_seconds: float
) -> None:
    """Ask the model the probe, and compare what reached it with what it was trained on.

    Args:
        directory: The deployment's folder.
        model: What the preparation found, and the nonce.
        port: The server's port.
        timeout_seconds: How long an answer may take.

    Raises:
        WorkError: It refuses the conversation, or writes it differently.
        OSError: The server does not answer any more.
    """
    probe, name = model["probe"], directory.read("deployment")["name"]
    asker = _Asker(directory, port=port, nonce=model["nonce"], timeout_seconds=timeout_seconds)
    directory.remove("probed")
    question = {"model": name, "messages": probe["messages"], "temperature": 0, "max_tokens": 4}
    answer = asker.post("/v1/chat/completions", question)
    if "choices" not in answer:
        raise _refused(200, json.dumps(answer))
    if model["engine"] == "vllm":
        seen = _seen_by_vllm(asker, probe, name)
    else:
        seen = directory.read("probed")
        if seen.get("nonce") != model["nonce"]:
            raise WorkError(
                "The server answered the probe without showing its token ids. Its version of "
                "transformers may be one that this package does not know.",
                code="probe_unseen",
            )
    problem = difference(probe, seen["ids"], seen["text"])
    if problem is not None:
        raise WorkError(
            f"{problem} Remove {model['folder']} if it was changed by hand, or train again with "
            "the template that is to be served.",
            code="template_differs",
        )


def _seen_by_vllm(asker: _Asker, probe: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Ask vLLM for the ids that it makes of the conversation, and for their text."""
    order = {"model": name, "messages": probe["messages"], "add_generation_prompt": True}
    ids = asker.post("/tokenize", order)["tokens"]
    text = asker.post("/detokenize", {"model": name, "tokens": ids})["prompt"]
    return {"ids": ids, "text": text}


class _Asker:
    def __init__(
        self, directory: DeploymentDirectory, *, port: int, nonce: str, timeout_seconds: float
    ) -> None:
        self.port = port
        self.timeout_seconds = timeout_seconds
        self.headers = {
            "Authorization": f"Bearer {directory.token()}",
            "Content-Type": "application/json",
            "X-Request-ID": nonce,
        }

    def post(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=self.timeout_seconds
        )
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(content).encode(), self.headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", errors="replace")
        if response.status != 200:
            raise _refused(response.status, text)
        answer: dict[str, Any] = json.loads(text)
        return answer


def _refused(status: int, text: str) -> WorkError:
    return WorkError(
        f"The server does not answer the probe conversation: HTTP status {status}, "
        f"{text[:_SHOWN_CHARACTERS]}",
        code="probe_refused",
    )
