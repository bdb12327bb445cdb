"""Reading a ``multipart/form-data`` body from a file, without holding it in memory."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from ftproviders.testing.openai.refusal import invalid

__all__ = ["Part", "read_parts"]

_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Part:
    """One part; its content stays in the body's file."""

    name: str
    filename: str | None
    content_type: str | None
    body: Path
    start: int
    size: int

    def blocks(self) -> Iterator[bytes]:
        """Read the content piece by piece."""
        left = self.size
        with self.body.open("rb") as file:
            file.seek(self.start)
            while left and (block := file.read(min(left, _BLOCK_BYTES))):
                left -= len(block)
                yield block

    def text(self) -> str:
        """Return the content of a small field.

        Raises:
            ApiError: It is no UTF-8 text.
        """
        try:
            return b"".join(self.blocks()).decode("utf-8")
        except UnicodeDecodeError:
            raise invalid(f"Field '{self.name}' is not UTF-8 text.", param=self.name) from None


def read_parts(body: Path, content_type: str) -> Sequence[Part]:
    """Return the parts of a body in their order.

    Raises:
        ApiError: The body is not well formed.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary or body.stat().st_size == 0:
        raise invalid("The multipart body has no boundary or no content.")
    with body.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return list(_parts(body, data, b"--" + boundary.encode("ascii", "replace")))


def _parts(body: Path, data: mmap.mmap, mark: bytes) -> Iterator[Part]:
    place = data.find(mark)
    if place != 0:
        raise invalid("The multipart body does not begin with its boundary.")
    while True:
        place += len(mark)
        if data[place : place + 2] == b"--":
            return
        head_end = data.find(b"\r\n\r\n", place)
        following = data.find(b"\r\n" + mark, head_end + 2)
        if data[place : place + 2] != b"\r\n" or head_end < 0 or following < 0:
            raise invalid("The multipart body ends in the middle of a part.")
        yield _part(data[place + 2 : head_end], body, head_end + 4, following)
        place = following + 2


def _part(head: bytes, body: Path, start: int, end: int) -> Part:
    fields: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    named = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', fields.get("content-disposition", "")))
    if "name" not in named:
        raise invalid("A part of the multipart body has no name.")
    return Part(
        name=named["name"],
        filename=named.get("filename"),
        content_type=fields.get("content-type"),
        body=body,
        start=start,
        size=end - start,
    )
