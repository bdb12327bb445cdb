"""Deployment: a view on a `DeploymentRef`.

It can be made again tomorrow, in another process, from the text of the ref alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

from ftproviders.errors import NotFoundError
from ftproviders.runtime import Session, deployments
from ftproviders.runtime import chat as chat_with
from ftproviders.runtime.costs import standing_cost
from ftproviders.runtime.deployments import OnSeen
from ftproviders.runtime.streaming import ChatStream
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import (
    ChatReply,
    DeploymentCost,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentStatus,
    Endpoint,
)

__all__ = ["Deployment"]


class Deployment:
    """One deployment of a tuned model. Made by `deploy` and `FineTuneClient.deployment`.

    As a context manager it is ready inside the block, and after it deletes only what the call that
    returned it created::

        with job.deploy(ttl="30m") as deployment:
            print(deployment.chat("My kettle leaks").text)
    """

    def __init__(
        self,
        session: Session,
        ref: DeploymentRef,
        *,
        snapshot: DeploymentSnapshot | None = None,
        created: bool = False,
    ) -> None:
        self._session = session
        self._snapshot = snapshot
        self._made = snapshot if created else None
        self.ref = ref
        """The deployment's name; keep its text to come back."""
        self.created = created
        """True when the call that returned this object made the deployment."""

    @override
    def __repr__(self) -> str:
        status = self._snapshot.status.value if self._snapshot else "not read yet"
        return f"<Deployment {self.ref} {status}>"

    @property
    def snapshot(self) -> DeploymentSnapshot:
        """The deployment as it was last seen; read once on first use."""
        return self._snapshot if self._snapshot is not None else self.refresh()

    @property
    def status(self) -> DeploymentStatus:
        """Status as it was last seen."""
        return self.snapshot.status

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers: address and model name for other programs. Holds no key.

        Raises:
            DeploymentError: It does not answer, and why.
        """
        host = self._session.hosting(self.ref.provider)
        return self._session.call(host, "endpoint", lambda: host.endpoint(self.ref), ref=self.ref)

    @property
    def account(self) -> str:
        """The full account string."""
        return self._session.hosting(self.ref.provider).account()

    def refresh(self) -> DeploymentSnapshot:
        """Read the deployment now.

        Raises:
            NotFoundError: There is none of this name any more.
            ProviderError: It cannot be read.
        """
        self._snapshot = deployments.read(self._session, self.ref)
        return self._snapshot

    def wait_ready(
        self, *, timeout_seconds: float | None = None, on_update: OnSeen | None = None
    ) -> DeploymentSnapshot:
        """Wait until it answers; return how it then is.

        Args:
            timeout_seconds: Give up waiting after this time; the deployment goes on.
            on_update: Given each changed snapshot.

        Raises:
            DeploymentFailedError: It failed, or is being deleted.
            DeploymentTimeoutError: The time is over.
        """

        def keep(seen: DeploymentSnapshot) -> None:
            self._snapshot = seen
            if on_update is not None:
                on_update(seen)

        return deployments.wait_ready(
            self._session, self.ref, timeout_seconds=timeout_seconds, on_update=keep
        )

    def chat(
        self,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> ChatReply:
        """Ask the deployed model.

        Args:
            messages: The prompt, or a whole conversation.
            system: System message to put in front; use the one of the training rows.
            temperature: Sampling temperature; None = the host's default.
            max_tokens: Most tokens of the answer; None = the host's default.
            on_progress: Told in words what the answer waits for, when that takes long.

        Raises:
            DeploymentError: It does not answer, and why.
        """
        return chat_with.chat(
            self._session,
            self.ref.provider,
            self.ref,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
            on_progress=on_progress,
        )

    def chat_stream(
        self,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> ChatStream:
        """Ask the deployed model and read its answer as it comes; otherwise as `chat`.

        Returns:
            Pieces of text, and the whole answer as ``reply`` in the end.
        """
        return chat_with.stream(
            self._session,
            self.ref.provider,
            self.ref,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
            on_progress=on_progress,
        )

    def extend(self, ttl: str | timedelta) -> DeploymentSnapshot:
        """Let it live until `ttl` from now, for instance ``2h``.

        Raises:
            ConfigurationError: `ttl` is no length of time, or would end the lease earlier.
            UnsupportedFeatureError: The host cannot change leases.
        """
        self._snapshot = deployments.extend(self._session, self.ref, ttl)
        return self._snapshot

    def undeploy(self) -> DeploymentSnapshot:
        """Delete it; return it as it was before.

        Raises:
            NotFoundError: There is none of this name any more.
            DeploymentError: It was not made by ftproviders.
        """
        return deployments.undeploy(self._session, self.ref)

    def cost(self, seen: DeploymentSnapshot | None = None) -> DeploymentCost:
        """Return its age and what being there has cost, as far as a dated price is known.

        Args:
            seen: The deployment as a listing showed it; None = as it was last seen.
        """
        host = self._session.hosting(self.ref.provider)
        now = self._session.clock.now()
        return standing_cost(seen or self.snapshot, now=now, free=host.free())

    def needs_consent(self) -> bool:
        """Say whether having, extending or deleting this deployment concerns money."""
        return not self._session.hosting(self.ref.provider).free()

    def __enter__(self) -> Self:
        try:
            self.wait_ready()
        except BaseException:
            # Nobody will leave the block, so what was made for it is deleted here.
            self._clear_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear_up()

    def _clear_up(self) -> None:
        """Delete what was made for this object, unless somebody has replaced it meanwhile."""
        made, self._made = self._made, None
        if made is None:
            return
        try:
            if _same(made, self.refresh()):
                self.undeploy()
        except NotFoundError:
            return  # gone already


def _same(made: DeploymentSnapshot, seen: DeploymentSnapshot) -> bool:
    if _owner(made) != _owner(seen):
        return False
    # Not known when it could not be read right after it was made.
    return None in (made.created_at, seen.created_at) or made.created_at == seen.created_at


def _owner(seen: DeploymentSnapshot) -> str | None:
    return seen.lease.owner if seen.lease else None
