"""What the strings of a row add up to, and the count of quotes that gives doubled keys away."""

from __future__ import annotations

__all__ = ["Refused", "Sums", "count_quotes", "is_clean", "size_in_bytes"]


class Refused(Exception):  # noqa: N818 - control flow of the fast path, never seen outside
    """The row is for the judge."""


class Sums:
    """What the strings of one row add up to, while it is looked at."""

    __slots__ = ("answer_at", "characters", "images", "messages", "quotes", "texts", "unseen")

    def __init__(self, *, quotes: int) -> None:
        self.quotes = quotes
        """Quotes that the row must have, when no key stands twice."""
        self.texts: list[str] = []
        """What is counted, and must be free of control tokens and NUL."""
        self.unseen: list[str] = []
        """What is not counted and must be free of NUL: ids and addresses."""
        self.images = 0
        self.answer_at = 0
        """Texts before those of the last message."""
        self.messages: dict[str, int] = {}
        """Role -> messages."""
        self.characters: dict[str, int] = {}
        """Role -> characters of its texts."""

    def add_message(self, role: str, texts_before: int) -> None:
        """Count a message whose texts are those after the first `texts_before`."""
        size = sum(map(len, self.texts[texts_before:]))
        self.answer_at = texts_before
        self.messages[role] = self.messages.get(role, 0) + 1
        self.characters[role] = self.characters.get(role, 0) + size

    def forget_texts(self) -> None:
        """Keep the numbers alone."""
        self.texts, self.unseen = [], []


def is_clean(text: str) -> bool:
    """Say whether a text has neither NUL nor what may begin a control token."""
    # A single character is found several times faster than two.
    return "\0" not in text and ("|" not in text or "<|" not in text)


def size_in_bytes(text: str) -> int:
    """Return the size of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def count_quotes(raw: bytes) -> int:
    """Count the quotes that open or close strings in JSON text.

    A typed decoder uses the last of two equal keys without a word. The quotes tell: what was
    decoded says exactly how many there must be, and a key that stands twice adds at least two.
    """
    quotes = raw.count(b'"')
    if b"\\" in raw:
        pairs_removed = raw.replace(b"\\\\", b"") if b"\\\\" in raw else raw
        quotes -= pairs_removed.count(b'\\"')
    return quotes
