"""What the strings of rows add up to."""

from __future__ import annotations

from dataclasses import dataclass

from ftproviders.data.patterns import Pattern

__all__ = ["Refused", "RichRow", "is_clean"]


class Refused(Exception):  # noqa: N818 - control flow of the fast path, never seen outside
    """The row is for the judge."""


@dataclass(slots=True)
class RichRow:
    """A row with more than text messages, looked at by itself and found good."""

    key: int
    """Its key, as `keys.key_of_row` gives it."""
    quotes: int
    """Quotes that it must have, when no key stands twice."""
    pattern: Pattern
    sizes: list[int]
    """Characters of each message."""
    text_bytes: int
    images: int


def is_clean(text: str) -> bool:
    """Say whether a text has neither NUL nor what may begin a control token."""
    # A single character is found several times faster than two.
    return "\0" not in text and ("|" not in text or "<|" not in text)
