"""Whole blocks of plain rows at a time: nearly all rows of nearly all files take this way.

A block is decoded at once, with the texts left as they stand in the file. From the order of the
roles follows every byte that is not text; the block is put together again from these and the texts
and compared with the file. Equal means that no key stands twice, none is unknown, and nothing is
written in an odd way: what that costs is a copy, not a look at every character. A block that is
different in any way is left to the other paths, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import attrgetter, sub
from typing import Annotated, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Meta, Raw, Struct

from ftproviders.data.fast.plain import Pattern, Patterns
from ftproviders.data.fast.sums import is_clean

__all__ = ["AcceptedBlock", "PlainBlocks"]


# Without the collector these objects are made and thrown away faster; they cannot form cycles.
class _System(Struct, forbid_unknown_fields=True, tag_field="role", tag="system", gc=False):
    content: Raw


class _Developer(Struct, forbid_unknown_fields=True, tag_field="role", tag="developer", gc=False):
    content: Raw


class _User(Struct, forbid_unknown_fields=True, tag_field="role", tag="user", gc=False):
    content: Raw


class _Assistant(Struct, forbid_unknown_fields=True, tag_field="role", tag="assistant", gc=False):
    content: Raw


_Message: TypeAlias = _System | _Developer | _User | _Assistant
_Kinds: TypeAlias = tuple[type[Struct], ...]


class _Row(Struct, forbid_unknown_fields=True, gc=False):
    messages: Annotated[list[_Message], Meta(min_length=1)]


@dataclass(frozen=True)
class _Style:
    """How a file is written: what stands around the texts."""

    begin: str
    """Before the first message."""
    between: str
    """Between two messages."""
    end: str
    """After the last message, with the line's end."""
    before: str
    """Before a text, with ``{role}``."""
    after: str
    """After a text, with ``{role}``."""

    def written(self, roles: Sequence[str]) -> list[bytes]:
        """Return what stands before each text of a row; before the first one, the row's start."""
        pieces = []
        for index, role in enumerate(roles):
            lead = self.begin if not index else self._after(roles[index - 1]) + self.between
            pieces.append((lead + self.before.replace("{role}", role)).encode())
        return pieces

    def _after(self, role: str) -> str:
        return self.after.replace("{role}", role)

    def closed(self) -> bytes:
        """Return what stands after the last text of a row, which is an assistant's."""
        return (self._after("assistant") + self.end).encode()


def _styles() -> Iterator[_Style]:
    for newline in ("\n", "\r\n"):
        for comma, colon in ((", ", ": "), (",", ":")):
            begin, end = f'{{"messages"{colon}[', f"]}}{newline}"
            role, text = f'"role"{colon}"{{role}}"', f'"content"{colon}'
            yield _Style(begin, comma, end, f"{{{role}{comma}{text}", "}")
            yield _Style(begin, comma, end, f"{{{text}", f"{comma}{role}}}")


class _Written:
    """What rows with one order of roles look like in one style."""

    __slots__ = ("pattern", "pieces", "size")

    def __init__(self, pattern: Pattern, style: _Style) -> None:
        self.pattern = pattern
        own = style.written(pattern.roles)
        closed = style.closed()
        self.size = sum(map(len, own)) + len(closed)
        # The end of the row above stands before the start of this one.
        self.pieces = [piece for lead in own for piece in (lead, b"")]
        self.pieces[0] = closed + self.pieces[0]


@dataclass(slots=True)
class AcceptedBlock:
    """A block in which nothing is wrong."""

    rows: int
    text_bytes: int
    sizes: list[int]
    """Bytes of each line, with its line feed."""
    keys: list[int]
    """Key of each row; empty when nobody wants them."""


class PlainBlocks:
    """Accepts blocks of plain rows.

    Args:
        patterns: The orders of roles met so far, shared with the path for single rows.
        want_keys: Whether the rows' keys are wanted.
    """

    def __init__(self, patterns: Patterns, *, want_keys: bool) -> None:
        self._decode = msgspec.json.Decoder(_Row).decode_lines
        self._read_texts = msgspec.json.Decoder(list[str]).decode
        self._patterns = patterns
        self._want_keys = want_keys
        self._styles = list(_styles())
        self._written: dict[tuple[_Kinds, int], _Written] = {}

    def accept(self, raw: bytes) -> AcceptedBlock | None:
        """Accept a block of whole lines and count it, or return None and count nothing."""
        try:
            lists = list(map(_messages_of, self._decode(raw)))
            return self._look(raw, lists)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def _look(self, raw: bytes, lists: list[list[_Message]]) -> AcceptedBlock | None:
        if not lists:
            return None
        messages = list(chain.from_iterable(lists))
        counts = list(map(len, lists))
        kinds = list(map(type, messages))
        contents = list(map(_content_of, messages))
        written = self._find_style(raw, lists, kinds, counts, contents)
        if written is None:
            return None
        texts = self._read_texts(b"[" + b",".join(contents) + b"]")
        joined = "".join(texts)
        answers = _answers(written, counts, texts, kinds)
        if not (is_clean(joined) and all(answers)) or any(map(str.isspace, answers)):
            return None
        encoded = joined.encode()
        lengths = list(map(len, texts))
        sizes = lengths if len(encoded) == len(joined) else [len(text.encode()) for text in texts]
        self._count(written, counts, lengths)
        return AcceptedBlock(
            rows=len(lists),
            text_bytes=len(encoded),
            sizes=_line_sizes(written, counts, contents),
            keys=_keys(encoded, counts, sizes) if self._want_keys else [],
        )

    def _find_style(
        self,
        raw: bytes,
        lists: list[list[_Message]],
        kinds: list[type[Struct]],
        counts: list[int],
        contents: list[Raw],
    ) -> list[_Written] | None:
        """Put the block together in the styles known until one is what stands in the file."""
        first = tuple(kinds[: counts[0]])
        uniform = len(kinds) == len(first) * len(lists) and kinds == list(first) * len(lists)
        for index, style in enumerate(self._styles):
            if not raw.startswith(style.begin.encode()):
                continue
            if uniform:
                rows = [self._learn(first, style)] * len(lists)
            else:
                ends = accumulate(counts)
                rows = [
                    self._learn(tuple(kinds[end - count : end]), style)
                    for end, count in zip(ends, counts, strict=True)
                ]
            if not all(row.pattern.good for row in (rows[:1] if uniform else rows)):
                return None
            if _rebuilt(rows, contents, style.closed(), uniform=uniform) == raw:
                if index:
                    self._styles.insert(0, self._styles.pop(index))
                return rows
        return None

    def _learn(self, kinds: _Kinds, style: _Style) -> _Written:
        known = self._written.get((kinds, id(style)))
        if known is None:
            roles = tuple(str(kind.__struct_config__.tag) for kind in kinds)
            if len(self._written) > _REMEMBERED:
                self._written.clear()
            known = _Written(self._patterns.of(roles), style)
            self._written[kinds, id(style)] = known
        return known

    def _count(self, rows: list[_Written], counts: list[int], lengths: list[int]) -> None:
        first = rows[0].pattern
        if rows.count(rows[0]) == len(rows):
            first.sizes += lengths
            return
        for row, end, count in zip(rows, accumulate(counts), counts, strict=True):
            row.pattern.sizes += lengths[end - count : end]


_REMEMBERED = 2048
_messages_of = attrgetter("messages")
_content_of = attrgetter("content")


def _rebuilt(rows: list[_Written], contents: list[Raw], closed: bytes, *, uniform: bool) -> bytes:
    """Write the block as it must stand in the file."""
    if uniform:
        pieces: list[bytes | Raw] = list(rows[0].pieces) * len(rows)
    else:
        pieces = list(chain.from_iterable(row.pieces for row in rows))
    pieces[1::2] = contents
    pieces[0] = rows[0].pieces[0][len(closed) :]
    pieces.append(closed)
    return b"".join(pieces)


def _answers(
    rows: list[_Written], counts: list[int], texts: list[str], kinds: list[type[Struct]]
) -> list[str]:
    """Return the texts of assistants."""
    if rows.count(rows[0]) == len(rows):
        columns = [texts[index :: counts[0]] for index in rows[0].pattern.answers]
        return list(chain.from_iterable(columns))
    return [text for text, kind in zip(texts, kinds, strict=True) if kind is _Assistant]


def _line_sizes(rows: list[_Written], counts: list[int], contents: list[Raw]) -> list[int]:
    sizes = list(accumulate(map(len, contents), initial=0))
    ends = _row_ends(sizes, counts)
    return [row.size + size for row, size in zip(rows, map(sub, ends[1:], ends), strict=True)]


def _row_ends(running: list[int], counts: list[int]) -> list[int]:
    """Take from the running sum of messages what it is before each row, and at the end."""
    if counts.count(counts[0]) == len(counts):
        return running[:: counts[0]]
    return [running[row] for row in accumulate(counts, initial=0)]


def _keys(encoded: bytes, counts: list[int], sizes: list[int]) -> list[int]:
    """Work out the key of each row, as `keys.key_of_texts` does."""
    view = memoryview(encoded)
    running = list(accumulate(sizes, initial=0))
    ends = _row_ends(running, counts)
    if counts.count(counts[0]) == len(counts):
        answers = running[counts[0] - 1 :: counts[0]]
    else:
        answers = [running[row - 1] for row in accumulate(counts)]
    return [
        (head := crc32(view[start:answer])) << 32 | crc32(view[answer:end], head)
        if answer > start
        else crc32(view[answer:end]) << 32
        for start, answer, end in zip(ends, answers, ends[1:], strict=False)
    ]
