"""What every request is held to before it is carried out: place, key, query, kind of body."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ftproviders.testing.openai.multipart import Part, read_parts
from ftproviders.testing.openai.operations import FORM, Operation
from ftproviders.testing.openai.refusal import ApiError, invalid, unknown_parameter
from ftproviders.testing.openai.wire import RawRequest

__all__ = [
    "answer_headers",
    "check_key",
    "checked_body",
    "checked_query",
    "key_word",
    "no_such_request",
    "parts_of",
]

_MOST_JSON_BYTES = 16 * 1024**2


def key_word(raw: RawRequest, api_key: str) -> str:
    """Say whether a request's key is ``right``, ``wrong`` or ``missing``."""
    given = raw.headers.get("authorization")
    if given is None:
        return "missing"
    return "right" if given == f"Bearer {api_key}" else "wrong"


def check_key(word: str) -> None:
    """Let only the right key in.

    Args:
        word: What `key_word` says of it.

    Raises:
        ApiError: Another, or none.
    """
    if word == "missing":
        raise ApiError("You didn't provide an API key.", status=401)
    if word == "wrong":
        raise ApiError("Incorrect API key provided.", status=401, code="invalid_api_key")


def answer_headers(number: int, date: datetime) -> dict[str, str]:
    """Return the headers of every answer."""
    return {
        "x-request-id": f"req_{number:06d}",
        "openai-version": "2020-10-01",
        "Date": email.utils.format_datetime(date.astimezone(UTC), usegmt=True),
    }


def no_such_request(method: str, path: str, *, known: bool) -> ApiError:
    """Return the refusal of a request that the service does not have."""
    if known:
        return ApiError(f"Not allowed to {method} on {path}.", status=405)
    return ApiError(f"Invalid URL ({method} {path})", status=404)


def checked_query(operation: Operation, query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters of the query.

    Raises:
        ApiError: One of them is unknown or stands twice.
    """
    for name, _ in query:
        known = "metadata" if name.startswith("metadata[") and name.endswith("]") else name
        if known not in operation.query or name == "metadata":
            raise unknown_parameter(name)
    if len(dict(query)) != len(query):
        raise invalid("A parameter stands twice in the query.")
    return dict(query)


def checked_body(operation: Operation, raw: RawRequest) -> tuple[Any, Sequence[Part]]:
    """Return the JSON body, or the parts of a form.

    Raises:
        ApiError: There should be none, or it is of another kind, or it cannot be read.
    """
    size = raw.body.stat().st_size
    content_type = raw.headers.get("content-type", "").split(";")[0].strip().lower()
    if operation.content_type is None:
        # The SDK sends an empty JSON object where it has nothing to say.
        if size and raw.body.read_bytes().strip() != b"{}":
            raise invalid("This request has no body.")
        return None, ()
    if content_type != operation.content_type:
        raise ApiError(
            f"Invalid content type: '{content_type or 'none'}'; '{operation.content_type}' is "
            "needed.",
            status=415,
        )
    if operation.content_type == FORM:
        return None, parts_of(raw)
    if size > _MOST_JSON_BYTES:
        raise ApiError("The request is too large.", status=413)
    try:
        return json.loads(raw.body.read_bytes()), ()
    except (ValueError, RecursionError):
        raise invalid("We could not parse the JSON body of your request.") from None


def parts_of(raw: RawRequest) -> Sequence[Part]:
    """Return the parts of a form.

    Raises:
        ApiError: It is not well formed.
    """
    return read_parts(raw.body, raw.headers["content-type"])
