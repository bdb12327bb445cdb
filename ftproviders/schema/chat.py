"""Chat rows: messages, tools, supervised examples and preference pairs.

The shapes follow the official OpenAI description (``FineTuneChatRequestInput``,
``FineTunePreferenceRequestInput``). Whether a *file* of such rows is fit for a provider is not
decided here but in ``ftproviders.data``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from ftproviders.schema.value import FrozenJson, Value

__all__ = [
    "ChatExample",
    "ChatMessage",
    "ContentPart",
    "FunctionCall",
    "FunctionDefinition",
    "ImagePart",
    "ImageUrl",
    "PreferenceExample",
    "PreferenceInput",
    "RefusalPart",
    "Role",
    "TextPart",
    "Tool",
    "ToolCall",
]


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    FUNCTION = "function"


class TextPart(Value):
    """A piece of text in a message of several parts."""

    type: Literal["text"] = "text"
    text: str


class RefusalPart(Value):
    """An assistant's refusal in a message of several parts."""

    type: Literal["refusal"] = "refusal"
    refusal: str


class ImageUrl(Value):
    """Where an image is: an https address or a base64 data URL."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Value):
    """An image in a user's message."""

    type: Literal["image_url"] = "image_url"
    image_url: ImageUrl


ContentPart = Annotated[TextPart | RefusalPart | ImagePart, Field(discriminator="type")]


class FunctionCall(Value):
    """The function that an assistant wants called; ``arguments`` is a string that holds JSON."""

    name: str
    arguments: str


class ToolCall(Value):
    """One call of a tool in an assistant's message."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class FunctionDefinition(Value):
    """What a function is called and takes; ``parameters`` is a JSON Schema object."""

    name: str
    description: str | None = None
    parameters: FrozenJson | None = None
    strict: bool | None = None


class Tool(Value):
    """A tool that the model may call in an example."""

    type: Literal["function"] = "function"
    function: FunctionDefinition


class ChatMessage(Value):
    """One message of a conversation."""

    role: Role
    content: str | tuple[ContentPart, ...] | None = None
    name: str | None = None
    weight: Literal[0, 1] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class ChatExample(Value):
    """One supervised row: a conversation that ends with what the assistant should say."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[Tool, ...] | None = None
    parallel_tool_calls: bool | None = None


class PreferenceInput(Value):
    """The conversation that both outputs of a preference row answer."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[Tool, ...] | None = None
    parallel_tool_calls: bool | None = None


class PreferenceExample(Value):
    """One DPO row: the same input with a preferred and a rejected output."""

    input: PreferenceInput
    preferred_output: tuple[ChatMessage, ...]
    non_preferred_output: tuple[ChatMessage, ...]
