"""What is wrong with a conversation that a chat template refuses, or writes only in part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ftproviders.data.findings import Finding, show
from ftproviders.data.template.chat import ChatTemplate, TemplateRefusal
from ftproviders.data.template.messages import NotText, plain_messages
from ftproviders.data.template.pairs import Reading

__all__ = ["dropped", "refusal"]


def refusal(
    reading: Reading, error: NotText | TemplateRefusal, chat: ChatTemplate, model: str
) -> Finding:
    """Return why the template takes a conversation not at all.

    Args:
        reading: The conversation.
        error: What was raised when it was encoded.
        chat: The template.
        model: How the model is named.
    """
    if isinstance(error, NotText):
        return Finding(
            rule="template.refused",
            path=(*reading.places[error.index], "content"),
            message=f"{error}, which {model} cannot learn from",
            fix="Remove the row, or choose a model and provider that take images.",
        )
    if error.rewritten:
        return Finding(
            rule="template.rewritten",
            path=reading.asked,
            message="the assistant's words cannot be told apart in the chat template of "
            f"{model}: {error}",
            fix="Give a template with {% generation %} marks, or keep one answer a row.",
        )
    at = _refused_message(chat, reading)
    return Finding(
        rule="template.refused",
        path=reading.places[at],
        message=f"the chat template of {model} refuses the conversation here "
        f"(role {show(reading.row['messages'][at].get('role'))}): {show(str(error))}",
        fix="Change the row, for instance put the text into the user's message, or give "
        "another template.",
    )


def dropped(reading: Reading, text: str, model: str) -> Iterator[Finding]:
    """Yield what the conversation says and the rendered text does not.

    Args:
        reading: The conversation.
        text: What the template wrote.
        model: How the model is named.
    """
    messages = plain_messages(reading.row["messages"])
    end = 0
    for place, message in zip(reading.places, messages, strict=True):
        said = message["content"].strip()
        at = text.find(said, end)
        end = end if at < 0 else at + len(said)
        # Templates write in order, but for a few that move the system message.
        if at < 0 and text.count(said) < sum(said in one["content"] for one in messages):
            yield Finding(
                rule="template.dropped",
                path=place,
                message=f"the chat template of {model} leaves out this {message['role']} message, "
                "or a part of it",
                fix="Put its text where the template writes it, or give another template.",
            )
            return
        key = "tool_calls" if message.get("tool_calls") else "function_call"
        if any(not _stands(name, text) for name in _names(_calls(message))):
            yield Finding(
                rule="template.dropped",
                path=(*place, key),
                message=f"the chat template of {model} leaves out the calls of this message",
                fix="Write calls as text, or choose a model whose template knows tools.",
            )
            return
    if any(not _stands(name, text) for name in _names(reading.row.get("tools"))):
        yield Finding(
            rule="template.dropped",
            path=reading.tools,
            key=True,
            message=f"the chat template of {model} leaves out the declared tools",
            fix="Describe the tools in a message, or choose a model whose template knows tools.",
        )


def _stands(name: str, text: str) -> bool:
    """Say whether a name stands in a text by itself, not within another word."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _calls(message: dict[str, Any]) -> object:
    """Return a message's calls; the deprecated one as if it were one of them."""
    legacy = {"function": message.get("function_call")}
    return message.get("tool_calls") or [legacy]


def _names(items: object) -> Iterator[str]:
    """Yield the names of functions, as far as tools or calls are what the format asks for."""
    several: Iterable[Any] = items if isinstance(items, list) else ()
    for item in several:
        function = item.get("function") if isinstance(item, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str):
            yield name


def _refused_message(chat: ChatTemplate, reading: Reading) -> int:
    """Return the index of the message at which the template refuses the conversation."""
    messages = plain_messages(reading.row["messages"])
    tools = reading.row.get("tools")
    for count in range(1, len(messages)):
        try:
            chat.render(messages[:count], tools=tools)
        except TemplateRefusal:
            # A template may also refuse what only ends too early: that is no fault of the row.
            if count > 1 or _ends_early(chat, messages, tools):
                return count - 1
    return len(messages) - 1


def _ends_early(chat: ChatTemplate, messages: list[dict[str, Any]], tools: object) -> bool:
    """Say whether a second message does not help either."""
    try:
        chat.render(messages[:2], tools=tools)
    except TemplateRefusal:
        return True
    return False
