"""Rows with parts, images, tools, calls, weights, names or refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ftproviders.data.exact.document import read_document
from ftproviders.data.exact.image import is_plain_image
from ftproviders.data.exact.json_text import schema_problems
from ftproviders.data.exact.pairing import declared_functions
from ftproviders.data.exact.parts import SPARED_IMAGES
from ftproviders.data.exact.tools import check_tools
from ftproviders.data.fast.sums import Refused, Sums, count_quotes, is_clean, size_in_bytes
from ftproviders.data.keys import key_of_texts
from ftproviders.data.rule import MAX_DEPTH
from ftproviders.data.statistics import Tally

__all__ = ["RichRows"]

_Name: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
_REMEMBERED_TOOLS = 256
_LONGEST_REMEMBERED_BYTES = 64 * 1024


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
_CallList: TypeAlias = Annotated[list[_Call], Meta(min_length=1)]


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
    tool_calls: _CallList | UnsetType = UNSET


class _Tool(Struct, forbid_unknown_fields=True, tag_field="role", tag="tool"):
    content: str | _TextParts
    tool_call_id: str


_Message: TypeAlias = _System | _Developer | _User | _Assistant | _Tool


class _Row(Struct, forbid_unknown_fields=True):
    messages: Annotated[list[_Message], Meta(min_length=1)]
    tools: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET


@dataclass(slots=True)
class _Calls:
    """The calls of a row so far."""

    declared: Mapping[str, object] | None
    """Function name -> parameters; None when the row declares nothing."""
    pending: dict[str, int] = field(default_factory=dict)
    """Id of a call that waits for its answer -> index of its message."""


class RichRows:
    """Accepts rows of every kind and adds them up; remembers declared tools."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Row).decode
        self._tools: dict[bytes, tuple[int, Mapping[str, object]] | None] = {}
        self._accepted: list[Sums] = []
        self._text_bytes = 0
        self.key = 0
        """Key of the last row accepted."""
        self.last_was_rich = False
        """Whether the last row accepted has what a plain row has not."""

    def accept(self, line: bytes, quotes: int) -> bool:
        """Accept a row, or return False when it is for the judge.

        Raises:
            Refused: The same, found deeper inside.
            msgspec.MsgspecError: The same, found by the decoder.
            UnicodeDecodeError: The row is not UTF-8.
            RecursionError: A call's arguments are nested too deep.
        """
        row = self._decode(line)
        sums = Sums(quotes=2 + 4 * len(row.messages))
        calls = _Calls(self._declared(row, sums))
        if row.parallel_tool_calls is not UNSET:
            sums.quotes += 2
        _look(row.messages, sums, calls)
        joined = "".join(sums.texts)
        if sums.images > SPARED_IMAGES:
            return False
        if quotes != sums.quotes or not is_clean(joined) or "\0" in "".join(sums.unseen):
            return False
        self._text_bytes += size_in_bytes(joined)
        self.key = key_of_texts(
            "".join(sums.texts[: sums.answer_at]), "".join(sums.texts[sums.answer_at :])
        )
        sums.forget_texts()
        self._accepted.append(sums)
        self.last_was_rich = quotes != 2 + 8 * len(row.messages)
        return True

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        tally.text_bytes += self._text_bytes
        self._text_bytes = 0
        for sums in self._accepted:
            tally.add_row(messages=sums.messages, characters=sums.characters)
            tally.image_rows += bool(sums.images)
        self._accepted.clear()

    def _declared(self, row: _Row, sums: Sums) -> Mapping[str, object] | None:
        """Return what a row's tools declare; rows tend to repeat them."""
        if row.tools is UNSET:
            return None
        raw = bytes(row.tools)
        known = self._tools.get(raw, ...)
        if known is ...:
            known = _judge_tools(raw)
            if len(raw) <= _LONGEST_REMEMBERED_BYTES:
                if len(self._tools) >= _REMEMBERED_TOOLS:
                    self._tools.clear()
                self._tools[raw] = known
        if known is None:
            raise Refused
        sums.quotes += 2 + known[0]
        return known[1]


def _look(messages: Iterable[_Message], sums: Sums, calls: _Calls) -> None:
    """Look at a conversation.

    Raises:
        Refused: The row is for the judge.
    """
    trained = previous_is_assistant = False
    index = -1
    for index, message in enumerate(messages):
        before = len(sums.texts)
        if isinstance(message, _Assistant):
            if previous_is_assistant:
                raise Refused
            trained = _assistant(message, sums, index, calls) or trained
            previous_is_assistant = True
        else:
            _other(message, sums, calls)
            previous_is_assistant = False
        sums.add_message(_ROLES[type(message)], before)
    if not (trained and previous_is_assistant):
        raise Refused
    if any(called_at != index for called_at in calls.pending.values()):
        raise Refused


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
    return count_quotes(raw), declared_functions(document.value) or {}


def _parts(parts: Iterable[_Part], sums: Sums) -> bool:
    """Count parts; return whether any of them says something."""
    says = False
    for part in parts:
        if isinstance(part, _Image):
            sums.quotes += 10 if part.image_url.detail is UNSET else 14
            sums.images += 1
            if not is_plain_image(part.image_url.url):
                raise Refused
            sums.unseen.append(part.image_url.url)
            continue
        sums.quotes += 8
        text = part.refusal if isinstance(part, _Refusal) else part.text
        sums.texts.append(text)
        says = says or bool(text and not text.isspace())
    return says


def _other(message: _System | _Developer | _User | _Tool, sums: Sums, calls: _Calls) -> None:
    content = message.content
    sums.quotes += 2
    if isinstance(content, str):
        sums.quotes += 2
        sums.texts.append(content)
    else:
        _parts(content, sums)
    if isinstance(message, _Tool):
        sums.quotes += 4
        # Its id is that of a call above, so it needs no look of its own.
        if calls.pending.pop(message.tool_call_id, None) is None:
            raise Refused
    elif message.name is not UNSET:
        sums.quotes += 4


def _assistant(message: _Assistant, sums: Sums, index: int, calls: _Calls) -> bool:
    """Count an assistant's message; return whether it is trained on."""
    says = _assistant_content(message, sums)
    if message.name is not UNSET:
        sums.quotes += 4
    if message.refusal is not UNSET:
        sums.quotes += 2
        if message.refusal is not None:
            sums.quotes += 2
            sums.texts.append(message.refusal)
            says = says or bool(message.refusal)
    if message.tool_calls is not UNSET:
        says = True
        sums.quotes += 2
        for call in message.tool_calls:
            _call(call, sums, index, calls)
    if not says:
        raise Refused
    if message.weight is UNSET:
        return True
    sums.quotes += 2
    return message.weight == 1


def _assistant_content(message: _Assistant, sums: Sums) -> bool:
    """Count the content; return whether it says something."""
    content = message.content
    if content is UNSET:
        return False
    sums.quotes += 2
    if content is None:
        return False
    if isinstance(content, str):
        sums.quotes += 2
        sums.texts.append(content)
        return bool(content) and not content.isspace()
    return _parts(content, sums)


def _call(call: _Call, sums: Sums, index: int, calls: _Calls) -> None:
    sums.quotes += 18  # id, type, function, name, arguments, and four of their values
    function = call.function
    sums.texts.append(function.name)
    sums.texts.append(function.arguments)
    if call.id in calls.pending:
        raise Refused
    calls.pending[call.id] = index
    sums.unseen.append(call.id)
    arguments = msgspec.json.decode(function.arguments)
    if calls.declared is None:
        return
    schema = calls.declared.get(function.name, ...)
    if schema is ... or any(schema_problems(arguments, schema)):
        raise Refused
