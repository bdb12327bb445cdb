"""Answers that come piece by piece: OpenAI-shaped chat completions as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from ftproviders.errors import (
    ProviderConnectionError,
    ProviderUnavailableError,
    UnexpectedResponseError,
)
from ftproviders.schema.deployment import ChatReply, Endpoint

__all__ = ["pieces_of"]

_DONE = "[DONE]"


def pieces_of(chunks: Iterable[bytes], endpoint: Endpoint) -> Generator[str, None, ChatReply]:
    """Yield the text of an answer as it comes; the whole answer is the generator's value.

    A server that does not stream sends one JSON object; its text is then the only piece.

    Args:
        chunks: The body as it comes off the wire, cut anywhere.
        endpoint: Whose answer it is.

    Raises:
        ProviderConnectionError: The answer ends in the middle.
        ProviderUnavailableError: The server reports an error in the middle.
        UnexpectedResponseError: It is no chat completion.
    """
    answer = _Answer(endpoint)
    for data in _events(chunks):
        if data == _DONE:
            answer.finished = True
            break
        yield from answer.take(data)
    return answer.reply()


class _Answer:
    def __init__(self, endpoint: Endpoint) -> None:
        self.finished = False
        self._endpoint = endpoint
        self._texts: list[str] = []
        self._reason: str | None = None
        self._model: str | None = None
        self._usage: Mapping[str, Any] = {}

    def take(self, data: str) -> Iterator[str]:
        """Read one event; yield the text in it."""
        try:
            chunk = json.loads(data)
            if chunk.get("error"):
                raise self._reported(chunk["error"])
            self._model = chunk.get("model") or self._model
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk.get("choices") or ():
                if choice.get("index", 0) != 0:
                    continue
                self._reason = choice.get("finish_reason") or self._reason
                # Servers that do not stream send the whole message at once.
                said = choice.get("delta") or choice.get("message") or {}
                text = said.get("content")
                if isinstance(text, str) and text:
                    self._texts.append(text)
                    yield text
        except (ValueError, TypeError, AttributeError) as error:
            raise self._unreadable() from error

    def reply(self) -> ChatReply:
        """Return the whole answer.

        Raises:
            ProviderConnectionError: It has not ended.
            UnexpectedResponseError: There was none.
        """
        if not self.finished and self._reason is None:
            if not self._texts and self._model is None:
                raise self._unreadable()
            raise ProviderConnectionError(
                f"{self._endpoint.url} broke the answer off after "
                f"{sum(map(len, self._texts))} characters.",
                provider=self._endpoint.provider,
                operation="chat",
                hint="What came is kept. Ask again.",
            )
        return ChatReply(
            text="".join(self._texts),
            model=self._model or self._endpoint.model,
            finish_reason=self._reason,
            prompt_tokens=self._usage.get("prompt_tokens"),
            completion_tokens=self._usage.get("completion_tokens"),
        )

    def _unreadable(self) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"{self._endpoint.url} answered with something that is no chat completion.",
            provider=self._endpoint.provider,
            operation="chat",
            hint="Check that the address is an OpenAI-compatible API.",
        )

    def _reported(self, told: object) -> ProviderUnavailableError:
        # Its words may hold anything; the code is data.
        code = told.get("code") or told.get("type") if isinstance(told, Mapping) else None
        return ProviderUnavailableError(
            f"{self._endpoint.url} ended the answer with an error"
            f"{f' ({code})' if isinstance(code, str) else ''}.",
            provider=self._endpoint.provider,
            operation="chat",
            hint="Ask again a little later.",
            code=code if isinstance(code, str) else None,
        )


def _events(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the data of each event; a body that is no stream of events is one event."""
    data: list[str] = []
    plain: list[str] = []
    for line in _lines(chunks):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
        elif line and not line.startswith((":", "event:", "id:", "retry:")):
            plain.append(line)
    if data:
        yield "\n".join(data)
    if plain:
        yield "\n".join(plain)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
    if pending:
        yield pending.rstrip(b"\r").decode("utf-8", "replace")
