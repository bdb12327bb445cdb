"""The rows that are accepted fast, as types: what the decoder refuses nobody else looks at.

They are narrower than the format. The objects cannot form cycles, so the collector need not know
them; with it, decoding whole blocks would take twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

__all__ = [
    "ROLES",
    "Assistant",
    "Call",
    "Image",
    "Message",
    "Refusal",
    "Row",
    "Text",
    "Tool",
]

_Name: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class Text(Struct, forbid_unknown_fields=True, tag_field="type", tag="text", gc=False):
    """A part that is text."""

    text: str


class Refusal(Struct, forbid_unknown_fields=True, tag_field="type", tag="refusal", gc=False):
    """A part in which an assistant refuses."""

    refusal: str


class _Address(Struct, forbid_unknown_fields=True, gc=False):
    url: str
    detail: Literal["auto", "low", "high"] | UnsetType = UNSET


class Image(Struct, forbid_unknown_fields=True, tag_field="type", tag="image_url", gc=False):
    """A part that shows an image."""

    image_url: _Address


class _Function(Struct, forbid_unknown_fields=True, gc=False):
    name: _Name
    arguments: str


class Call(Struct, forbid_unknown_fields=True, gc=False):
    """A call of a function."""

    id: Annotated[str, Meta(min_length=1)]
    type: Literal["function"]
    function: _Function


_TextParts: TypeAlias = Annotated[list[Text], Meta(min_length=1)]
_UserParts: TypeAlias = Annotated[list[Text | Image], Meta(min_length=1)]
_AssistantParts: TypeAlias = Annotated[list[Text | Refusal], Meta(min_length=1)]
_CallList: TypeAlias = Annotated[list[Call], Meta(min_length=1)]


class _System(Struct, forbid_unknown_fields=True, tag_field="role", tag="system", gc=False):
    content: str | _TextParts
    name: _Name | UnsetType = UNSET


class _Developer(Struct, forbid_unknown_fields=True, tag_field="role", tag="developer", gc=False):
    content: str | _TextParts
    name: _Name | UnsetType = UNSET


class _User(Struct, forbid_unknown_fields=True, tag_field="role", tag="user", gc=False):
    content: str | _UserParts
    name: _Name | UnsetType = UNSET


class Assistant(Struct, forbid_unknown_fields=True, tag_field="role", tag="assistant", gc=False):
    """An assistant's message."""

    content: str | _AssistantParts | UnsetType | None = UNSET
    name: _Name | UnsetType = UNSET
    refusal: str | UnsetType | None = UNSET
    weight: Literal[0, 1] | UnsetType = UNSET
    tool_calls: _CallList | UnsetType = UNSET


class Tool(Struct, forbid_unknown_fields=True, tag_field="role", tag="tool", gc=False):
    """What a function returned."""

    content: str | _TextParts
    tool_call_id: str


Message: TypeAlias = _System | _Developer | _User | Assistant | Tool


class Row(Struct, forbid_unknown_fields=True, gc=False):
    """A row."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    tools: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET


ROLES: Mapping[type, str] = {
    _System: "system",
    _Developer: "developer",
    _User: "user",
    Assistant: "assistant",
    Tool: "tool",
}
"""Type of a message -> its role."""
