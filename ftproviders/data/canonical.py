"""Rows and their parts as canonical text: equal ones look equal, however they are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec

from ftproviders.data.numbers import COMPARABLE

__all__ = ["canonical_part", "digest", "read_canonical"]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="deterministic").encode
_check = json.JSONEncoder(allow_nan=False).encode
_encode_odd = json.JSONEncoder(sort_keys=True).encode


def read_canonical(line: bytes) -> tuple[Any, Callable[[Any], bytes]]:
    """Return a row, and what writes a part of it as canonical text."""
    try:
        return _decode(line), _canonical
    except (ValueError, OverflowError, RecursionError):
        # NaN, half a surrogate pair or an absurdly long number is somewhere in the row.
        return COMPARABLE.decode(line.decode("utf-8", "surrogatepass")), canonical_part


def _canonical(value: Any) -> bytes:
    return _encode(value) if value is not None else b""


def canonical_part(value: Any) -> bytes:
    """Write what may hold what the faster encoder changes; equal parts of other rows look equal."""
    try:
        _check(value)
        return _canonical(value)
    except (ValueError, OverflowError, RecursionError):
        return b"\0" + _encode_odd(value).encode()


def digest(*texts: bytes) -> bytes:
    """Return what only the same canonical texts have in common."""
    made = blake2b(digest_size=16)
    for text in texts:  # canonical text has no line feed
        made.update(text + b"\n")
    return made.digest()
