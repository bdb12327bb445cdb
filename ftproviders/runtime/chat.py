"""Asking a model, through whichever host can reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ftproviders.errors import ConfigurationError, FineTuneError, ProviderError
from ftproviders.provider import HostingAdapter
from ftproviders.runtime.session import Session
from ftproviders.runtime.streaming import ChatStream
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.deployment import ChatReply, DeploymentRef, Endpoint
from ftproviders.schema.job import ModelSource, TunedModel

__all__ = ["chat", "conversation", "stream"]


def conversation(
    messages: str | Sequence[ChatMessage | Mapping[str, Any]], *, system: str | None
) -> tuple[ChatMessage, ...]:
    """Make messages of a prompt or of dictionaries.

    Raises:
        ConfigurationError: A message is not one.
    """
    given = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    try:
        parsed = [ChatMessage.model_validate(message) for message in given]
    except ValidationError as error:
        raise ConfigurationError(
            f"Not a chat message: {error.errors(include_url=False)[0]['msg']}.",
            operation="chat",
            hint='A message looks like {"role": "user", "content": "..."}.',
        ) from error
    first = () if system is None else (ChatMessage(role=Role.SYSTEM, content=system),)
    return (*first, *parsed)


def chat(
    session: Session,
    provider: str,
    model: str | TunedModel | DeploymentRef,
    messages: Sequence[ChatMessage],
    *,
    temperature: float | None,
    max_tokens: int | None,
    on_progress: Callable[[str], None] | None = None,
) -> ChatReply:
    """Ask a model once; only what was surely not carried out is tried again.

    Args:
        session: Settings, clock, adapters.
        provider: The host.
        model: Whom to ask.
        messages: The conversation.
        temperature: Sampling temperature; None = the host's default.
        max_tokens: Most tokens of the answer; None = the host's default.
        on_progress: Told in words what the answer waits for, when that takes long.

    Raises:
        UnsupportedFeatureError: The provider does not host models.
        DeploymentError: The model does not answer, and why.
        ProviderError: The host refused.
    """
    host, endpoint = _asked(session, provider, model, on_progress)
    return session.call(
        host,
        "chat",
        lambda: host.chat(endpoint, messages, temperature=temperature, max_tokens=max_tokens),
        retry=_not_carried_out,
    )


def stream(
    session: Session,
    provider: str,
    model: str | TunedModel | DeploymentRef,
    messages: Sequence[ChatMessage],
    *,
    temperature: float | None,
    max_tokens: int | None,
    on_progress: Callable[[str], None] | None = None,
) -> ChatStream:
    """Ask a model once and return its answer to be read as it comes; otherwise as `chat`."""
    host, endpoint = _asked(session, provider, model, on_progress)
    return ChatStream(
        session,
        host,
        lambda: host.stream(endpoint, messages, temperature=temperature, max_tokens=max_tokens),
        retry=_not_carried_out,
    )


def _asked(
    session: Session,
    provider: str,
    model: str | TunedModel | DeploymentRef,
    on_progress: Callable[[str], None] | None,
) -> tuple[HostingAdapter, Endpoint]:
    host = session.hosting(provider)
    target = _named(provider, model) if isinstance(model, str) else model
    endpoint = session.call(host, "endpoint", lambda: host.endpoint(target))
    first = host.waits_for(endpoint)
    if first is not None and on_progress is not None:
        on_progress(first)
    return host, endpoint


def _named(provider: str, model: str) -> TunedModel:
    return TunedModel(source=ModelSource.PROVIDER_MODEL, name=model, provider=provider)


def _not_carried_out(error: FineTuneError) -> bool:
    return isinstance(error, ProviderError) and error.retryable and not error.maybe_executed
