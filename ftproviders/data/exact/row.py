"""A row as a whole: what it is, its keys, and the order of its conversation."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ftproviders.data.exact.completion import COMPLETIONS, check_completion, other_shape
from ftproviders.data.exact.pair import check_pair
from ftproviders.data.exact.pairing import check_calls, check_deprecated_calls
from ftproviders.data.exact.parts import check_conversation, check_row_keys, kind
from ftproviders.data.findings import Finding, JsonPath, show
from ftproviders.data.rule import PAIRS
from ftproviders.data.shapes import Shape, columns_flag, shape_of, suggest_columns
from ftproviders.schema.hyperparameters import Method

__all__ = ["check_row"]

_ROW_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")

_OTHER_SHAPES = (
    (("input", "preferred_output"), "a preference row; use the method dpo"),
    (("chosen", "rejected"), "a preference row in TRL's shape, not a supervised row"),
    (("conversations",), "a ShareGPT row"),
    (("instruction", "output"), "an Alpaca row"),
    (("prompt", "completion"), "a prompt/completion row"),
    (("text",), "a plain text row"),
)


def check_row(
    row: object,
    *,
    method: Method = Method.SUPERVISED,
    shapes: Collection[str] = (Shape.MESSAGES, Shape.PREFERENCE),
) -> Iterator[Finding]:
    """Yield everything that the rules for rows of `method` find in a decoded row.

    Args:
        row: The decoded row.
        method: Training method that the row is for.
        shapes: Shapes that any of the providers looked at takes.
    """
    if not isinstance(row, dict):
        wanted = '{"input": ...}' if method in PAIRS else '{"messages": [...]}'
        yield Finding(
            rule="row.object",
            message=f"the row is {kind(row)}, not an object",
            fix=f"Write each row as {wanted}.",
        )
    elif method in PAIRS:
        yield from check_pair(row, shapes)
    elif method is Method.SUPERVISED and "messages" not in row and _fits(row, shapes):
        yield from check_completion(row)
        yield _messages_finding(row, method)  # for the providers that do not take the shape
    else:
        yield from _check_messages(row, method)


def _fits(row: dict[str, Any], shapes: Collection[str]) -> bool:
    """Say whether a row is one without messages that a provider takes."""
    return other_shape(row) in COMPLETIONS.intersection(shapes)


def _check_messages(row: dict[str, Any], method: Method) -> Iterator[Finding]:
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        yield _messages_finding(row, method)
        return
    yield from check_row_keys(row, _ROW_KEYS if method is Method.SUPERVISED else None)
    yield from check_conversation(messages, ("messages",))
    if method is Method.SUPERVISED:
        yield from _order([m if isinstance(m, dict) else {} for m in messages])
    else:
        yield from _graded(row, messages)
    yield from check_calls(messages, row.get("tools"))
    yield from check_deprecated_calls(messages, row.get("functions"))


def _graded(row: dict[str, Any], messages: list[Any]) -> Iterator[Finding]:
    """Look at what a grader needs: a question at the end, and something to hold answers against."""
    role = messages[-1].get("role") if isinstance(messages[-1], dict) else None
    if isinstance(role, str) and role != "user":
        yield Finding(
            rule="grader.last_message",
            path=("messages", len(messages) - 1),
            message=f"the row ends with a message of role {show(role)}",
            fix="End with the question; put the right answer into a field for the grader.",
        )
    if row.keys() <= set(_ROW_KEYS):
        yield Finding(
            rule="grader.reference",
            message="the row has no field for the grader",
            fix='Add what a right answer is, for instance "reference_answer": "...".',
        )


_PAIRS = frozenset({Shape.PREFERENCE.value, Shape.CHOSEN_REJECTED.value})
_PAIR_FIX = (
    "To learn from preferences, use --method dpo (in Python method='dpo'); to learn the preferred "
    "answers alone: ftproviders data convert FILE --to messages --out NEW_FILE."
)


_TURN_FIX = (
    "Turn it into messages: a user message with the question, an assistant message with the answer."
)
_CONVERT_FIX = "Convert it: ftproviders data convert FILE --out NEW_FILE"
_CONVERTED = frozenset({Shape.PROMPT_COMPLETION.value, Shape.ALPACA.value, Shape.SHAREGPT.value})


def _messages_finding(row: dict[str, Any], method: Method) -> Finding:
    """Say what a row without a conversation looks like instead."""
    if "messages" in row:
        return Finding(
            rule="row.messages",
            path=("messages",),
            message=f"`messages` is {kind(row['messages'])}, not a non-empty list",
            fix='Write a list of {"role": ..., "content": ...}.',
        )
    own = other_shape(row)
    # Who takes rows without messages takes them for supervised training alone.
    spared = own if method is Method.SUPERVISED and own in COMPLETIONS else ""
    for keys, shape in _OTHER_SHAPES:
        if all(key in row for key in keys):
            fix = _TURN_FIX
            if own in _PAIRS:
                fix = _PAIR_FIX
            elif shape_of(row) in _CONVERTED:
                fix = _CONVERT_FIX
            return Finding(
                rule="row.messages",
                shape=spared,
                message=f"the row has no `messages`; it looks like {shape}",
                fix=fix,
            )
    for key, value in row.items():
        first = value[0] if isinstance(value, list) and value else None
        if isinstance(first, dict) and shape_of(first) is not None:
            return Finding(
                rule="row.messages",
                path=(key,),
                message=f"the row has no `messages`; {show(key)} holds a list of rows",
                fix="Write each row of that list on a line of its own.",
            )
    return _shapeless_finding(row)


def _shapeless_finding(row: dict[str, Any]) -> Finding:
    """Say what a row may be whose keys are those of no shape."""
    texts = [key for key, value in row.items() if isinstance(value, str)]
    columns = suggest_columns(texts, only_named=True)
    if columns:
        return Finding(
            rule="row.messages",
            message="the row has no `messages`; it looks like a question and its answer",
            fix=f"Convert it: ftproviders data convert FILE {columns_flag(columns)} --out NEW_FILE",
        )
    near = difflib.get_close_matches("messages", [key for key in row if len(key) < 64], n=1)
    fix = f"Rename {show(near[0])} to messages." if near else 'Write {"messages": [...]}.'
    return Finding(rule="row.messages", message="the row has no `messages`", fix=fix)


def _order(messages: list[dict[str, Any]]) -> Iterator[Finding]:
    """Look at who speaks when. `messages` has an empty object for what is no message."""
    roles = [message.get("role") for message in messages]
    last: JsonPath = ("messages", len(messages) - 1)
    for index in range(1, len(roles) if roles.count("assistant") > 1 else 0):
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
    return set(map(type, roles)) == {str}


def _is_zero(weight: object) -> bool:
    return weight == 0 and isinstance(weight, int) and not isinstance(weight, bool)
