"""Whole blocks of lines at a time: what can be asked of all rows at once is asked of all.

Rows that are written like those before them are accepted by ``plain``. The others are decoded one
by one into objects of few types, then looked at by columns: all messages, all texts, all sizes.
Rows with more than text messages are looked at by themselves, and what is left is refused.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress, repeat
from operator import attrgetter, is_, is_not
from typing import Any

import msgspec

from ftproviders.data.fast.plain import PlainRows
from ftproviders.data.fast.rich import RichRows
from ftproviders.data.fast.sums import Refused, RichRow, is_clean
from ftproviders.data.fast.types import ROLES, Assistant, Message, Row
from ftproviders.data.keys import key_of_texts, keys_of_prompts, separator
from ftproviders.data.patterns import Pattern, Patterns
from ftproviders.data.quotes import look_at_bytes, quotes_in
from ftproviders.data.statistics import Tally

__all__ = ["Blocks", "Looked"]

_messages_of = attrgetter("messages")
_content_of = attrgetter("content")

_Special = dict[int, RichRow | None]
"""Rows that are not plain, by their place: what was found, None = refused."""


@dataclass(slots=True)
class Looked:
    """What was found in a block."""

    keys: list[int | None]
    """Key of each row accepted; None for lines that were refused."""
    refused: list[int] = field(default_factory=list)
    """Indexes of the lines that are for the judge; they were not counted."""

    @property
    def first(self) -> int | None:
        """Index of the first row accepted."""
        if not self.refused:
            return 0 if self.keys else None
        gaps = enumerate(self.refused)
        place = next((at for at, index in gaps if at != index), len(self.refused))
        return place if place < len(self.keys) else None


class _Rows:
    """Rows of text messages alone, column by column.

    Attributes:
        at: Place of each row among all that were decoded.
        counts: Messages of each row.
        kinds: Type of each message.
        contents: Text of each message.
        patterns: Order of the roles of each row; only one when it is the same for all.
    """

    __slots__ = ("at", "contents", "counts", "kinds", "patterns")

    def __init__(
        self, at: Sequence[int], counts: list[int], kinds: list[type], contents: list[str]
    ) -> None:
        self.at = at
        self.counts = counts
        self.kinds = kinds
        self.contents = contents
        self.patterns: list[Pattern] = []

    def without(self, special: _Special) -> _Rows:
        """Return the rows whose places are not in `special`."""
        ends = list(accumulate(self.counts, initial=0))
        found = _Rows([], [], [], [])
        at: list[int] = []
        for start, end in _spans(len(self.counts), special):
            at += self.at[start:end]
            found.counts += self.counts[start:end]
            found.kinds += self.kinds[ends[start] : ends[end]]
            found.contents += self.contents[ends[start] : ends[end]]
        found.at = at
        return found

    def each(self) -> Iterator[tuple[int, Pattern, list[str]]]:
        """Yield place, order and texts of each row."""
        patterns = self.patterns * len(self.counts) if len(self.patterns) == 1 else self.patterns
        ends = accumulate(self.counts)
        for at, pattern, count, end in zip(self.at, patterns, self.counts, ends, strict=True):
            yield at, pattern, self.contents[end - count : end]


def _spans(count: int, special: _Special) -> Iterator[tuple[int, int]]:
    """Yield the runs of places that are not in `special`."""
    start = 0
    for place in (*sorted(special), count):
        if place > start:
            yield start, place
        start = place + 1


class Blocks:
    """Accepts rows, block by block.

    Args:
        patterns: The orders of roles met so far, where accepted messages are counted.
    """

    def __init__(self, patterns: Patterns) -> None:
        self._decode = msgspec.json.Decoder(Row).decode
        self._patterns = patterns
        self._rich = RichRows(patterns)
        self._plain = PlainRows()
        self._rows = self._text_bytes = self._image_rows = self._longest = 0

    def look(self, lines: list[bytes], raw: bytes) -> Looked:
        """Accept and count what is good among some lines.

        Args:
            lines: The lines.
            raw: The same in one piece.
        """
        keys: list[int | None] = [None] * len(lines)
        left = self._plain.look(lines, raw, keys)
        if left:
            chosen = lines if len(left) == len(lines) else [lines[index] for index in left]
            found = self._look_at_all(chosen, raw if chosen is lines else b"".join(chosen))
            for index, key in zip(left, found, strict=True):
                keys[index] = key
        if None not in keys:
            self._note_longest(lines)
            return Looked(keys)
        self._note_longest([line for line, key in zip(lines, keys, strict=True) if key is not None])
        return Looked(keys, [index for index, key in enumerate(keys) if key is None])

    def _note_longest(self, lines: list[bytes]) -> None:
        """Remember the longest of the lines accepted."""
        longest = max(lines, key=len, default=b"")
        self._longest = max(self._longest, len(longest.removesuffix(b"\n")))

    def _look_at_all(self, lines: list[bytes], raw: bytes) -> list[int | None]:
        """Decode lines and look at them; return the key of each, None for those refused."""
        rows, refused = self._read(lines)
        kept = lines
        if refused:
            gaps = dict.fromkeys(refused)
            kept = [line for index, line in enumerate(lines) if index not in gaps]
            raw = b"".join(kept)
        keys = self._look(rows, kept, raw) if rows else []
        self._rows += len(keys) - keys.count(None)
        for index in refused:
            keys.insert(index, None)
        return keys

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`, but for what is in the patterns."""
        tally.rows += self._rows + self._plain.rows
        tally.text_bytes += self._text_bytes + self._plain.text_bytes
        tally.image_rows += self._image_rows
        tally.longest_row_bytes = max(tally.longest_row_bytes, self._longest)
        self._rows = self._text_bytes = self._image_rows = self._longest = 0
        self._plain.rows = self._plain.text_bytes = 0

    def _read(self, lines: list[bytes]) -> tuple[list[Row], list[int]]:
        """Decode lines; return the rows, and the indexes of lines that are none."""
        rows: list[Row] = []
        refused: list[int] = []
        left = iter(lines)
        while True:
            try:
                # What was decoded before a line that cannot be is kept, and that line is passed.
                rows.extend(map(self._decode, left))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                refused.append(len(rows) + len(refused))
            else:
                return rows, refused

    def _look(self, rows: list[Row], lines: list[bytes], raw: bytes) -> list[int | None]:
        """Return the key of each row; None for those refused."""
        lists: list[list[Message]] = list(map(_messages_of, rows))
        messages = list(chain.from_iterable(lists))
        contents: list[Any] = list(map(_content_of, messages))
        counts = list(map(len, lists))
        every = _Rows(range(len(rows)), counts, list(map(type, messages)), contents)
        quotes, unclean = look_at_bytes(raw)
        special = self._special(rows, every, unclean=unclean)
        if quotes != _expected(special, len(rows), counts, lines):
            self._compare(special, rows, lines, unclean=unclean, counts=counts)
        plain = every.without(special) if special else every
        self._set_patterns(plain)
        odd = _odd(plain, unclean=unclean)
        if odd:
            special.update(dict.fromkeys(odd))
            plain = every.without(special)
            self._set_patterns(plain)
        if plain.counts:
            self._plain.learn(plain.patterns[0], lines[plain.at[0]])
        return self._count(plain, special, len(rows))

    def _special(self, rows: list[Row], every: _Rows, *, unclean: bool) -> _Special:
        """Look at the rows that have contents that are not text."""
        types = list(map(type, every.contents))
        if types.count(str) == len(types):
            return {}
        ends = list(accumulate(every.counts))
        odd = compress(range(len(types)), map(is_not, types, repeat(str)))
        places = dict.fromkeys(bisect_right(ends, index) for index in odd)
        return {place: self._look_at_one(rows[place], unclean=unclean) for place in places}

    def _look_at_one(self, row: Row, *, unclean: bool) -> RichRow | None:
        try:
            return self._rich.look(row, unclean=unclean)
        except Refused:
            return None

    def _compare(
        self,
        special: _Special,
        rows: list[Row],
        lines: list[bytes],
        *,
        unclean: bool,
        counts: list[int],
    ) -> None:
        """Compare the quotes of every row: there are more special rows, or keys stand twice."""
        for place, line in enumerate(lines):
            quotes = quotes_in(line)
            if place not in special:
                if quotes == 2 + 8 * counts[place]:
                    continue
                special[place] = self._look_at_one(rows[place], unclean=unclean)
            rich = special[place]
            if rich is not None and rich.quotes != quotes:
                special[place] = None

    def _set_patterns(self, plain: _Rows) -> None:
        """Find out who speaks when in each row."""
        kinds, counts = plain.kinds, plain.counts
        if not counts:
            return
        first = kinds[: counts[0]]
        if len(kinds) == len(first) * len(counts) and kinds == first * len(counts):
            plain.patterns = [self._patterns.of_types(tuple(first), ROLES)]
            return
        plain.patterns = [
            self._patterns.of_types(tuple(kinds[end - count : end]), ROLES)
            for end, count in zip(accumulate(counts), counts, strict=True)
        ]

    def _count(self, plain: _Rows, special: _Special, rows: int) -> list[int | None]:
        """Count the rows that are good; return the key of each."""
        keys = self._count_plain(plain) if plain.counts else []
        if not special:
            return list[int | None](keys)
        found: list[int | None] = [None] * rows
        for place, key in zip(plain.at, keys, strict=True):
            found[place] = key
        for place, rich in special.items():
            if rich is not None:
                found[place] = rich.key
                rich.pattern.sizes += rich.sizes
                self._text_bytes += rich.text_bytes
                self._image_rows += rich.images > 0
        return found

    def _count_plain(self, plain: _Rows) -> list[int]:
        """Count plain rows; return the key of each."""
        contents = plain.contents
        self._text_bytes += sum(map(len, map(str.encode, contents)))
        if len(plain.patterns) == 1:
            plain.patterns[0].sizes += map(len, contents)
            width = plain.counts[0]
            columns = [contents[index::width] for index in range(width)]
            return _keys(columns, plain.patterns[0].roles)
        keys = []
        for _, pattern, texts in plain.each():
            pattern.sizes += map(len, texts)
            keys.append(key_of_texts(texts, pattern.roles))
        return keys


def _keys(columns: Sequence[list[str]], roles: Sequence[str]) -> list[int]:
    """Return the keys of rows with the same roles, of which all first texts are given, ..."""
    *asked, said = columns
    if not asked or not all(asked[-1]):
        return [key_of_texts(texts, roles) for texts in zip(*columns, strict=True)]
    prompts = asked[0]
    if len(asked) > 1:
        pieces: list[Iterable[str]] = [prompts]
        for role, column in zip(roles[1:-1], asked[1:], strict=True):
            pieces += [repeat(separator(role)), column]
        prompts = list(map("".join, zip(*pieces, strict=False)))
    return keys_of_prompts(prompts, map(len, said))


def _expected(special: _Special, rows: int, counts: list[int], lines: list[bytes]) -> int:
    """Return the quotes of all lines, if the rows that are not special are plain."""
    quotes = 2 * rows + 8 * sum(counts)
    for place, rich in special.items():
        own = quotes_in(lines[place]) if rich is None else rich.quotes
        quotes += own - 2 - 8 * counts[place]
    return quotes


def _odd(plain: _Rows, *, unclean: bool) -> list[int]:
    """Return the places of rows with something wrong in the order of roles or in the texts."""
    if not plain.counts:
        return []
    if len(plain.patterns) == 1:
        columns = [plain.contents[i :: plain.counts[0]] for i in plain.patterns[0].answers]
        answers = list(chain.from_iterable(columns))
    else:
        trained = map(is_, plain.kinds, repeat(Assistant))
        answers = list(compress(plain.contents, trained))
    good = all(pattern.good for pattern in plain.patterns)
    good = good and all(answers) and not any(map(str.isspace, answers))
    if good and not (unclean and not is_clean("".join(plain.contents))):
        return []
    return [at for at, pattern, texts in plain.each() if not _is_good(pattern, texts)]


def _is_good(pattern: Pattern, texts: list[str]) -> bool:
    """Say whether nothing is wrong with a row."""
    if not pattern.good or not is_clean("".join(texts)):
        # A token that only begins where two texts meet is left to the judge as well.
        return False
    return all(texts[index] and not texts[index].isspace() for index in pattern.answers)
