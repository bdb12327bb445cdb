"""What a chat template does with kinds of messages, tried on made-up conversations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftproviders.data.template.chat import ChatTemplate, TemplateRefusal
from ftproviders.data.template.messages import plain_messages
from ftproviders.schema.template import Treatment

__all__ = ["AnswerForm", "answer_form", "kinds_of", "spare_tokens", "treatments"]

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


def kinds_of(row: Mapping[str, Any]) -> set[str]:
    """Return which of the kinds of `treatments` a row has."""
    # Rows that are no chats come here too; other rules say so.
    messages = [message for message in row["messages"] if isinstance(message, Mapping)]
    roles = [str(message.get("role")) for message in messages]
    found = {f"{one} twice" for one, other in itertools.pairwise(roles) if one == other}
    found |= set(roles)
    if row.get("tools"):
        found.add("tools")
    if "tool" in roles:
        found.add("tool answers")
    return found & _PROBES.keys()


@dataclass(frozen=True)
class AnswerForm:
    """How a template frames the assistant's words."""

    opens: bool = True
    """False when it does not write what stands before them where an answer is asked for."""
    ends: bool = True
    """False when no special token is learned after them."""


def answer_form(chat: ChatTemplate) -> AnswerForm:
    """Try what a template writes before and after the assistant's words."""
    try:
        asked = chat.render(plain_messages([_USER]), prompt=True)
        told = chat.render(plain_messages([_USER, _ANSWER]))
        shown = chat.show([_USER, _ANSWER])
    except TemplateRefusal:
        return AnswerForm()  # the findings in the rows say so
    if not told.startswith(asked) or "omega" not in told[len(asked) :]:
        return AnswerForm()
    before, after = told[len(asked) :].split("omega", 1)[0], shown.rpartition("omega")[2]
    learned = after.partition("⟧")[0]
    return AnswerForm(
        opens=not before.strip(), ends=any(end in learned for end in chat.special_tokens())
    )


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
