"""What a chat template does with kinds of messages, tried on made-up conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftproviders.data.template.chat import ChatTemplate, TemplateRefusal
from ftproviders.data.template.messages import plain_messages
from ftproviders.schema.template import Treatment

__all__ = ["spare_tokens", "treatments"]

_SPARE_TOKENS = 64

Messages = list[dict[str, Any]]


def _say(role: str, word: str) -> dict[str, Any]:
    return {"role": role, "content": word}


_TOOL = {"type": "function", "function": {"name": "probing_tool", "description": "d", "parameters":
         {"type": "object", "properties": {"x": {"type": "integer"}}}}}  # fmt: skip
_CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": "probing_tool", "arguments": '{"x": 1}'},
        }
    ],
}
_USER, _ANSWER = _say("user", "alpha"), _say("assistant", "omega")
_PROBES: Mapping[str, tuple[Messages, Sequence[str], bool]] = {
    "system": ([_say("system", "kappa"), _USER, _ANSWER], ("kappa",), False),
    "developer": ([_say("developer", "kappa"), _USER, _ANSWER], ("kappa",), False),
    "tools": ([_USER, _ANSWER], ("probing_tool",), True),
    "tool answers": (
        [_USER, _CALL, {**_say("tool", "kappa"), "tool_call_id": "call00001"}, _ANSWER],
        ("probing_tool", "kappa", "omega"),
        True,
    ),
    "user twice": ([_say("user", "kappa"), _USER, _ANSWER], ("kappa", "alpha"), False),
    "assistant twice": ([_USER, _say("assistant", "kappa"), _ANSWER], ("kappa", "omega"), False),
}
"""Kind -> made-up conversation, words that must come out, whether a tool is declared."""


def treatments(chat: ChatTemplate) -> dict[str, Treatment]:
    """Return what a template does with each kind of message or row."""
    return {kind: _treatment(chat, *probe) for kind, probe in _PROBES.items()}


def _treatment(
    chat: ChatTemplate, messages: Messages, words: Sequence[str], with_tool: bool
) -> Treatment:
    tools = [_TOOL] if with_tool else None
    try:
        text = chat.render(plain_messages(messages), tools=tools)
    except TemplateRefusal:
        return "refused"
    return "kept" if all(word in text for word in words) else "dropped"


def spare_tokens(chat: ChatTemplate) -> int:
    """Return how many tokens a row may have beyond its bytes: what the template adds by itself."""
    most = 0
    for messages, _, with_tool in _PROBES.values():
        try:
            text = chat.render(plain_messages(messages), tools=[_TOOL] if with_tool else None)
        except TemplateRefusal:
            continue
        most = max(most, chat.count(text))
    return most + _SPARE_TOKENS
