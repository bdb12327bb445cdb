"""What `FineTuneClient` does with models that answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftproviders.runtime import Session
from ftproviders.runtime import chat as chat_with
from ftproviders.runtime.streaming import ChatStream
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import ChatReply
from ftproviders.schema.job import TunedModel

__all__ = ["ChattingClient"]


class ChattingClient:
    """The part of `FineTuneClient` that asks models."""

    _session: Session

    def chat(
        self,
        provider: str,
        model: str | TunedModel,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        """Ask any model of a provider, a base model for instance.

        Args:
            provider: Whose model.
            model: Its name or path, or a tuned model.
            messages: The prompt, or a whole conversation.
            system: System message to put in front.
            temperature: Sampling temperature; None = the provider's default.
            max_tokens: Most tokens of the answer; None = the provider's default.
        """
        return chat_with.chat(
            self._session,
            provider,
            model,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
        )

    def chat_stream(
        self,
        provider: str,
        model: str | TunedModel,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatStream:
        """Ask any model of a provider and read its answer as it comes; arguments as in `chat`.

        Returns:
            Pieces of text, and the whole answer as ``reply`` in the end.
        """
        return chat_with.stream(
            self._session,
            provider,
            model,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
        )
