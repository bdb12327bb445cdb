"""What a check found, before anybody decided how bad it is; and how values are shown to people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from ftproviders.data.secrets import mask

__all__ = ["Finding", "JsonPath", "format_path", "show", "show_file"]

JsonPath: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the row down to a value."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SHOWN_CHARACTERS = 40
_SHORTEST_SECRET = 16
_MASKED_CHARACTERS = 512
"""Characters in which secrets are looked for, before a text is shortened."""


class Finding(Struct, frozen=True, kw_only=True):
    """One broken rule in one row. Its column is found only when somebody wants to see it.

    Files may have millions of them, and most are only counted: they have to be made quickly.
    """

    rule: str
    """Id in the rule table."""
    path: JsonPath = ()
    """The value concerned; for something missing, the value that lacks it."""
    message: str
    fix: str = ""
    key: bool = False
    """True when the key, not its value, is to be pointed at."""
    needle: str = ""
    """Text inside the value to be pointed at, as it stands in the file."""
    offset: int | None = None
    """Characters before the place, where the check knows them already."""
    amount: int | None = None
    """How much there is of what providers limit; only those whose limit is lower mind."""
    shape: str = ""
    """Shape of the row; providers that take it do not mind."""


def format_path(path: JsonPath) -> str:
    """Write a path as people read it, for instance ``messages[2].content``."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step) and _may_be_shown(step):
            written += f".{step}" if written else step
        else:
            written += f"[{_quoted(step)}]"
    return written


def _may_be_shown(key: str) -> bool:
    return len(key) < _SHORTEST_SECRET or mask(key) == key


def show(value: object) -> str:
    """Describe a value in a few words, whatever its size."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if type(value) is int:
        return str(value) if value.bit_length() <= 128 else "a very large number"
    return json.dumps(value)


def show_file(path: Path | str) -> str:
    """Write a path so that it can be printed and serialised, whatever bytes the name has."""
    return str(path).encode(errors="replace").decode()


def _quoted(text: str) -> str:
    """Quote a text, shortened; control characters and lone surrogates come out escaped."""
    if len(text) < _SHORTEST_SECRET and text.isalnum() and text.isascii():
        return f'"{text}"'
    text = mask(text[:_MASKED_CHARACTERS])
    shortened = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    quoted = json.dumps(shortened, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in quoted)
