"""The hosting adapter of the in-memory provider: tuned models answer at once, or as deployments."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

from typing_extensions import override

from ftproviders.errors import DeploymentError, FineTuneError
from ftproviders.provider import HostingAdapter
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
from ftproviders.testing.memory import PROVIDER, wire
from ftproviders.testing.memory.connection import Connection, translated
from ftproviders.testing.memory.options import MemorySettings
from ftproviders.testing.memory.server import MemoryServer

__all__ = ["MemoryHosting"]


class MemoryHosting(HostingAdapter):
    """Answers with what a model's training file says.

    Args:
        settings: Connection settings.
        server: Server in this process; None = the one in the settings' folder.
    """

    info = PROVIDER

    def __init__(self, settings: MemorySettings, *, server: MemoryServer | None = None) -> None:
        super().__init__(settings)
        self._connection = Connection(settings, server)
        self._key = settings.api_key
        self._paid = settings.paid

    @override
    def account(self) -> str:
        return self._connection.account

    @override
    def free(self) -> bool:
        return not self._paid

    @override
    def endpoint(self, target: TunedModel | DeploymentRef) -> Endpoint:
        name = target.name if isinstance(target, TunedModel) else self._deployed(target)
        return Endpoint(
            provider=self.info.name,
            url=f"memory://{self._connection.public_account or 'default'}",
            model=name,
            auth="none" if self._key is None else "bearer",
        )

    def _deployed(self, ref: DeploymentRef) -> str:
        found = self.deployment(ref)
        if found.status is not DeploymentStatus.READY:
            raise DeploymentError(
                f"Deployment {ref} is {found.status.value}, so it does not answer.",
                provider=self.info.name,
                operation="endpoint",
                hint="Wait until it is ready.",
            )
        return found.model.name

    @override
    def credentials(self, endpoint: Endpoint) -> Mapping[str, str]:
        if self._key is None:
            return {}
        return {"Authorization": f"Bearer {self._key.get_secret_value()}"}

    @override
    def chat(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        body = {"temperature": temperature, "max_tokens": max_tokens}
        with self._translating("chat"):
            answer = self._connection.ask(
                "chat",
                model=endpoint.model,
                messages=[m.model_dump(mode="json", exclude_none=True) for m in messages],
                **{name: value for name, value in body.items() if value is not None},
            )
            return wire.chat_reply(answer, model=endpoint.model)

    @override
    def stream(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, ChatReply]:
        reply = self.chat(endpoint, messages, temperature=temperature, max_tokens=max_tokens)
        yield from re.findall(r"\S+\s*|\s+", reply.text)
        return reply

    @override
    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        with self._translating("deploy"):
            entry = self._connection.ask(
                "deploy",
                name=spec.name,
                model=model.name,
                tags=wire.lease_tags(spec.lease),
                options=dict(spec.options),
            )
            return wire.deployment(entry, account=self._connection.public_account).ref

    @override
    def deployment(self, ref: DeploymentRef) -> DeploymentSnapshot:
        with self._translating("deployment"):
            entry = self._connection.ask("deployment", id=ref.id)
            return wire.deployment(entry, account=self._connection.public_account)

    @override
    def deployments(self, *, cursor: str | None = None) -> DeploymentPage:
        with self._translating("deployments"):
            start = {} if cursor is None else {"after": cursor}
            page = self._connection.ask("deployments", **start)
            account = self._connection.public_account
            listed = tuple(wire.deployment(entry, account=account) for entry in page["data"])
            more = listed[-1].ref.id if page["has_more"] else None
            return DeploymentPage(deployments=listed, cursor=more)

    @override
    def undeploy(self, ref: DeploymentRef) -> None:
        with self._translating("undeploy"):
            self._connection.ask("undeploy", id=ref.id)

    @override
    def extend(self, ref: DeploymentRef, lease: Lease) -> DeploymentSnapshot:
        with self._translating("extend"):
            entry = self._connection.ask("extend", id=ref.id, tags=wire.lease_tags(lease))
            return wire.deployment(entry, account=self._connection.public_account)

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        def otherwise(other: Exception) -> FineTuneError:
            return super(MemoryHosting, self).translate(other, operation=operation)

        return translated(error, operation=operation, otherwise=otherwise)

    @contextmanager
    def _translating(self, operation: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            ours = self.translate(error, operation=operation)
            if ours is error:
                raise
            raise ours from error
