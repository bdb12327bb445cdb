"""The native engine, and which of the engines looks at a file.

The extension accepts good rows of every usual shape, and counts. What it refuses goes through the
fast path in Python and to the judge, as without it.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ftproviders.data.engine import Engine, ExactEngine, Rows, TwoPathEngine
from ftproviders.data.exact.completion import TEXT
from ftproviders.data.exact.image import address_fault
from ftproviders.data.exact.json_text import parse_json_text
from ftproviders.data.exact.parts import SPARED_IMAGES
from ftproviders.data.fast.rich import Declarations, Declared, fits
from ftproviders.data.fast.sums import Refused
from ftproviders.data.keys import sampling
from ftproviders.data.ledger import Ledger
from ftproviders.data.native import native
from ftproviders.data.shapes import Shape
from ftproviders.data.stream import Block
from ftproviders.schema.hyperparameters import Method

if TYPE_CHECKING:
    from ftproviders.data import _native

__all__ = ["ExactEngine", "NativeEngine", "TwoPathEngine", "engine_for"]

_RECORD = 3
_MOST_DIFFERENT = 65_536
_NO_MESSAGES = "row.messages"


def engine_for(rows: Rows) -> Engine:
    """Return the engine that looks at rows: the native one where it is, and knows them."""
    module = native() if rows.method is Method.SUPERVISED else None
    return NativeEngine(rows, module) if module else TwoPathEngine(rows)


class NativeEngine(TwoPathEngine):
    """Accepts good rows in C, and asks the other engine about those refused.

    Rows that are not good, and of whose faults no more detail is wanted, are only counted there.

    Args:
        rows: What rows it looks at; for other methods than supervised the extension is not used.
        module: The extension.
    """

    large_blocks = True

    def __init__(self, rows: Rows | None = None, module: Any = None) -> None:
        super().__init__(rows)
        extension = module or native()
        long_characters, step, edge = sampling()
        self._declarations = Declarations()
        self._scanner: _native.Scanner = extension.Scanner(
            self._declared,
            _fit,
            address_fault,
            spared_images=SPARED_IMAGES,
            long_characters=long_characters,
            step=step,
            edge=edge,
            long_bytes=-1 if self._wanted.long_bytes is None else self._wanted.long_bytes,
            completions=Shape.PROMPT_COMPLETION in self._fitting,
            texts=TEXT in self._fitting,
        )
        self._rules: tuple[str, ...] = extension.RULES
        self._roles: tuple[str, ...] = extension.ROLES
        self._shapes: tuple[str, ...] = extension.SHAPES

    def refusals(self) -> dict[str, int]:
        """Return how often the extension refused rows, by the place in its code."""
        return self._scanner.refusals()

    def sample(self, raw: bytes) -> tuple[int, int]:
        """Return the lines of some bytes, and how many of them the extension refuses."""
        every = (1 << len(self._rules) + len(self._shapes)) - 1
        _, refused, _, lines, *_ = self._scanner.scan(raw, 1, 0, every)
        return lines, len(refused)

    @override
    def check(self, block: Block, ledger: Ledger) -> None:
        if not self._supervised or block.too_long:
            super().check(block, ledger)
            return
        raw = block.raw or block.lines[0]
        spared = self._spared(ledger)
        scanned = self._scanner.scan(raw, block.first_line, block.offset, spared)
        found, refused, firsts, block.line_count, crlf, blank, longer = scanned
        block.crlf_line = block.first_line + crlf if crlf >= 0 else 0
        block.blank.extend(map(block.first_line.__add__, array("Q", blank)))
        self._unread.update(block.blank)
        self._note_shapes(block.first_line, firsts, ledger)
        long_rows = _pairs(longer)
        if refused:
            records = array("Q", found)
            looked = self._look_again(block, raw, refused, records, ledger, spared)
            found = looked.tobytes()
            long_rows += self._long_among(block, refused)
        if self._wanted.keys is not None:
            self._wanted.keys.add_records(found)
        self._wanted.long_rows.extend(sorted(long_rows))
        self._unread.clear()
        self._settle(block, ledger)

    def _spared(self, ledger: Ledger) -> int:
        """Return a bit for each rule of which no more detail is wanted."""
        wanted = [ledger.wants(rule) for rule in self._rules]
        wanted += [ledger.wants_shape(_NO_MESSAGES, shape) for shape in self._shapes]
        return sum(1 << bit for bit, one in enumerate(wanted) if not one)

    def _note_shapes(self, line: int, firsts: tuple[int, int, int], ledger: Ledger) -> None:
        """Note the first rows of a block of each shape, by their indexes; -1 = there was none."""
        for shape, first in zip((Shape.MESSAGES, *self._shapes), firsts, strict=True):
            if first >= 0 and shape in self._fitting:
                ledger.note_shape(shape, line + first)

    def _look_again(
        self,
        block: Block,
        raw: bytes,
        refused: list[tuple[int, int, int, int]],
        records: array[int],
        ledger: Ledger,
        spared: int,
    ) -> array[int]:
        """Look at the lines refused as the other engine does; return `records` with their keys.

        When there is room for less detail than before, the scanner may know a row after all.
        """
        lines = [raw[start : end + 1] for _, start, end, _ in refused]
        looked = self._fast.look(lines, lines[0] if len(lines) == 1 else b"")
        if looked.first is not None:
            self._note_first(block.first_line + refused[looked.first][0], ledger)
        keys, before, room = looked.keys, spared, ledger.room
        for place in looked.refused:
            number, line = block.first_line + refused[place][0], lines[place].removesuffix(b"\n")
            if before != spared:
                one, left, firsts, lines_seen, *_, longer = self._scanner.scan(
                    line, number, 0, spared
                )
                if lines_seen and not left:
                    if not longer:
                        self._unread.add(number)  # or it is not long
                    keys[place] = int.from_bytes(one[:8], sys.byteorder) if one else None
                    self._note_shapes(number, firsts, ledger)
                    continue
            keys[place] = self._key(line, number, block, ledger)
            if room != ledger.room:
                room, spared = ledger.room, self._spared(ledger)
        return _with_keys(records, [one[3] for one in refused], keys)

    def _long_among(
        self, block: Block, refused: Sequence[tuple[int, int, int, int]]
    ) -> list[tuple[int, int]]:
        """Return number and place of the lines refused that may have too many tokens."""
        limit = self._wanted.long_bytes
        if limit is None:
            return []
        numbered = ((block.first_line + line, start, end) for line, start, end, _ in refused)
        return [
            (number, block.offset + start)
            for number, start, end in numbered
            if end - start > limit and number not in self._unread
        ]

    def _declared(
        self, raw: bytes, deprecated: bool
    ) -> tuple[Declared | None, tuple[object, ...], tuple[str, ...]] | None:
        """Return what a row declares, for the extension; None = it takes the judge to read it."""
        known = self._declarations.of(raw, deprecated=deprecated)
        if known is None:
            return None
        return known if known.is_list else None, known.described(), known.faults

    @override
    def finish(self, ledger: Ledger) -> None:
        rows, text_bytes, image_rows, longest, unled, unasked, messages, counts, faults = (
            self._scanner.drain()
        )
        tally = ledger.tally
        tally.rows += rows
        tally.text_bytes += text_bytes
        tally.image_rows += image_rows
        tally.longest_row_bytes = max(tally.longest_row_bytes, longest)
        tally.rows_without_system += unled
        tally.rows_without_user += unasked
        *said, of_rows, of_messages = counts
        tally.characters_per_row.add_counts(of_rows)
        tally.messages_per_row.add_counts(of_messages)
        for role, times, characters in zip(self._roles, messages, said, strict=True):
            if times:
                tally.by_role[role] = tally.by_role.get(role, 0) + times
                tally.of_role(role).add_counts(characters)
        for rule, times in zip(self._rules, faults, strict=False):
            if times:
                ledger.counts[rule] += times
        for shape, times in zip(self._shapes, faults[len(self._rules) :], strict=True):
            if times:
                ledger.add_unlisted(_NO_MESSAGES, shape, times)
        super().finish(ledger)

    @property
    @override
    def _full(self) -> bool:
        return super()._full or self._scanner.waiting > _MOST_DIFFERENT


def _pairs(numbers: bytes) -> list[tuple[int, int]]:
    flat = array("Q", numbers)
    return list(zip(flat[0::2], flat[1::2], strict=True))


def _with_keys(
    records: array[int], indexes: Sequence[int], keys: Sequence[int | None]
) -> array[int]:
    """Put keys into the records of ascending indexes, and leave out those that get none."""
    kept, begun = array("Q"), 0
    for index, key in zip(indexes, keys, strict=True):
        at = _RECORD * index
        if key is not None:
            records[at] = key
            continue
        kept += records[begun:at]
        begun = at + _RECORD
    return kept + records[begun:] if begun else records


def _fit(declared: Declared, name: str, arguments: str) -> bool | None:
    """Say whether the arguments of a call fit what is declared; None = they are no JSON."""
    try:
        if fits(declared.fits, name, arguments):
            return True
    except Refused:
        pass  # of the faster reader
    try:
        return declared.fits[name](parse_json_text(arguments))
    except ValueError:
        return None
