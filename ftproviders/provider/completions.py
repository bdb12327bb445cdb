"""OpenAI-shaped chat completions over HTTP: the default of `HostingAdapter.chat`.

The HTTP library is imported on the first call.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ftproviders.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimitError,
    UnexpectedResponseError,
)
from ftproviders.provider.streaming import pieces_of
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import ChatReply, Endpoint

if TYPE_CHECKING:
    import httpx2

__all__ = ["complete", "error_for_status", "stream"]

_TIMEOUT_SECONDS = 120.0

_BY_STATUS: Mapping[int, tuple[type[ProviderError], str]] = {
    400: (InvalidRequestError, "Correct the request."),
    401: (AuthenticationError, "Check the key or token."),
    403: (PermissionDeniedError, "Check the role and the project of the key."),
    404: (NotFoundError, "Check the name of the model or deployment."),
    422: (InvalidRequestError, "Correct the request."),
    429: (RateLimitError, "Wait a little and try again."),
}


def error_for_status(status: int, *, provider: str, operation: str) -> ProviderError:
    """Return the error for an HTTP status; the body, which may hold anything, is not quoted."""
    kind, hint = _BY_STATUS.get(status, (InvalidRequestError, "Correct the request."))
    if status >= 500:
        kind, hint = ProviderUnavailableError, "Try again later."
    return kind(
        f"{provider} answered {operation} with HTTP status {status}.",
        provider=provider,
        operation=operation,
        hint=hint,
        status_code=status,
    )


def complete(
    endpoint: Endpoint,
    messages: Sequence[ChatMessage],
    *,
    headers: Mapping[str, str],
    temperature: float | None,
    max_tokens: int | None,
) -> ChatReply:
    """POST ``/chat/completions`` once and read the first choice.

    Raises:
        ProviderError: By HTTP status, or because no readable answer came.
    """
    body = _body(endpoint, messages, temperature=temperature, max_tokens=max_tokens)
    response = _post(endpoint, body, headers)
    provider = endpoint.provider
    if response.status_code >= 300:
        raise error_for_status(response.status_code, provider=provider, operation="chat")
    try:
        return _reply(response.json(), endpoint)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UnexpectedResponseError(
            f"{endpoint.url} answered with something that is no chat completion.",
            provider=provider,
            operation="chat",
            hint="Check that the address is an OpenAI-compatible API.",
        ) from error


def stream(
    endpoint: Endpoint,
    messages: Sequence[ChatMessage],
    *,
    headers: Mapping[str, str],
    temperature: float | None,
    max_tokens: int | None,
) -> Generator[str, None, ChatReply]:
    """POST ``/chat/completions`` once and yield the text as server-sent events bring it.

    Returns:
        The whole answer, as the generator's value.

    Raises:
        ProviderError: By HTTP status, because no readable answer came, or because it broke off.
    """
    import httpx2

    body = _body(endpoint, messages, temperature=temperature, max_tokens=max_tokens)
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    with (
        _translating(endpoint),
        httpx2.stream("POST", **_request(endpoint, asked, headers)) as response,
    ):
        if response.status_code >= 300:
            raise error_for_status(
                response.status_code, provider=endpoint.provider, operation="chat"
            )
        return (yield from pieces_of(response.iter_bytes(), endpoint))


def _body(
    endpoint: Endpoint,
    messages: Sequence[ChatMessage],
    *,
    temperature: float | None,
    max_tokens: int | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [m.model_dump(mode="json", exclude_none=True) for m in messages],
    }
    body |= {} if temperature is None else {"temperature": temperature}
    body |= {} if max_tokens is None else {"max_tokens": max_tokens}
    return body


def _post(
    endpoint: Endpoint, body: Mapping[str, Any], headers: Mapping[str, str]
) -> httpx2.Response:
    import httpx2

    with _translating(endpoint):
        return httpx2.post(**_request(endpoint, body, headers))


def _request(
    endpoint: Endpoint, body: Mapping[str, Any], headers: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "url": f"{endpoint.url.rstrip('/')}/chat/completions",
        "json": dict(body),
        "headers": dict(headers),
        "timeout": _TIMEOUT_SECONDS,
        # A proxy for the internet cannot reach a server on this machine.
        "trust_env": not _is_loopback(endpoint.url),
    }


@contextmanager
def _translating(endpoint: Endpoint) -> Iterator[None]:
    import httpx2

    try:
        yield
    except httpx2.TimeoutException as error:
        raise ProviderTimeoutError(
            f"{endpoint.url} did not answer in {_TIMEOUT_SECONDS:.0f} seconds.",
            provider=endpoint.provider,
            operation="chat",
            hint="Try again later.",
        ) from error
    except httpx2.RemoteProtocolError as error:
        raise ProviderConnectionError(
            f"{endpoint.url} broke the answer off.",
            provider=endpoint.provider,
            operation="chat",
            hint="Ask again.",
        ) from error
    except httpx2.HTTPError as error:
        raise ProviderConnectionError(
            f"{endpoint.url} cannot be reached.",
            provider=endpoint.provider,
            operation="chat",
            hint="Check that the server runs.",
        ) from error


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reply(payload: dict[str, Any], endpoint: Endpoint) -> ChatReply:
    choice = payload["choices"][0]
    usage = payload.get("usage") or {}
    return ChatReply(
        text=choice["message"].get("content") or "",
        model=payload.get("model") or endpoint.model,
        finish_reason=choice.get("finish_reason"),
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
    )
