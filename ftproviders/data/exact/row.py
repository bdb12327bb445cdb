"""A supervised row as a whole: its shape, its keys, and the order of its conversation."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from ftproviders.data.exact.document import Document
from ftproviders.data.exact.message import check_message
from ftproviders.data.exact.pairing import check_calls
from ftproviders.data.exact.tools import check_functions, check_tools
from ftproviders.data.findings import Finding, JsonPath, show

__all__ = ["check_document", "check_row"]

_ROW_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")

_OTHER_SHAPES = (
    (("input", "preferred_output"), "a preference row; use the method dpo"),
    (("chosen", "rejected"), "a preference row in TRL's shape, not a supervised row"),
    (("conversations",), "a ShareGPT row"),
    (("instruction", "output"), "an Alpaca row"),
    (("prompt", "completion"), "a prompt/completion row"),
    (("text",), "a plain text row"),
)


def check_document(document: Document) -> Iterator[Finding]:
    """Yield what is wrong with a line: as JSON, then as a supervised row."""
    yield from document.findings
    if document.readable:
        for finding in check_row(document.value):
            if not document.is_constant(finding.path):
                yield finding


def check_row(row: object) -> Iterator[Finding]:
    """Yield everything that the rules for supervised rows find in a decoded row."""
    if not isinstance(row, dict):
        yield Finding(
            rule="row.object",
            message=f"the row is {_kind(row)}, not an object",
            fix='Write each row as {"messages": [...]}.',
        )
        return
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        yield _messages_finding(row)
        return
    yield from _row_keys(row)
    for index, message in enumerate(messages):
        yield from check_message(message, ("messages", index))
    yield from _order([m if isinstance(m, dict) else {} for m in messages])
    yield from check_calls(messages, row.get("tools"))


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else show(value)


def _messages_finding(row: dict[str, Any]) -> Finding:
    """Say what a row without a conversation looks like instead."""
    if "messages" in row:
        return Finding(
            rule="row.messages",
            path=("messages",),
            message=f"`messages` is {_kind(row['messages'])}, not a non-empty list",
            fix='Write a list of {"role": ..., "content": ...}.',
        )
    for keys, shape in _OTHER_SHAPES:
        if all(key in row for key in keys):
            return Finding(
                rule="row.messages",
                message=f"the row has no `messages`; it looks like {shape}",
                fix="Turn it into messages: a user message with the question, an assistant "
                "message with the answer.",
            )
    near = difflib.get_close_matches("messages", [key for key in row if len(key) < 64], n=1)
    fix = f"Rename {show(near[0])} to messages." if near else 'Write {"messages": [...]}.'
    return Finding(rule="row.messages", message="the row has no `messages`", fix=fix)


def _row_keys(row: dict[str, Any]) -> Iterator[Finding]:
    for key, value in row.items():
        path: JsonPath = (key,)
        if key not in _ROW_KEYS:
            yield Finding(
                rule="row.unknown_key",
                path=path,
                key=True,
                message=f"the key {show(key)} is not part of the format",
                fix=f"Leave it out; known keys are {', '.join(_ROW_KEYS)}.",
            )
        elif value is None:
            yield Finding(
                rule="row.null",
                path=path,
                message=f"`{key}` is null",
                fix="Leave the key out.",
            )
    if row.get("tools") is not None:
        yield from check_tools(row["tools"], ("tools",))
    if row.get("functions") is not None:
        yield from check_functions(row["functions"], ("functions",))
    parallel = row.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        yield Finding(
            rule="row.parallel_tool_calls",
            path=("parallel_tool_calls",),
            message=f"`parallel_tool_calls` is {show(parallel)}",
            fix="Write true or false.",
        )


def _order(messages: list[dict[str, Any]]) -> Iterator[Finding]:
    """Look at who speaks when. `messages` has an empty object for what is no message."""
    roles = [message.get("role") for message in messages]
    last: JsonPath = ("messages", len(messages) - 1)
    for index in range(1, len(roles)):
        if roles[index] == roles[index - 1] == "assistant":
            yield Finding(
                rule="row.consecutive_assistant",
                path=("messages", index),
                message="two assistant messages follow each other",
                fix="Join them, or put the user's message between them.",
            )
    if not _all_known(roles):
        return
    if "assistant" not in roles:
        yield Finding(
            rule="row.no_assistant",
            path=("messages",),
            message="the row has no assistant message",
            fix="Add the answer that the model is to learn, or drop the row.",
        )
    elif roles[-1] != "assistant":
        yield Finding(
            rule="row.last_message",
            path=last,
            message=f"the row ends with a message of role {show(roles[-1])}",
            fix="End with the assistant's answer; nothing after it is trained on.",
        )
    elif all(_is_zero(m.get("weight")) for m in messages if m.get("role") == "assistant"):
        yield Finding(
            rule="row.weights",
            path=("messages",),
            message="every assistant message has weight 0",
            fix="Give weight 1 to what is to be learned, or drop the row.",
        )


def _all_known(roles: Iterable[object]) -> bool:
    """Say whether every role is text: without that, the order says nothing."""
    return all(isinstance(role, str) for role in roles)


def _is_zero(weight: object) -> bool:
    return weight == 0 and isinstance(weight, int) and not isinstance(weight, bool)
