"""What the first bytes of an image in a data URL say: format, colors, and the size of the whole."""

from __future__ import annotations

import base64
import binascii

from ftproviders.data.rule import MAX_IMAGE_BYTES

__all__ = ["picture_fault"]

_HEAD_CHARACTERS = 64 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_COLOR_OFFSET = 25
_PNG_COLORS = {0: "grey", 3: "palette", 4: "grey with alpha"}
_JPEG_COMPONENTS = {1: "grey", 4: "CMYK"}
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def picture_fault(url: str) -> tuple[str, str, str] | None:
    """Return rule, message and fix of what is wrong with the bytes of a data URL, or None.

    Only the head is decoded: 48 KiB say what the image is. Formats are told by their first bytes;
    colors of PNG and JPEG by their headers, where those are whole.
    """
    comma = url.find(",")
    size = (len(url) - comma - 1 - url.count("=", -2)) * 3 // 4
    if size > MAX_IMAGE_BYTES:
        return (
            "image.bytes",
            f"the image has {size:,} bytes, more than {MAX_IMAGE_BYTES:,}",
            "Scale it down, or save it with stronger compression.",
        )
    declared = url[len("data:image/") : url.find(";")].replace("jpg", "jpeg")
    try:
        head = base64.b64decode(_whole_groups(url[comma + 1 : comma + 1 + _HEAD_CHARACTERS]))
    except (binascii.Error, ValueError):
        return "image.format", "the base64 text of the image is broken", "Encode the bytes anew."
    found = _format_of(head)
    if found != declared:
        what = f"the bytes are {found.upper()}" if found else "the bytes are no JPEG, PNG or WEBP"
        return (
            "image.format",
            f"{what}, the address says {declared}",
            f"Write data:image/{found};base64,..." if found else "Convert the image to PNG.",
        )
    color = _odd_color(head, found)
    if color:
        return "image.color", f"the image is {color}", "Convert it to RGB or RGBA."
    return None


def _whole_groups(text: str) -> str:
    """Cut base64 text to whole groups of four; the end of the whole text keeps its padding."""
    return text[:_HEAD_CHARACTERS] if len(text) < _HEAD_CHARACTERS else text[: len(text) // 4 * 4]


def _format_of(head: bytes) -> str:
    if head.startswith(_PNG):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    return ""


def _odd_color(head: bytes, kind: str) -> str:
    """Return what kind of color is not RGB or RGBA; empty when it is, or cannot be told."""
    if kind == "png" and len(head) > _PNG_COLOR_OFFSET:
        return _PNG_COLORS.get(head[_PNG_COLOR_OFFSET], "")
    if kind == "jpeg":
        return _JPEG_COMPONENTS.get(_jpeg_components(head), "")
    return ""


def _jpeg_components(head: bytes) -> int:
    """Return the number of color components of a JPEG, 0 when its frame is not in the head."""
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in _JPEG_FRAMES:
            return head[at + 9]
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return 0
