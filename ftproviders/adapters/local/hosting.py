"""Chats with models on this machine: one warm process for each model that is asked."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from ftproviders.adapters.local import PROVIDER
from ftproviders.adapters.local.machine import unsupported
from ftproviders.adapters.local.options import LocalSettings
from ftproviders.errors import ConfigurationError, DeploymentError, ProviderTimeoutError
from ftproviders.provider import HostingAdapter
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import ChatReply, DeploymentRef, Endpoint
from ftproviders.schema.job import TunedModel
from ftproviders.worker import process
from ftproviders.worker.basemodel import locate

__all__ = ["LocalHostingAdapter"]

_ADAPTER = "process:adapter"
_BASE = "process:base"
_MAX_TOKENS = 256


class LocalHostingAdapter(HostingAdapter):
    """Answers with a tuned model's adapter, or with an untuned base model.

    A model is loaded by the first question and stays in a process of its own, which ends with
    `close`, with this process, or when too many other models were asked. Answers are greedy unless
    a temperature above 0 is given, and have at most 256 tokens unless ``max_tokens`` says
    otherwise.
    """

    info = PROVIDER
    settings: LocalSettings

    def __init__(self, settings: LocalSettings) -> None:
        super().__init__(settings)
        self._processes: dict[tuple[str, str], _ChatProcess] = {}
        self._lock = threading.Lock()
        atexit.register(_close_if_alive, weakref.ref(self))

    @override
    def endpoint(self, target: TunedModel | DeploymentRef) -> Endpoint:
        if isinstance(target, DeploymentRef):
            raise DeploymentError(
                f"{target} is a deployment; provider local has none.",
                provider="local",
                operation="chat",
                hint="Chat with the job or the model directly.",
            )
        if (Path(target.name) / "adapter_config.json").is_file():
            return Endpoint(provider="local", url=_ADAPTER, model=target.name)
        try:
            return Endpoint(provider="local", url=_BASE, model=locate(target.name).name)
        except ValueError as error:
            raise DeploymentError(
                str(error),
                provider="local",
                operation="chat",
                hint="`ftproviders models --provider local` lists the models here.",
            ) from error

    @override
    def preflight(self) -> ConfigurationError | None:
        return unsupported() or super().preflight()

    @override
    def credentials(self, endpoint: Endpoint) -> Mapping[str, str]:
        return {}

    @override
    def chat(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        question = {
            "messages": [m.model_dump(mode="json", exclude_none=True) for m in messages],
            "temperature": temperature or 0.0,
            "max_tokens": max_tokens or _MAX_TOKENS,
        }
        with self._lock:
            answer = self._process(endpoint).ask(question)
        return ChatReply(
            text=answer["text"],
            model=endpoint.model,
            finish_reason=answer["finish_reason"],
            prompt_tokens=answer["prompt_tokens"],
            completion_tokens=answer["completion_tokens"],
        )

    @override
    def close(self) -> None:
        with self._lock:
            for each in self._processes.values():
                each.close()
            self._processes.clear()

    def _process(self, endpoint: Endpoint) -> _ChatProcess:
        """Return the endpoint's process; the one asked longest ago makes room for a new one."""
        key = (endpoint.url, endpoint.model)
        running = self._processes.pop(key, None)
        if running is not None and not running.alive():
            running.close()
            running = None
        if running is None:
            problem = self.preflight()
            if problem is not None:
                raise problem
            while len(self._processes) >= self.settings.chat_models:
                self._processes.pop(next(iter(self._processes))).close()
            running = _ChatProcess(endpoint, self.settings)
        self._processes[key] = running
        return running


class _ChatProcess:
    """One model in a process of its own; questions and answers are JSON lines over pipes."""

    def __init__(self, endpoint: Endpoint, settings: LocalSettings) -> None:
        self.model = endpoint.model
        self.timeout_seconds = settings.chat_seconds
        kind = "adapter" if endpoint.url == _ADAPTER else "base"
        order = {"model": endpoint.model, "kind": kind, "cache": str(settings.cache.resolve())}
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


def _close_if_alive(adapter: weakref.ref[LocalHostingAdapter]) -> None:
    found = adapter()
    if found is not None:
        found.close()
