"""Requests through a ready SDK client: one attempt each, answers as plain JSON, keys taken out.

The SDK's own classes do not leave this file. It is not imported here: whoever makes the client
imports it, and its exceptions are known by the names of their classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ftproviders.adapters._openai_dialect.refusals import (
    Decoder,
    Refusal,
    explained,
    retry_after_seconds,
    unsent,
)
from ftproviders.adapters._openai_dialect.scrubbing import Scrubber
from ftproviders.errors import FineTuneError, UnexpectedResponseError

__all__ = ["Connection"]

_UNSENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})
"""What the HTTP library says when a request never left."""
_SHOWN_CHARACTERS = 500
_CHUNK_BYTES = 1 << 20
_REQUEST_IDS = ("x-request-id", "apim-request-id", "x-ms-request-id")
"""Where services write the id of a request; the later ones are Azure's."""


class Connection:
    """One account at one address.

    Args:
        provider: For errors.
        make_client: Makes the SDK's client, its own retries off; called on first use.
        scrubber: Takes keys out of everything that is answered.
        address: Where it is, for errors.
        key_hint: Where its key comes from: a sentence, for errors.
        decode: What this service means by an error where that is more than the API's own words.
        also_close: Called by `close`.
    """

    def __init__(
        self,
        *,
        provider: str,
        make_client: Callable[[], Any],
        scrubber: Scrubber,
        address: str = "",
        key_hint: str = "",
        decode: Decoder | None = None,
        also_close: Callable[[], None] | None = None,
    ) -> None:
        self._provider = provider
        self._address = address
        self._key_hint = key_hint
        self._decode = decode
        self._also_close = also_close
        self._make_client = make_client
        self._client: Any = None
        self.scrubber = scrubber

    @property
    def client(self) -> Any:
        """The SDK's client."""
        if self._client is None:
            self._client = self._make_client()
        return self._client

    def close(self) -> None:
        """Close the client's connections; may be called again."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._also_close is not None:
            self._also_close()

    # --- requests ----------------------------------------------------------------------------

    def ask(self, call: Callable[..., Any], *args: Any, **fields: Any) -> dict[str, Any]:
        """Make one request and read its answer.

        Args:
            call: A method of one of the client's ``with_raw_response``.
            *args: Its arguments.
            **fields: Likewise; None is not sent.

        Raises:
            UnexpectedResponseError: The answer is no JSON object.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        return self._object(call(*args, **given).content)

    def read(self, call: Callable[..., Any], *args: Any) -> bytes:
        """Make one request and return the body as it came."""
        content: bytes = call(*args).content
        return content

    def stream(
        self, call: Callable[..., Any], *args: Any, as_it_comes: bool = False
    ) -> Generator[bytes]:
        """Make one request and yield its body in pieces, so that it need not fit into memory.

        Args:
            call: A method of one of the client's ``with_streaming_response``.
            *args: Its arguments.
            as_it_comes: Pieces as the network brings them, not of one size.
        """
        with call(*args) as response:
            yield from response.iter_bytes(None if as_it_comes else _CHUNK_BYTES)

    def page(
        self, call: Callable[..., Any], *args: Any, **fields: Any
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return the items of one page of a list, and the cursor of the next.

        Where the answer does not say whether there is more, a list that was asked for with a
        ``limit`` is read on until a page brings nothing: even a short page proves nothing, since
        servers have largest pages of their own.
        """
        answer = self.ask(call, *args, **fields)
        data = answer.get("data")
        if not isinstance(data, list):
            raise self._unreadable("it is no list", answer)
        items = [item for item in data if isinstance(item, dict) and item.get("id")]
        more = answer.get("has_more")
        if not isinstance(more, bool):
            items = _beyond(items, fields.get("after"))
            more = "limit" in fields
        return items, str(items[-1]["id"]) if more and items else None

    def pages(
        self, call: Callable[..., Any], *args: Any, **fields: Any
    ) -> Iterator[dict[str, Any]]:
        """Walk over every item of a list, page by page.

        Raises:
            UnexpectedResponseError: A page is no list, or the list has no end.
        """
        cursors: set[str] = set()
        after: str | None = None
        while True:
            items, cursor = self.page(call, *args, **fields, after=after)
            yield from items
            if cursor is None:
                return
            if cursor in cursors:
                raise self._unreadable(f"its pages come round again after {cursor}", None)
            cursors.add(cursor)
            after = cursor

    def _object(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError as error:
            text = content[:_SHOWN_CHARACTERS].decode("utf-8", "replace")
            raise self._unreadable("it is no JSON", text) from error
        if not isinstance(answer, dict):
            raise self._unreadable("it is no JSON object", answer)
        found: dict[str, Any] = self.scrubber.json(answer)
        return found

    def _unreadable(self, why: str, raw: object) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"{self._provider} gave an answer that cannot be used: {why}.",
            provider=self._provider,
            hint="Try again; if it stays so, check that the address is an OpenAI-compatible API.",
            raw=self.scrubber.json(raw),
        )

    # --- errors ------------------------------------------------------------------------------

    def translated(self, error: Exception, *, operation: str) -> FineTuneError | None:
        """Turn the SDK's exception into one of ours; None when it is not the SDK's.

        What the exception itself says is scrubbed too: it stays reachable as the cause.
        """
        names = {kind.__name__ for kind in type(error).__mro__}
        if isinstance(error, UnexpectedResponseError):
            error.operation = error.operation or operation
            return error
        if type(error).__module__.partition(".")[0] == "openai" and "OpenAIError" in names:
            refusal = self._refusal(error, names)
        elif isinstance(error, json.JSONDecodeError):
            refusal = Refusal(kind="unreadable")
        elif "TransportError" in names:
            # While a body is read piece by piece, the HTTP library's own come through the SDK.
            refusal = Refusal(kind="timeout" if "TimeoutException" in names else "broken")
        else:
            return None
        told = replace(refusal, address=self._address, key_hint=self._key_hint)
        return explained(told, provider=self._provider, operation=operation, decode=self._decode)

    def _refusal(self, error: Exception, names: set[str]) -> Refusal:
        if "APIStatusError" in names:
            return self._status(error)
        cause = {kind.__name__ for kind in type(error.__cause__).__mro__}
        if "APIConnectionError" in names and cause & _UNSENT:
            return unsent(error)
        if "APITimeoutError" in names:
            return Refusal(kind="timeout")
        if "APIConnectionError" in names:
            return Refusal(kind="broken")
        self._scrub(error)
        return Refusal(kind="unreadable")

    def _status(self, error: Any) -> Refusal:
        self._scrub(error)
        body = error.body
        inner = body.get("error", body) if isinstance(body, Mapping) else {}
        told: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {"message": inner}
        detail = body.get("detail") if isinstance(body, Mapping) else None
        message = told.get("message") or (detail if isinstance(detail, str) else "")
        headers = error.response.headers
        return Refusal(
            kind="status",
            status=error.status_code,
            code=_word(told.get("code")),
            param=_word(told.get("param")),
            type=_word(told.get("type")),
            message=str(message or ""),
            request_id=self.scrubber.json(
                next((headers[n] for n in _REQUEST_IDS if headers.get(n)), None), name="request_id"
            ),
            retry_after=retry_after_seconds(headers),
            raw=body if isinstance(body, dict | list) else str(body)[:_SHOWN_CHARACTERS],
        )

    def _scrub(self, error: Any) -> None:
        clean = self.scrubber
        error.args = tuple(clean.text(a) if isinstance(a, str) else a for a in error.args)
        for name in ("message", "body", "code", "param", "type", "request_id"):
            if hasattr(error, name):
                setattr(error, name, clean.json(getattr(error, name), name=name))


def _word(value: object) -> str | None:
    return str(value) if value not in (None, "") else None


def _beyond(items: list[dict[str, Any]], after: object) -> list[dict[str, Any]]:
    """Return the items behind `after`; none where the server gave its first page again."""
    if after is None or not items:
        return items
    ids = [str(item["id"]) for item in items]
    return [] if ids[-1] == after else items[ids.index(str(after)) + 1 :] if after in ids else items
