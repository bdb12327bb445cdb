"""Rows out of text: JSON Lines, one JSON array, spread objects, tables.

What lives here: where a row begins and ends, and its line. What does not: what its keys mean.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from ftproviders.data.findings import show
from ftproviders.data.positions import find_syntax_fault
from ftproviders.data.rules import MAX_ROW_BYTES
from ftproviders.errors import DatasetError

__all__ = ["SourceRow", "parse_json", "physical_lines", "read_lines", "read_table", "read_values"]

_NEAR_THE_END = 16
"""Characters of the longest word of JSON that a piece of text may cut: ``-Infinity``."""
_SPACE = " \t\r\n"


class SourceRow(NamedTuple):
    """A row as the source has it."""

    line: int
    """Line from 1 on which it begins; its number from 1 where the source has no lines."""
    value: Any
    problem: str = ""
    """Why there is no value."""


class _UnfitError(ValueError):
    """It is JSON, but says two things at once, or what nobody could write again."""


def _pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(items)
    if len(built) != len(items):
        for key, value in items:
            if built[key] != value:
                raise _UnfitError(f"the key {show(key)} stands twice in the same object")
    return built


def _constant(word: str) -> NoReturn:
    raise _UnfitError(f"{word} is not a JSON number")


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:
        raise _UnfitError(f"a number has {len(digits.lstrip('-')):,} digits") from error


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer)
_PASSING = json.JSONDecoder(parse_int=float)  # for where a value ends; takes numbers of any length
_TOO_DEEP = "values are nested too deep"


def parse_json(text: str) -> Any:
    """Read a JSON value.

    Raises:
        ValueError: It is not JSON, or says two things at once; the message is for people.
    """
    try:
        return _DECODER.decode(text)
    except _UnfitError:
        raise
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    except ValueError as error:
        fault = find_syntax_fault(text)
        if fault is None:
            raise ValueError("not valid JSON") from error
        raise ValueError(f"not valid JSON at column {fault.offset + 1}: {fault.message}") from error


def physical_lines(pieces: Iterator[str], name: str) -> Iterator[str]:
    """Cut text into lines that keep their line feeds."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        head, *rest = piece.split("\n")
        held.append(head)
        size += len(head)
        if size > MAX_ROW_BYTES:
            raise DatasetError(
                f"{name} has a line longer than {MAX_ROW_BYTES // 2**20} MiB.",
                hint="Are the line ends missing?",
            )
        for line in rest:
            yield "".join(held) + "\n"
            held, size = [line], len(line)
    last = "".join(held)
    if last:
        yield last


def read_lines(pieces: Iterator[str], name: str) -> Iterator[SourceRow]:
    """Yield the rows of JSON Lines."""
    for number, line in enumerate(physical_lines(pieces, name), 1):
        text = line.strip(_SPACE)
        if not text:
            continue
        try:
            value = parse_json(text)
        except ValueError as error:
            yield SourceRow(number, None, str(error))
            continue
        yield SourceRow(number, value)


class _Values:
    """JSON values one after the other, out of pieces of text."""

    def __init__(self, pieces: Iterator[str], name: str) -> None:
        self._pieces = pieces
        self._name = name
        self._text = ""
        self._at = 0
        self.line = 1

    def _more(self) -> bool:
        """Fetch as much again as is held, so that long rows cost linear time."""
        rest = self._text[self._at :]
        fetched: list[str] = []
        size = 0
        while size < max(len(rest), 1):
            piece = next(self._pieces, None)
            if piece is None:
                break
            fetched.append(piece)
            size += len(piece)
        self._text, self._at = rest + "".join(fetched), 0
        return size > 0

    def peek(self) -> str:
        """Return the next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self.line += self._text[self._at] == "\n"
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self) -> None:
        """Go past the character that `peek` returned."""
        self._at += 1

    def value(self) -> Any:
        """Read the value that begins here.

        Raises:
            DatasetError: There is none; nothing after it can be trusted.
            ValueError: There is one, but it says two things at once; it has been passed.
        """
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except _UnfitError as error:
                if self._skip():
                    raise
                self._fail(str(error), self._at, error)
            except json.JSONDecodeError as error:
                if not self._is_cut(error) or not self._more():
                    self._fail(error.msg, error.pos, error)
                continue
            except RecursionError as error:
                self._fail(_TOO_DEEP, self._at, error)
            self._pass(end)
            return value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        if len(self._text) - self._at > MAX_ROW_BYTES:
            return False
        near = error.pos >= len(self._text) - _NEAR_THE_END
        return near or error.msg.startswith("Unterminated string")

    def _skip(self) -> bool:
        while True:
            try:
                _, end = _PASSING.raw_decode(self._text, self._at)
            except RecursionError as error:
                self._fail(_TOO_DEEP, self._at, error)
            except ValueError:
                if not self._more():
                    return False
                continue
            self._pass(end)
            return True

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _fail(self, message: str, at: int, error: BaseException) -> NoReturn:
        line = self.line + self._text.count("\n", self._at, at)
        raise DatasetError(
            f"{self._name}, line {line}: not valid JSON: {message[:1].lower()}{message[1:]}.",
            hint="Correct that place; what follows it cannot be told apart.",
        ) from error

    def separator(self) -> None:
        """Go past what stands between two items of an array, or stay at its end."""
        if self.peek() == ",":
            self.take()
            if self.peek() == "]":
                self._expected("another item after the comma")
        elif self.peek() != "]":
            self._expected("',' or ']'")

    def end(self) -> None:
        """Go past the end of an array, after which nothing may stand."""
        if self.peek() != "]":
            self._expected("']' at the end")
        self.take()
        if self.peek():
            self._expected("nothing after the array")

    def _expected(self, what: str) -> NoReturn:
        self._fail(f"expected {what}", self._at, ValueError(what))


def read_values(pieces: Iterator[str], name: str) -> Iterator[SourceRow]:
    """Yield the items of one JSON array, or objects that stand one after the other.

    Raises:
        DatasetError: It is not JSON.
    """
    values = _Values(pieces, name)
    is_array = values.peek() == "["
    if is_array:
        values.take()
    while mark := values.peek():
        if is_array and mark == "]":
            break
        line = values.line
        try:
            value = values.value()
        except ValueError as error:
            yield SourceRow(line, None, str(error))
        else:
            yield SourceRow(line, value)
        if is_array:
            values.separator()
    if is_array:
        values.end()


def read_table(
    pieces: Iterator[str], name: str, *, delimiter: str, header: bool = True
) -> Iterator[SourceRow]:
    """Yield the rows of a table as objects of texts.

    Args:
        pieces: The text.
        name: Name of the source, for errors.
        delimiter: What stands between columns.
        header: Whether the first line names the columns; else they are called 1, 2, 3.

    Raises:
        DatasetError: Quotes do not match, or columns share a name.
    """
    before = csv.field_size_limit(MAX_ROW_BYTES)  # the module's own limit is 128 KiB a cell
    reader = csv.reader(physical_lines(pieces, name), delimiter=delimiter, strict=True)
    names: Sequence[str] | None = None
    try:
        while True:
            line = reader.line_num + 1
            csv.field_size_limit(MAX_ROW_BYTES)
            cells = next(reader, None)
            if cells is None:
                return
            if not cells:
                continue
            if names is None:
                names = _names(cells, name) if header else [str(n + 1) for n in range(len(cells))]
                if header:
                    continue
            yield _table_row(line, names, cells)
    except csv.Error as error:
        raise DatasetError(
            f"{name}, line {reader.line_num}: the table cannot be read: {error}.",
            hint='Text with line feeds, delimiters or quotes is quoted, and a quote in it is "".',
        ) from error
    finally:
        with suppress(csv.Error):
            csv.field_size_limit(before)


def _names(cells: Sequence[str], name: str) -> Sequence[str]:
    names = [cell.strip() for cell in cells]
    twice = sorted(cell for cell, times in Counter(names).items() if times > 1)
    if twice:
        raise DatasetError(
            f"{name}: more than one column is called {twice[0]!r}.",
            hint="Give each column a name of its own in the first line.",
        )
    return names


def _table_row(line: int, names: Sequence[str], cells: Sequence[str]) -> SourceRow:
    if len(cells) != len(names):
        columns = "column" if len(cells) == 1 else "columns"
        problem = f"the row has {len(cells)} {columns}, the table has {len(names)}"
        return SourceRow(line, None, problem)
    return SourceRow(line, dict(zip(names, cells, strict=True)))
