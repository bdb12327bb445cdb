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
from operator import add, getitem, sub

import msgspec

from ftproviders.data.keys import key_of_texts, keys_of_prompts, separator
from ftproviders.data.patterns import Pattern

__all__ = ["PlainRows"]

_SHORT_BYTES = 800
"""Mean size of rows; to decode shorter ones costs no more than to look for a skeleton."""


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
        heads = [f'{{"role"{colon}"{role}"{comma}"content"{colon}"' for role in pattern.roles]
        self.pattern = pattern
        self.before = f'{{"messages"{colon}[{heads[0]}'
        self.after = [f'"}}{comma}{head}' for head in heads[1:]] + ['"}]}\n']
        self.size = len(self.before) + sum(map(len, self.after))
        """Bytes of a row without texts, with its line feed."""


class _Found:
    """Rows that have the skeleton.

    Attributes:
        places: Index of each row in the block.
        lines: The rows.
        rows: The same, decoded.
        starts: For each text, column by column, where it begins, in characters.
        ends: Where it ends.
    """

    __slots__ = ("ends", "lines", "places", "rows", "starts")

    def __init__(self, places: Sequence[int], lines: list[bytes]) -> None:
        self.places = places
        self.lines = lines
        self.rows = list(map(bytes.decode, lines))
        self.starts: list[list[int]] = []
        self.ends: list[list[int]] = []

    def find(self, skeleton: _Skeleton) -> None:
        """Keep the rows with a skeleton, and find their texts."""
        self.keep(list(map(str.startswith, self.rows, repeat(skeleton.before))))
        starts = [len(skeleton.before)] * len(self.rows)
        for after in skeleton.after:
            ends = list(map(str.find, self.rows, repeat('"'), starts))
            self.starts.append(starts)
            self.ends.append(ends)
            self.keep(list(map(str.startswith, self.rows, repeat(after), ends)))
            starts = list(map(add, self.ends[-1], repeat(len(after))))

    def keep(self, good: Sequence[object]) -> None:
        """Keep the rows for which something is true."""
        if not all(good):
            self.places = list(compress(self.places, good))
            self.lines = list(compress(self.lines, good))
            self.rows = list(compress(self.rows, good))
            self.starts = [list(compress(column, good)) for column in self.starts]
            self.ends = [list(compress(column, good)) for column in self.ends]

    def keep_answered(self, answers: Iterable[int]) -> None:
        """Keep the rows in which all answers are more than white space."""
        for index in answers:
            starts, ends = self.starts[index], self.ends[index]
            firsts = list(map(getitem, self.rows, starts))
            if '"' in firsts or any(map(str.isspace, firsts)):
                spans = zip(self.rows, starts, ends, strict=True)
                self.keep([row[start:end].strip() for row, start, end in spans])

    def sizes(self) -> list[list[int]]:
        """Return the characters of the texts, column by column."""
        return [list(map(sub, *span)) for span in zip(self.ends, self.starts, strict=True)]

    def keys(self, sizes: Sequence[list[int]], skeleton: _Skeleton) -> list[int]:
        """Return the key of each row."""
        roles, rows = skeleton.pattern.roles, self.rows
        if len(roles) == 1:
            spans = zip(rows, self.starts[0], self.ends[0], strict=True)
            return [key_of_texts([row[start:end]], roles) for row, start, end in spans]
        spans = zip(rows, self.starts[0], self.ends[-2], strict=True)
        prompts = [row[start:end] for row, start, end in spans]
        for between, role in dict(zip(skeleton.after[:-2], roles[1:-1], strict=True)).items():
            if between != separator(role):
                # No text has a quote, so this stands nowhere but between texts.
                prompts = [text.replace(between, separator(role)) for text in prompts]
        keys = keys_of_prompts(prompts, sizes[-1])
        if 0 in sizes[-2]:
            nothing = sum(map(len, map(separator, roles[1:-1])))
            for place, prompt in enumerate(prompts):
                if len(prompt) == nothing:
                    row, start, end = rows[place], self.starts[-1][place], self.ends[-1][place]
                    keys[place] = key_of_texts([row[start:end]], roles)
        return keys


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
            if line.startswith(skeleton.before.encode()):
                self._skeleton = skeleton

    def look(self, lines: list[bytes], raw: bytes, keys: list[int | None]) -> Sequence[int]:
        """Accept and count what is good among some lines; return the indexes of the others.

        Args:
            lines: The lines, with their line feeds.
            raw: The same in one piece.
            keys: Where the keys of the rows accepted are put.
        """
        skeleton, every = self._skeleton, range(len(lines))
        if skeleton is None or len(raw) < _SHORT_BYTES * len(lines):
            return every
        if b"|" in raw and b"<|" in raw:
            return every
        places: Sequence[int] = every
        chosen = lines
        if b"\\" in raw:
            places = [index for index, line in enumerate(lines) if b"\\" not in line]
            chosen = [lines[index] for index in places]
        try:
            found = _Found(places, chosen)
        except UnicodeDecodeError:
            return every
        found.find(skeleton)
        if not self._are_allowed(found.lines, raw if len(found.lines) == len(lines) else b""):
            return every
        found.keep_answered(skeleton.pattern.answers)
        if len(found.places) == len(lines):
            keys[:] = self._count(found, skeleton)
            return ()
        for place, key in zip(found.places, self._count(found, skeleton), strict=True):
            keys[place] = key
        return [index for index, key in enumerate(keys) if key is None]

    def _are_allowed(self, lines: list[bytes], raw: bytes) -> bool:
        """Say whether JSON allows all characters of the rows found, and there are any."""
        try:
            return bool(self._allowed(raw or b"".join(lines)))
        except msgspec.MsgspecError:
            return False

    def _count(self, found: _Found, skeleton: _Skeleton) -> list[int]:
        """Count rows; return their keys."""
        if not found.lines:
            return []
        sizes = found.sizes()
        width, count = len(sizes), len(found.lines)
        interleaved = [0] * (width * count)
        for index, column in enumerate(sizes):
            interleaved[index::width] = column
        skeleton.pattern.sizes += interleaved
        self.rows += count
        self.text_bytes += sum(map(len, found.lines)) - skeleton.size * count
        return found.keys(sizes, skeleton)
