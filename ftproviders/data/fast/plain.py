"""Rows that are written like the rows before them: accepted without being decoded.

Most files are written by one program: around the texts of their messages stand the same bytes in
every row, the *skeleton*. Where no byte of a row is a backslash, a text ends at the first quote.
So when the skeleton stands around what is between these quotes, the row has this structure and no
other, each key once. What remains to be asked of the texts is whether JSON allows their characters,
which is much less than decoding them, and whether answers say something.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from operator import add, getitem, not_, sub

import msgspec

from ftproviders.data.keys import key_of_texts, keys_of_columns, sampled, steps
from ftproviders.data.patterns import Pattern

__all__ = ["PlainRows"]

_BLANK_STARTS = frozenset(b' "')
"""Bytes that follow the opening quote of a text that is empty or may be white space."""


class _Skeleton:
    """What stands around the texts of rows with one order of roles.

    Args:
        pattern: The order.
        comma: What is written between two members.
        colon: What is written between key and value.

    Attributes:
        before: The bytes in front of the first text.
        after: For each text the bytes from its closing quote to the next text; for the last one to
            the line feed.
    """

    __slots__ = ("after", "before", "pattern", "size")

    def __init__(self, pattern: Pattern, comma: str, colon: str) -> None:
        heads = [
            f'{{"role"{colon}"{role}"{comma}"content"{colon}"'.encode() for role in pattern.roles
        ]
        self.pattern = pattern
        self.before = f'{{"messages"{colon}['.encode() + heads[0]
        self.after = [f'"}}{comma}'.encode() + head for head in heads[1:]] + [b'"}]}\n']
        self.size = len(self.before) + sum(map(len, self.after))
        """Bytes of a row without texts, with its line feed."""


class _Found:
    """Rows that have the skeleton.

    Attributes:
        places: Index of each row in the block.
        lines: The rows.
        starts: For each text, column by column, where it begins.
        ends: Where it ends.
    """

    __slots__ = ("ends", "lines", "places", "starts")

    def __init__(self, places: Iterable[int], lines: list[bytes]) -> None:
        self.places = list(places)
        self.lines = lines
        self.starts: list[list[int]] = []
        self.ends: list[list[int]] = []

    def keep(self, good: Sequence[object]) -> None:
        """Keep the rows for which something is true."""
        if not all(good):
            self.places = list(compress(self.places, good))
            self.lines = list(compress(self.lines, good))
            self.starts = [list(compress(column, good)) for column in self.starts]
            self.ends = [list(compress(column, good)) for column in self.ends]

    def find(self, skeleton: _Skeleton) -> None:
        """Keep the rows with a skeleton, and find their texts."""
        self.keep(list(map(bytes.startswith, self.lines, repeat(skeleton.before))))
        starts = [len(skeleton.before)] * len(self.lines)
        for after in skeleton.after:
            ends = list(map(bytes.find, self.lines, repeat(b'"'), starts))
            self.starts.append(starts)
            self.ends.append(ends)
            self.keep(list(map(bytes.startswith, self.lines, repeat(after), ends)))
            starts = list(map(add, self.ends[-1], repeat(len(after))))

    def part(self, chosen: Sequence[object]) -> _Found:
        """Return the rows for which something is true."""
        part = _Found(self.places, self.lines)
        part.starts, part.ends = self.starts, self.ends
        part.keep(chosen)
        return part


class PlainRows:
    """Accepts and counts rows of text messages that have the skeleton of other rows.

    Attributes:
        rows: Rows accepted; whoever adds them up sets it back to 0.
        text_bytes: Bytes of their texts, UTF-8; the same.
    """

    def __init__(self) -> None:
        self.rows = self.text_bytes = 0
        self._skeleton: _Skeleton | None = None
        self._allowed = msgspec.json.Decoder(msgspec.Raw).decode_lines

    def learn(self, pattern: Pattern, line: bytes) -> None:
        """Take the skeleton of a row that was accepted in another way, if it has a usual one."""
        for comma, colon in ((", ", ": "), (",", ":")):
            skeleton = _Skeleton(pattern, comma, colon)
            if line.startswith(skeleton.before):
                self._skeleton = skeleton

    def look(self, lines: list[bytes], raw: bytes, keys: list[int | None]) -> Sequence[int]:
        """Accept and count what is good among some lines; return the indexes of the others.

        Args:
            lines: The lines, with their line feeds.
            raw: The same in one piece.
            keys: Where the keys of the rows accepted are put.
        """
        skeleton, every = self._skeleton, range(len(lines))
        if skeleton is None or (b"|" in raw and b"<|" in raw):
            return every
        found = _Found(every, lines)
        if b"\\" in raw:
            found.keep([b"\\" not in line for line in lines])
        found.find(skeleton)
        if not self._are_allowed(found, lines, raw):
            return every
        if not raw.isascii():
            ascii_only = list(map(bytes.isascii, found.lines))
            self._look_at_each(found.part(list(map(not_, ascii_only))), skeleton, keys)
            found.keep(ascii_only)
        self._look_at_columns(found, skeleton, keys)
        if None not in keys:
            return ()
        return [index for index, key in enumerate(keys) if key is None]

    def _are_allowed(self, found: _Found, lines: list[bytes], raw: bytes) -> bool:
        """Say whether JSON allows all characters of the rows found, and there are any."""
        data = raw if len(found.lines) == len(lines) else b"".join(found.lines)
        try:
            return bool(self._allowed(data))
        except msgspec.MsgspecError:
            return False

    def _look_at_each(self, found: _Found, skeleton: _Skeleton, keys: list[int | None]) -> None:
        """Look at rows that are not ASCII, whose texts have other sizes in characters."""
        answers = skeleton.pattern.answers
        for place, line in zip(found.places, found.lines, strict=True):
            try:
                row = line.decode()
            except UnicodeDecodeError:
                continue
            start, texts = len(skeleton.before), []
            for after in skeleton.after:
                end = row.find('"', start)
                texts.append(row[start:end])
                start = end + len(after)
            if all(texts[index] and not texts[index].isspace() for index in answers):
                keys[place] = key_of_texts(texts)
                skeleton.pattern.sizes += map(len, texts)
                self.rows += 1
                self.text_bytes += len(line) - skeleton.size

    def _look_at_columns(self, found: _Found, skeleton: _Skeleton, keys: list[int | None]) -> None:
        """Look at rows that are ASCII."""
        for index in skeleton.pattern.answers:
            starts = found.starts[index]
            if not _BLANK_STARTS.isdisjoint(map(getitem, found.lines, starts)):
                texts = map(getitem, found.lines, map(slice, starts, found.ends[index]))
                found.keep(list(map(bytes.strip, texts)))
        if not found.lines:
            return
        sizes = [list(map(sub, *span)) for span in zip(found.ends, found.starts, strict=True)]
        added = _keys(found, sizes)
        if len(added) == len(keys):
            keys[:] = added
        else:
            for place, key in zip(found.places, added, strict=True):
                keys[place] = key
        width = len(sizes)
        interleaved = [0] * (width * len(added))
        for index, column in enumerate(sizes):
            interleaved[index::width] = column
        skeleton.pattern.sizes += interleaved
        self.rows += len(added)
        self.text_bytes += sum(map(len, found.lines)) - skeleton.size * len(added)


def _keys(found: _Found, sizes: Sequence[list[int]]) -> list[int]:
    """Return the keys of rows that are ASCII."""
    lines = found.lines
    samples = [
        map(getitem, lines, map(slice, found.starts[i], found.ends[i], steps(sizes[i])))
        for i in sampled(len(sizes))
    ]
    keys = keys_of_columns(sizes, samples)
    if len(sizes) > 1 and 0 in sizes[-2]:
        spans = list(zip(found.starts, found.ends, strict=True))
        for row, size in enumerate(sizes[-2]):
            if not size:
                texts = [lines[row][starts[row] : ends[row]].decode() for starts, ends in spans]
                keys[row] = key_of_texts(texts)
    return keys
