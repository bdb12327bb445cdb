"""Where a tuned model answers by its name: the host of every service that needs no deployment."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from typing_extensions import override

from ftproviders.adapters._openai_dialect.connection import Connection
from ftproviders.adapters._openai_dialect.request import chat_body
from ftproviders.errors import FineTuneError, UnexpectedResponseError
from ftproviders.provider import HostingAdapter, ProviderSettings
from ftproviders.provider.streaming import pieces_of
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import ChatReply, Endpoint

__all__ = ["DialectHosting"]


class DialectHosting(HostingAdapter):
    """Chats through the SDK, so that its errors are decoded as those of training are.

    Args:
        settings: Connection settings.
        connection: Requests to the service.
    """

    def __init__(self, settings: ProviderSettings, *, connection: Connection) -> None:
        super().__init__(settings)
        self._connection = connection

    @override
    def chat(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        body = chat_body(
            endpoint.model,
            messages,
            family=None if max_tokens is None else self.family(endpoint),
            temperature=temperature,
            max_tokens=max_tokens,
        )
        chat = self._connection.client.chat.completions.with_raw_response
        return self._reply(self._connection.ask(chat.create, **body), endpoint)

    @override
    def stream(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, ChatReply]:
        body = chat_body(
            endpoint.model,
            messages,
            family=None if max_tokens is None else self.family(endpoint),
            temperature=temperature,
            max_tokens=max_tokens,
        )
        chat = self._connection.client.chat.completions.with_streaming_response
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        send = partial(chat.create, **asked)
        with closing(self._connection.stream(send, as_it_comes=True)) as chunks:
            reply = yield from pieces_of(chunks, endpoint)
        return reply

    def family(self, endpoint: Endpoint) -> str | None:
        """Return a name that tells what sort of model answers; None = nobody knows.

        Override where the name that is sent does not tell it.
        """
        return endpoint.model

    def _reply(self, answer: Mapping[str, Any], endpoint: Endpoint) -> ChatReply:
        try:
            choice = answer["choices"][0]
            usage = answer.get("usage") or {}
            return ChatReply(
                text=choice["message"].get("content") or "",
                model=answer.get("model") or endpoint.model,
                finish_reason=choice.get("finish_reason"),
                prompt_tokens=usage.get("prompt_tokens"),
                completion_tokens=usage.get("completion_tokens"),
            )
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise UnexpectedResponseError(
                f"{endpoint.url} answered with something that is no chat completion.",
                provider=self.info.name,
                operation="chat",
                hint="Check that the address is an OpenAI-compatible API.",
                raw=answer,
            ) from error

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        ours = self._connection.translated(error, operation=operation)
        return ours or super().translate(error, operation=operation)

    @override
    def close(self) -> None:
        self._connection.close()
