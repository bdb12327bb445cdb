"""A model in a warm process of its own, for chats without a deployment."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from ftproviders.adapters.local.options import LocalSettings
from ftproviders.errors import DeploymentError, ProviderTimeoutError
from ftproviders.schema.deployment import Endpoint
from ftproviders.worker import process

__all__ = ["ADAPTER", "BASE", "ChatProcess"]

ADAPTER = "process:adapter"
"""Endpoint address of an adapter that is asked without a deployment."""
BASE = "process:base"
"""Endpoint address of an untuned base model, and of a model that was tuned as a whole."""


class ChatProcess:
    """One model in a process of its own; questions and answers are JSON lines over pipes.

    Args:
        endpoint: Whose address is `ADAPTER` or `BASE`.
        settings: Connection settings.
    """

    def __init__(self, endpoint: Endpoint, settings: LocalSettings) -> None:
        self.model = endpoint.model
        self.timeout_seconds = settings.chat_seconds
        kind = "adapter" if endpoint.url == ADAPTER else "base"
        order = {
            "model": endpoint.model,
            "kind": kind,
            "cache": str(settings.cache.resolve()),
            "client": os.getpid(),
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._pending = b""
        self._process = subprocess.Popen(
            [*process.python_command("ftproviders.worker.chat"), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=process.environment(threads=settings.threads),
            start_new_session=True,
        )
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def alive(self) -> bool:
        """Say whether it still runs."""
        return self._process.poll() is None

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Send a question and wait for the answer.

        Raises:
            DeploymentError: The model refused, or its process died.
            ProviderTimeoutError: No answer came in time; the process is ended.
        """
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._died() from error
        return self._read()

    def close(self) -> None:
        """End it: the end of its input is the sign to leave, and what does not leave is killed."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _read(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._read_line())
        if "error" in answer:
            raise DeploymentError(
                f"{self.model} does not answer: {answer['error']}",
                provider="local",
                operation="chat",
            )
        return answer

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + self.timeout_seconds
        while b"\n" not in self._pending:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.close()
                raise ProviderTimeoutError(
                    f"{self.model} did not answer in {self.timeout_seconds:g} seconds.",
                    provider="local",
                    operation="chat",
                    hint="Ask for fewer tokens, or raise chat_seconds.",
                )
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                raise self._died()
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _died(self) -> DeploymentError:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
        return DeploymentError(
            f"The process that holds {self.model} ended. It said: {' / '.join(lines) or 'nothing'}",
            provider="local",
            operation="chat",
            hint="Ask again; a model that is too large for the memory is killed by the system.",
        )
