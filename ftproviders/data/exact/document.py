"""From the bytes of a line to a JSON value: encoding, syntax, and what JSON lets through."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ftproviders.data.findings import Finding, JsonPath, show
from ftproviders.data.numbers import to_number
from ftproviders.data.positions import find_duplicate_key, find_syntax_fault, walk
from ftproviders.data.quotes import quotes_in
from ftproviders.data.rules import MAX_DEPTH

__all__ = ["Document", "read_document"]

_DEPTH_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?)*+"?|[{}\[\]]', re.DOTALL)
"""A string, which may lack its end (else each quote in it would be tried as a beginning), or a
bracket."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class _Constant(float):
    """What stands where the line says NaN or Infinity."""


class Document:
    """A line that was read.

    Attributes:
        text: The line as text, without a byte order mark; empty when it is not UTF-8.
        value: The JSON value; None when there is none.
        readable: False when there is no value to look at.
        findings: What is wrong with the line as JSON.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.value: object = None
        self.readable = True
        self.findings: list[Finding] = []

    def is_constant(self, path: JsonPath) -> bool:
        """Say whether NaN or an infinity stands at `path`, which ``json.constant`` is about."""
        value = self.value
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int):
                value = value[step]
            else:
                return False
        return isinstance(value, _Constant)

    def refuse(self, finding: Finding) -> Document:
        """Record a fault after which there is nothing more to look at."""
        self.findings.append(finding)
        self.readable = False
        return self


class _Reader(threading.local):
    """A decoder, one for each thread, that notes what it met on its way."""

    def __init__(self) -> None:
        self.duplicates = False
        self.constant = ""
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self.pairs,
            parse_constant=self.note_constant,
            parse_int=to_number,
        )

    def read(self, text: str) -> Any:
        """Read JSON text.

        Raises:
            ValueError: It is not JSON.
        """
        self.duplicates = False
        self.constant = ""
        return self._decoder.decode(text)

    def pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        """Build an object and notice keys that stand twice."""
        built = dict(items)
        if len(built) != len(items):
            self.duplicates = True
        return built

    def note_constant(self, word: str) -> float:
        """Notice NaN and infinities."""
        self.constant = self.constant or word
        return _Constant(0.0)


_READER = _Reader()
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def _read_quickly(line: bytes) -> Any:
    """Read a line that breaks no rule for JSON; ``...`` when it may break one.

    This decoder takes neither NaN nor lone surrogates, and an object that has a key twice loses
    quotes when it is written again.
    """
    try:
        value = _decode(line)
        if quotes_in(line) != quotes_in(_encode(value)):
            return ...
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return ...
    return ... if b"\\" in line and b"\\u0000" in line else value


def read_document(
    line: bytes, *, wants: Callable[[str], bool] = lambda _: True, max_depth: int = MAX_DEPTH
) -> Document:
    """Read one line.

    Args:
        line: The bytes of the line, with or without its line end.
        wants: Says for a rule id whether anybody will read the detail; finding out what exactly
            broke in a row costs more than finding out that it is broken.
        max_depth: Deepest nesting; less than the default for a piece out of a row.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return Document("").refuse(_encoding_finding(line, error))
    document = Document(text)
    if line.count(b"[") + line.count(b"{") > max_depth:
        deep = _too_deep(text, max_depth)
        if deep is not None:
            return document.refuse(deep)
    value = _read_quickly(line)
    if value is not ...:
        document.value = value
        return document
    try:
        document.value = _READER.read(text)
    except (ValueError, RecursionError):
        return document.refuse(_syntax_finding(text, wants=wants("json.syntax")))
    document.findings.extend(_let_through(document, wants))
    return document


def _let_through(document: Document, wants: Callable[[str], bool]) -> Iterator[Finding]:
    """Find what the decoder accepts and we do not; each kind once a row."""
    text = document.text
    if _READER.duplicates:
        entry = find_duplicate_key(text) if wants("json.duplicate_key") else None
        path = entry.path if entry else ()
        yield Finding(
            rule="json.duplicate_key",
            path=path,
            offset=entry.key if entry else None,
            message=f"the key {show(path[-1] if path else '')} stands twice in the same object",
            fix="Keep one of the two; readers silently use the last one.",
        )
    if _READER.constant:
        yield _constant_finding(text, _READER.constant)
    if _SURROGATE_ESCAPE.search(text):
        yield from _character_finding(document, _SURROGATE, "json.surrogate")
    if "\\u0000" in text:
        yield from _character_finding(document, re.compile("\x00"), "json.nul")


def _encoding_finding(line: bytes, error: UnicodeDecodeError) -> Finding:
    before = line[: error.start].decode()
    shown = " ".join(f"{byte:02x}" for byte in line[error.start : error.start + 1])
    return Finding(
        rule="json.encoding",
        offset=len(before),
        message=f"the byte {shown} is not UTF-8; the file looks like Latin-1 or Windows-1252",
        fix="Write it as UTF-8: ftproviders validate FILE --fix NEW_FILE",
    )


def _too_deep(text: str, max_depth: int) -> Finding | None:
    depth = 0
    for match in _DEPTH_TOKEN.finditer(text):
        mark = match.group()[:1]
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
        if depth > max_depth:
            return Finding(
                rule="json.depth",
                offset=match.start(),
                message=f"values are nested more than {max_depth} deep",
                fix="Write deep values as text that holds JSON.",
            )
    return None


def _syntax_finding(text: str, *, wants: bool) -> Finding:
    fault = find_syntax_fault(text) if wants else None
    if fault is None:
        return Finding(rule="json.syntax", message="the line is not JSON", offset=0)
    return Finding(
        rule="json.syntax",
        offset=fault.offset,
        message=f"not valid JSON: {fault.message}",
        fix=fault.fix,
    )


def _constant_finding(text: str, word: str) -> Finding:
    place: JsonPath = ()
    offset = 0
    for entry in walk(text):
        if text.startswith(word, entry.start):
            place, offset = entry.path, entry.start
            break
    return Finding(
        rule="json.constant",
        path=place,
        offset=offset,
        message=f"{word} is not a JSON number",
        fix="Write null, or leave the key out.",
    )


def _character_finding(
    document: Document, pattern: re.Pattern[str], rule: str
) -> Iterator[Finding]:
    for path, text, is_key in _strings(document.value):
        match = pattern.search(text)
        if match is None:
            continue
        code = ord(match.group())
        needle = _escape_in(document.text, code)
        what = "a NUL character" if code == 0 else f"half of a surrogate pair (U+{code:04X})"
        yield Finding(
            rule=rule,
            path=path,
            key=is_key,
            needle=needle,
            message=f"the text holds {what}",
            fix="Remove it; it is often left over from cutting or converting text.",
        )
        return


def _escape_in(text: str, code: int) -> str:
    """Return the escape of a character as this text writes it."""
    lower = f"\\u{code:04x}"
    if lower in text:
        return lower
    return f"\\u{code:04X}"


def _strings(value: object) -> Iterator[tuple[JsonPath, str, bool]]:
    """Yield every string of a value with its path, and whether it is a key."""
    stack: list[tuple[JsonPath, object]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, str):
            yield path, item, False
        elif isinstance(item, dict):
            for name in item:
                yield (*path, name), name, True
            stack.extend(((*path, name), child) for name, child in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend(((*path, i), child) for i, child in reversed(list(enumerate(item))))
