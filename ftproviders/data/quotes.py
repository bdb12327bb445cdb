"""What the bytes of JSON tell without being decoded; above all the count of quotes.

Decoders use the last of two equal keys without a word. The quotes tell: what was decoded says
exactly how many there must be, and a key that stands twice adds at least two.
"""

from __future__ import annotations

__all__ = ["look_at_bytes", "quotes_in"]


def quotes_in(raw: bytes) -> int:
    """Count the quotes that open or close strings in valid JSON."""
    return look_at_bytes(raw)[0] if b"\\" in raw else raw.count(b'"')


def look_at_bytes(raw: bytes) -> tuple[int, bool]:
    """Return the quotes of valid JSON, see `quotes_in`, and whether a text may be unclean.

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
