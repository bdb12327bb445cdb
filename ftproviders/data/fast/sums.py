"""What the strings of rows add up to, and the count of quotes that gives doubled keys away."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Refused", "RichRow", "count_quotes", "is_clean", "look_at_bytes"]


class Refused(Exception):  # noqa: N818 - control flow of the fast path, never seen outside
    """The row is for the judge."""


@dataclass(slots=True)
class RichRow:
    """A row with more than text messages, looked at by itself and found good."""

    key: int
    """Its key, as `keys.key_of_row` gives it."""
    quotes: int
    """Quotes that it must have, when no key stands twice."""
    roles: tuple[str, ...]
    sizes: list[int]
    """Characters of each message."""
    text_bytes: int
    images: int


def is_clean(text: str) -> bool:
    """Say whether a text has neither NUL nor what may begin a control token."""
    # A single character is found several times faster than two.
    return "\0" not in text and ("|" not in text or "<|" not in text)


def count_quotes(raw: bytes) -> int:
    """Count the quotes that open or close strings in JSON text.

    A typed decoder uses the last of two equal keys without a word. The quotes tell: what was
    decoded says exactly how many there must be, and a key that stands twice adds at least two.
    """
    return look_at_bytes(raw)[0]


def look_at_bytes(raw: bytes) -> tuple[int, bool]:
    """Return the quotes of JSON text, see `count_quotes`, and whether a text may be unclean.

    NUL and the start of a control token can be written in no other way than as they are, or with
    the number of a character.
    """
    quotes = raw.count(b'"')
    unclean = b"|" in raw and b"<|" in raw
    if b"\\" in raw:
        # Searching for one byte and cutting there is much faster than searching for two.
        pieces = raw.split(b"\\")
        if b"" in pieces:
            pieces = raw.replace(b"\\\\", b"").split(b"\\")
        escaped = [piece[:1] for piece in pieces]
        del escaped[0]
        quotes -= escaped.count(b'"')
        unclean = unclean or b"u" in escaped
    return quotes, unclean
