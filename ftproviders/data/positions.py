"""A JSON parser that knows where it is: the place of every value, and what was expected where.

It is slow compared to a decoder that builds values, and is used only for rows that somebody will
read about. It never recurses and keeps no values, so that no row can exhaust it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from ftproviders.data.findings import Finding, JsonPath

__all__ = [
    "Entry",
    "SyntaxFault",
    "find_duplicate_key",
    "find_syntax_fault",
    "locate",
    "locate_all",
    "walk",
]

_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"')
_STRING_START = re.compile(
    r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+'
)
_SCALAR = re.compile(
    r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null|NaN|-?Infinity"
)
_WORD = re.compile(r"[A-Za-z_]\w*")

_PYTHON_WORDS = {"None": "null", "True": "true", "False": "false", "undefined": "null"}


class Entry(NamedTuple):
    """A value and where it stands, in characters from the start of the text."""

    path: JsonPath
    key: int | None
    """Offset of the key's opening quote; None for the row itself and items of a list."""
    start: int
    """Offset of the value's first character."""


class SyntaxFault(Exception):  # noqa: N818 - a fault in the data, not an error of the program
    """The text is not JSON.

    Attributes:
        offset: Characters before the place where it ceases to be JSON.
        message: What stands there and what was expected.
        fix: What to change.
    """

    def __init__(self, offset: int, message: str, fix: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.fix = fix


class _Walker:
    """Walks once over a text; ``stack`` holds open containers with the index (lists) or None."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.stack: list[tuple[JsonPath, int | None]] = []

    def entries(self) -> Iterator[Entry]:
        """Yield every value in the order of the text.

        Raises:
            SyntaxFault: The text is not JSON.
        """
        following: tuple[JsonPath, int | None] | None = ((), None)
        self.skip_space()
        while following is not None:
            path, key = following
            start = self.position
            if not self.peek():
                self.fail("a value")
            yield Entry(path, key, start)
            following = self.enter(path)
        self.skip_space()
        if self.peek():
            self.fail("the end of the line")

    def enter(self, path: JsonPath) -> tuple[JsonPath, int | None] | None:
        """Read a scalar, or the opening of a container; return the next value's path and key."""
        char = self.peek()
        if char not in {"{", "["}:
            self.scalar(char)
            return self.leave()
        self.stack.append((path, None if char == "{" else 0))
        self.position += 1
        self.skip_space()
        if self.peek() == ("}" if char == "{" else "]"):
            return self.leave()
        return self.member(path) if char == "{" else ((*path, 0), None)

    def scalar(self, char: str) -> None:
        """Read past a string, number or literal."""
        match = (_STRING if char == '"' else _SCALAR).match(self.text, self.position)
        if match is None:
            self.fail("a value")
        self.position = match.end()

    def leave(self) -> tuple[JsonPath, int | None] | None:
        """Read what follows a value, closing containers; return the next value, None at the end."""
        while self.stack:
            container, index = self.stack[-1]
            self.skip_space()
            char = self.peek()
            close = "}" if index is None else "]"
            if char == close:
                self.stack.pop()
                self.position += 1
                continue
            if char != ",":
                self.fail(f"',' or '{close}'")
            self.position += 1
            self.skip_space()
            if index is None:
                return self.member(container)
            self.stack[-1] = (container, index + 1)
            return (*container, index + 1), None
        return None

    def member(self, container: JsonPath) -> tuple[JsonPath, int]:
        """Read a key and its colon; return the value's path and the key's offset."""
        start = self.position
        match = _STRING.match(self.text, start)
        if match is None:
            self.fail("a key in double quotes")
        self.position = match.end()
        self.skip_space()
        if self.peek() != ":":
            self.fail("':' after the key")
        self.position += 1
        self.skip_space()
        return (*container, _key(match.group())), start

    def peek(self) -> str:
        """Return the next character, empty at the end."""
        return self.text[self.position : self.position + 1]

    def skip_space(self) -> None:
        """Read past white space."""
        if self.peek() in {" ", "\t", "\r", "\n"}:
            match = _SPACE.match(self.text, self.position)
            self.position = match.end() if match else self.position

    def fail(self, expected: str) -> NoReturn:
        """Raise the fault at the present position, in words that fit what stands there."""
        text, offset = self.text, self.position
        if text[offset : offset + 1] == '"' and expected in {"a value", "a key in double quotes"}:
            raise _string_fault(text, offset)
        raise SyntaxFault(offset, *_describe(text, offset, expected))


def _string_fault(text: str, start: int) -> SyntaxFault:
    """Say where a string that begins at `start` breaks."""
    match = _STRING_START.match(text, start)
    offset = match.end() if match else start
    char = text[offset : offset + 1]
    escape = text[offset : offset + 2]
    if not char or escape == "\\":
        return SyntaxFault(
            start,
            "the string that begins here is not closed before the end of the line",
            "Close it with a double quote; write a line break inside text as \\n.",
        )
    if escape == "\\u":
        return SyntaxFault(
            offset,
            "the escape \\u is not followed by four hexadecimal digits",
            "Write \\u and four digits, or a backslash as \\\\.",
        )
    if char == "\\":
        return SyntaxFault(
            offset,
            f"the escape {escape if escape.isprintable() else ascii(escape)} does not exist in "
            "JSON",
            "Write a backslash as \\\\.",
        )
    return SyntaxFault(
        offset,
        f"a control character (U+{ord(char):04X}) stands inside a string",
        f"Write it as \\u{ord(char):04x}, or leave it out.",
    )


def _describe(text: str, offset: int, expected: str) -> tuple[str, str]:
    """Put a fault into words: what was found, what was expected, what to do."""
    char = text[offset : offset + 1]
    word = _WORD.match(text, offset)
    if not char:
        return (
            f"the line ends where {expected} was expected",
            "Put the whole object on one line; the row may be cut off or spread over lines.",
        )
    if expected == "the end of the line":
        return (
            f"more text ({char!r}) follows after the row's end",
            "Put each object on a line of its own, with nothing between or after.",
        )
    if char == "\ufeff":
        return ("a byte order mark stands inside the file", "Remove it: were files joined?")
    if char == "'":
        return (f"found a single quote, expected {expected}", "JSON uses double quotes.")
    if char in "}]" and text[:offset].rstrip(" \t\r\n").endswith(","):
        return (f"found {char!r}, expected {expected}", "Remove the comma before it.")
    if word and word.group() in _PYTHON_WORDS:
        replacement = _PYTHON_WORDS[word.group()]
        return (
            f"found {word.group()}, expected {expected}",
            f"Write {replacement}; json.dumps does this, str() does not.",
        )
    return (f"found {char!r}, expected {expected}", "Write rows with a JSON library.")


def _key(quoted: str) -> str:
    """Read a key as a decoder would."""
    return str(json.loads(quoted)) if "\\" in quoted else quoted[1:-1]


def walk(text: str) -> Iterator[Entry]:
    """Yield the place of every value in `text`, in the order of the text.

    Raises:
        SyntaxFault: The text is not JSON (NaN and Infinity are let through).
    """
    return _Walker(text).entries()


def find_syntax_fault(text: str) -> SyntaxFault | None:
    """Return where `text` ceases to be JSON, or None when it is JSON."""
    try:
        for _ in walk(text):
            pass
    except SyntaxFault as fault:
        return fault
    return None


def find_duplicate_key(text: str) -> Entry | None:
    """Return the first member whose key its object has already had, or None."""
    seen: set[JsonPath] = set()
    for entry in walk(text):
        if entry.key is None:
            continue
        if entry.path in seen:
            return entry
        seen.add(entry.path)
    return None


def locate(text: str, finding: Finding) -> int:
    """Return the column of a finding, in characters from 1.

    Of a key that stands twice the last one counts, as it does for decoders.
    """
    return locate_all(text, [finding])[finding]


def locate_all(text: str, findings: Sequence[Finding]) -> dict[Finding, int]:
    """Return the columns of findings in one row; the row is walked over once for all of them."""
    wanted = {finding.path for finding in findings if finding.offset is None}
    entries: dict[JsonPath, Entry] = {}
    with suppress(SyntaxFault):
        for entry in walk(text) if wanted else ():
            if entry.path in wanted:
                entries[entry.path] = entry
    return {finding: _column(text, finding, entries.get(finding.path)) for finding in findings}


def _column(text: str, finding: Finding, entry: Entry | None) -> int:
    if finding.offset is not None:
        return finding.offset + 1
    place = 0
    if entry is not None:
        place = entry.start if entry.key is None or not finding.key else entry.key
    if finding.needle:
        inside = text.find(finding.needle, place)
        place = inside if inside >= 0 else place
    return place + 1
