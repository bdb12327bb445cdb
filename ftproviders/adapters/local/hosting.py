"""Where models of this machine answer: in a warm process for chats, or behind a server of theirs.

The warm processes are `chatting`'s, the servers those of `deployments`.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from ftproviders.adapters.local import PROVIDER
from ftproviders.adapters.local.chatting import ADAPTER, BASE, ChatProcess
from ftproviders.adapters.local.deployments import Deployments, missing_server
from ftproviders.adapters.local.machine import unsupported
from ftproviders.adapters.local.options import LocalSettings
from ftproviders.errors import ConfigurationError, DeploymentError
from ftproviders.provider import HostingAdapter
from ftproviders.provider.completions import stream
from ftproviders.provider.machine import machine_name
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import (
    ChatReply,
    DeploymentPage,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    DeploymentStatus,
    Endpoint,
    Lease,
)
from ftproviders.schema.job import TunedModel
from ftproviders.worker.basemodel import locate

__all__ = ["LocalHostingAdapter"]

_MAX_TOKENS = 256


class LocalHostingAdapter(HostingAdapter):
    """Answers with a tuned model's adapter, or with an untuned base model.

    A model that is not deployed is loaded by the first question and stays in a process of its own,
    which ends with `close`, with this process, or when too many other models were asked. A deployed
    one stays behind its server until `undeploy` or the end of its lease. Answers are greedy unless
    a temperature above 0 is given, and have at most 256 tokens unless ``max_tokens`` says
    otherwise.
    """

    info = PROVIDER
    settings: LocalSettings

    def __init__(self, settings: LocalSettings) -> None:
        super().__init__(settings)
        self.deployed = Deployments(settings)
        self._processes: dict[tuple[str, str], ChatProcess] = {}
        self._lock = threading.Lock()
        atexit.register(_close_if_alive, weakref.ref(self))

    @override
    def endpoint(self, target: TunedModel | DeploymentRef) -> Endpoint:
        if isinstance(target, DeploymentRef):
            return self._endpoint_of(self.deployment(target))
        if (Path(target.name) / "adapter_config.json").is_file():
            return Endpoint(provider="local", url=ADAPTER, model=target.name)
        try:
            return Endpoint(provider="local", url=BASE, model=locate(target.name).name)
        except ValueError as error:
            raise DeploymentError(
                str(error),
                provider="local",
                operation="chat",
                hint="`ftproviders models --provider local` lists the models here.",
            ) from error

    def _endpoint_of(self, found: DeploymentSnapshot) -> Endpoint:
        # The socket is kept while the server of transformers is started again: requests wait.
        waits = found.raw_status == "restarting" and self.deployed.keeps_address(found.ref)
        answers = found.status is DeploymentStatus.READY or waits
        if not answers or not (found.url and found.model_name):
            why = f": {found.error.message}" if found.error else "."
            raise DeploymentError(
                f"Deployment {found.ref} is {found.status.value} ({found.raw_status}), so it does "
                f"not answer{why}",
                provider="local",
                operation="endpoint",
                hint="Wait until it is ready."
                if found.status is DeploymentStatus.CREATING
                else f"Run `ftproviders undeploy {found.ref}`, then deploy again.",
            )
        return Endpoint(provider="local", url=found.url, model=found.model_name, auth="bearer")

    @override
    def account(self) -> str:
        return machine_name(self.settings.home.absolute())

    @override
    def preflight(self) -> ConfigurationError | None:
        return unsupported() or super().preflight()

    @override
    def credentials(self, endpoint: Endpoint) -> Mapping[str, str]:
        if endpoint.url in (ADAPTER, BASE):
            return {}
        ref = DeploymentRef(provider="local", id=endpoint.model)
        directory = self.deployed.existing(ref)
        # A token goes to its own server only.
        if directory.status().get("url") != endpoint.url:
            raise DeploymentError(
                f"Deployment {ref} answers at another address now.",
                provider="local",
                operation="credentials",
                hint="Ask for its endpoint again.",
            )
        return {"Authorization": f"Bearer {directory.token()}"}

    @override
    def waits_for(self, endpoint: Endpoint) -> str | None:
        if endpoint.url not in (ADAPTER, BASE):
            return None
        running = self._processes.get((endpoint.url, endpoint.model))
        if running is not None and running.alive():
            return None
        return (
            f"Loading the model {endpoint.model} to ask it; this may take minutes. A deployment "
            "keeps it loaded."
        )

    @override
    def chat(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        if endpoint.url not in (ADAPTER, BASE):
            most = max_tokens or _MAX_TOKENS
            return super().chat(endpoint, messages, temperature=temperature, max_tokens=most)
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
    def stream(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, ChatReply]:
        most = max_tokens or _MAX_TOKENS
        if endpoint.url in (ADAPTER, BASE):
            # The warm process answers in one piece.
            asked = super().stream(endpoint, messages, temperature=temperature, max_tokens=most)
            return (yield from asked)
        headers = self.credentials(endpoint)
        return (
            yield from stream(
                endpoint, messages, headers=headers, temperature=temperature, max_tokens=most
            )
        )

    @override
    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        problem = self.preflight() or missing_server()
        if problem is not None:
            raise problem
        return self.deployed.deploy(model, spec)

    @override
    def deployment(self, ref: DeploymentRef) -> DeploymentSnapshot:
        return self.deployed.get(ref)

    @override
    def deployments(self, *, cursor: str | None = None) -> DeploymentPage:
        return self.deployed.page(cursor)

    @override
    def undeploy(self, ref: DeploymentRef) -> None:
        self.deployed.undeploy(ref)

    @override
    def extend(self, ref: DeploymentRef, lease: Lease) -> DeploymentSnapshot:
        return self.deployed.extend(ref, lease)

    @override
    def close(self) -> None:
        with self._lock:
            for each in self._processes.values():
                each.close()
            self._processes.clear()

    def _process(self, endpoint: Endpoint) -> ChatProcess:
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
            running = ChatProcess(endpoint, self.settings)
        self._processes[key] = running
        return running


def _close_if_alive(adapter: weakref.ref[LocalHostingAdapter]) -> None:
    found = adapter()
    if found is not None:
        found.close()
