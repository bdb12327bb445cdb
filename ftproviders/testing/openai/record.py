"""What the emulator remembers of a request: everything but secrets and the bytes of files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ftproviders.schema.value import JsonValue, Value
from ftproviders.testing.openai.multipart import Part, read_parts
from ftproviders.testing.openai.refusal import ApiError

__all__ = ["RecordedPart", "RecordedRequest", "part_record", "readable", "safe_headers"]

_SECRET_HEADERS = frozenset(
    {"authorization", "api-key", "cookie", "x-api-key", "x-ms-authorization-auxiliary"}
)
_SMALL_FIELD_BYTES = 4096


class RecordedPart(Value):
    """One part of a multipart body."""

    name: str
    filename: str | None
    content_type: str | None
    bytes: int
    text: str | None
    """The content of a plain field; None for a file."""


class RecordedRequest(Value):
    """A request as the emulator received it."""

    number: int
    """From 1, over the emulator's whole life."""
    operation: str | None
    """Name in OpenAI's description; None when it has no such request."""
    method: str
    path: str
    """Path behind the host, with ``/v1``; still percent-encoded."""
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str]
    """Names in lower case; the value of those that carry a key is ``<hidden>``."""
    key: str
    """``right``, ``wrong`` or ``missing``."""
    body: JsonValue = None
    """The JSON body."""
    parts: tuple[RecordedPart, ...] = ()
    """The parts of a multipart body."""
    at: datetime
    status: int | None = None
    """HTTP status of the answer; None while there is none."""
    outcome: str = "open"
    """``ok``, ``refused``, ``before: <fault>`` or ``after: <fault>``."""


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without the values that carry a key."""
    return {
        name: "<hidden>" if name in _SECRET_HEADERS else value for name, value in headers.items()
    }


def part_record(body: Path, content_type: str) -> list[dict[str, Any]]:
    """Return the parts of a form for the record; none when it cannot be read."""
    try:
        parts = read_parts(body, content_type)
    except ApiError:
        return []
    return [
        {
            "name": part.name,
            "filename": part.filename,
            "content_type": part.content_type,
            "bytes": part.size,
            "text": _text(part),
        }
        for part in parts
    ]


def _text(part: Part) -> str | None:
    if part.filename is not None or part.size > _SMALL_FIELD_BYTES:
        return None
    return b"".join(part.blocks()).decode("utf-8", "replace")


def readable(body: bytes) -> Any:
    """Return a JSON body, or None when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
