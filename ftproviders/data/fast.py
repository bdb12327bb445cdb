"""The fast path: accept a good supervised row with typed decoding, or refuse to say anything.

It accepts only what the judge would find nothing in, whatever the provider; a refusal means
nothing but "ask the judge". The types below are therefore narrower than the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ftproviders.data.exact.document import read_document
from ftproviders.data.exact.image import is_image_address
from ftproviders.data.exact.json_text import holds_json, parse_json_text, schema_problems
from ftproviders.data.exact.pairing import declared_functions
from ftproviders.data.exact.tools import check_tools
from ftproviders.data.rules import MAX_DEPTH
from ftproviders.data.statistics import Tally

__all__ = ["FastPath"]

_Name: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
_CACHED_TOOLS = 256
_LONGEST_CACHED_BYTES = 64 * 1024


class _Text(Struct, forbid_unknown_fields=True, tag_field="type", tag="text"):
    text: str


class _Refusal(Struct, forbid_unknown_fields=True, tag_field="type", tag="refusal"):
    refusal: str


class _Address(Struct, forbid_unknown_fields=True):
    url: str
    detail: Literal["auto", "low", "high"] | UnsetType = UNSET


class _Image(Struct, forbid_unknown_fields=True, tag_field="type", tag="image_url"):
    image_url: _Address


class _Function(Struct, forbid_unknown_fields=True):
    name: _Name
    arguments: str


class _Call(Struct, forbid_unknown_fields=True):
    id: Annotated[str, Meta(min_length=1)]
    type: Literal["function"]
    function: _Function


_Part: TypeAlias = _Text | _Refusal | _Image
_TextParts: TypeAlias = Annotated[list[_Text], Meta(min_length=1)]
_UserParts: TypeAlias = Annotated[list[_Text | _Image], Meta(min_length=1)]
_AssistantParts: TypeAlias = Annotated[list[_Text | _Refusal], Meta(min_length=1)]
_Calls: TypeAlias = Annotated[list[_Call], Meta(min_length=1)]


class _System(Struct, forbid_unknown_fields=True, tag_field="role", tag="system"):
    content: str | _TextParts
    name: _Name | UnsetType = UNSET


class _Developer(Struct, forbid_unknown_fields=True, tag_field="role", tag="developer"):
    content: str | _TextParts
    name: _Name | UnsetType = UNSET


class _User(Struct, forbid_unknown_fields=True, tag_field="role", tag="user"):
    content: str | _UserParts
    name: _Name | UnsetType = UNSET


class _Assistant(Struct, forbid_unknown_fields=True, tag_field="role", tag="assistant"):
    content: str | _AssistantParts | UnsetType | None = UNSET
    name: _Name | UnsetType = UNSET
    refusal: str | UnsetType | None = UNSET
    weight: Literal[0, 1] | UnsetType = UNSET
    tool_calls: _Calls | UnsetType = UNSET


class _Tool(Struct, forbid_unknown_fields=True, tag_field="role", tag="tool"):
    content: str | _TextParts
    tool_call_id: str


_Message: TypeAlias = _System | _Developer | _User | _Assistant | _Tool


class _Row(Struct, forbid_unknown_fields=True):
    messages: Annotated[list[_Message], Meta(min_length=1)]
    tools: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET


class _Refused(Exception):  # noqa: N818 - a control flow inside this file, never seen outside
    """The row is for the judge."""


class _Count:
    """What the strings of a row add up to."""

    __slots__ = ("characters", "quotes", "text_bytes")

    def __init__(self) -> None:
        self.quotes = 0
        self.characters = 0
        self.text_bytes = 0

    def text(self, text: str) -> None:
        """Count a text and refuse control tokens."""
        if "<|" in text:
            raise _Refused
        self.characters += len(text)
        self.text_bytes += len(text) if text.isascii() else len(text.encode())


class FastPath:
    """Accepts good rows. One instance per process: it remembers declared tools."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Row).decode
        self._tools: dict[bytes, tuple[int, Mapping[str, object]] | None] = {}

    def accept(self, line: bytes, tally: Tally) -> bool:
        """Accept a row and count it, or leave `tally` as it is and return False."""
        if b"\\u0000" in line:
            return False
        try:
            row = self._decode(line)
            sizes, quotes = self._look(row)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _Refused):
            return False
        if quotes != _count_quotes(line):
            return False  # a key stands twice
        for role, characters, text_bytes in sizes:
            tally.add_message(role, characters, text_bytes)
        tally.rows += 1
        if len(line) > tally.longest_row_bytes:
            tally.longest_row_bytes = len(line)
        return True

    def _look(self, row: _Row) -> tuple[list[tuple[str, int, int]], int]:
        """Return role, characters and bytes of each message, and the quotes of the whole row."""
        declared: Mapping[str, object] | None = None
        quotes = 2
        if row.tools is not UNSET:
            tool_quotes, declared = self._declared(bytes(row.tools))
            quotes += 2 + tool_quotes
        if row.parallel_tool_calls is not UNSET:
            quotes += 2
        sizes = []
        pending: dict[str, int] = {}
        trained = previous_is_assistant = False
        for index, message in enumerate(row.messages):
            count = _Count()
            count.quotes = 4
            if isinstance(message, _Assistant):
                if previous_is_assistant:
                    raise _Refused
                trained = _assistant(message, count, index, pending, declared) or trained
                previous_is_assistant = True
            else:
                _other(message, count, pending)
                previous_is_assistant = False
            sizes.append((_ROLES[type(message)], count.characters, count.text_bytes))
            quotes += count.quotes
        last = len(row.messages) - 1
        if not (trained and previous_is_assistant) or any(at != last for at in pending.values()):
            raise _Refused
        return sizes, quotes

    def _declared(self, raw: bytes) -> tuple[int, Mapping[str, object]]:
        """Return the quotes of a row's tools and what they declare; rows tend to repeat them."""
        known = self._tools.get(raw, ...)
        if known is ...:
            known = _judge_tools(raw)
            if len(raw) <= _LONGEST_CACHED_BYTES:
                if len(self._tools) >= _CACHED_TOOLS:
                    self._tools.clear()
                self._tools[raw] = known
        if known is None:
            raise _Refused
        return known


_ROLES: Mapping[type, str] = {
    _System: "system",
    _Developer: "developer",
    _User: "user",
    _Assistant: "assistant",
    _Tool: "tool",
}


def _judge_tools(raw: bytes) -> tuple[int, Mapping[str, object]] | None:
    document = read_document(raw, max_depth=MAX_DEPTH - 1)  # the row is around it
    if not document.readable or document.findings or any(check_tools(document.value, ())):
        return None
    return _count_quotes(raw), declared_functions(document.value) or {}


def _count_quotes(raw: bytes) -> int:
    """Count the quotes that open or close strings.

    A typed decoder uses the last of two equal keys without a word; the quotes give it away, since
    what was decoded says exactly how many there must be.
    """
    quotes = raw.count(b'"')
    if b"\\" in raw:
        pairs_removed = raw.replace(b"\\\\", b"") if b"\\\\" in raw else raw
        quotes -= pairs_removed.count(b'\\"')
    return quotes


def _parts(parts: Iterable[_Part], count: _Count) -> bool:
    """Count parts; return whether any of them says something."""
    says = False
    for part in parts:
        if isinstance(part, _Image):
            count.quotes += 10 if part.image_url.detail is UNSET else 14
            if not is_image_address(part.image_url.url):
                raise _Refused
            continue
        count.quotes += 8
        text = part.refusal if isinstance(part, _Refusal) else part.text
        count.text(text)
        says = says or bool(text and not text.isspace())
    return says


def _other(
    message: _System | _Developer | _User | _Tool, count: _Count, pending: dict[str, int]
) -> None:
    content = message.content
    count.quotes += 2
    if isinstance(content, str):
        count.quotes += 2
        count.text(content)
    else:
        _parts(content, count)
    if isinstance(message, _Tool):
        count.quotes += 4
        if pending.pop(message.tool_call_id, None) is None:
            raise _Refused
    elif message.name is not UNSET:
        count.quotes += 4


def _assistant(
    message: _Assistant,
    count: _Count,
    index: int,
    pending: dict[str, int],
    declared: Mapping[str, object] | None,
) -> bool:
    """Count an assistant's message; return whether it is trained on."""
    says = _assistant_content(message, count)
    if message.name is not UNSET:
        count.quotes += 4
    if message.refusal is not UNSET:
        count.quotes += 2
        if message.refusal is not None:
            count.quotes += 2
            count.text(message.refusal)
            says = says or bool(message.refusal)
    if message.tool_calls is not UNSET:
        says = True
        count.quotes += 2
        for call in message.tool_calls:
            _call(call, count, index, pending, declared)
    if not says:
        raise _Refused
    if message.weight is UNSET:
        return True
    count.quotes += 2
    return message.weight == 1


def _assistant_content(message: _Assistant, count: _Count) -> bool:
    """Count the content; return whether it says something."""
    content = message.content
    if content is UNSET:
        return False
    count.quotes += 2
    if content is None:
        return False
    if isinstance(content, str):
        count.quotes += 2
        count.text(content)
        return bool(content) and not content.isspace()
    return _parts(content, count)


def _call(
    call: _Call,
    count: _Count,
    index: int,
    pending: dict[str, int],
    declared: Mapping[str, object] | None,
) -> None:
    count.quotes += 18  # id, type, function, name, arguments, and four of their values
    function = call.function
    count.text(function.name)
    count.text(function.arguments)
    if call.id in pending or not holds_json(function.arguments):
        raise _Refused
    pending[call.id] = index
    if declared is None:
        return
    schema = declared.get(function.name, ...)
    if schema is ... or any(schema_problems(parse_json_text(function.arguments), schema)):
        raise _Refused
