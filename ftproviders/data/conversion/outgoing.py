"""From a row of messages or of a preference to the shape that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftproviders.data.conversion.incoming import Chat, RowProblem, is_preference
from ftproviders.data.shapes import Shape

__all__ = ["NO_REJECTED", "default_target", "lost_keys", "write_row"]

NO_REJECTED = "the row has no rejected answer, so it is no preference"

_PREFERENCE_KEYS = {"input", "preferred_output", "non_preferred_output"}
_NAMES = {"user": "human", "assistant": "gpt", "system": "system", "developer": "system"}


def default_target(chat: Chat) -> Shape:
    """Return what a row is written as when the user does not say."""
    return Shape.PREFERENCE if is_preference(chat) else Shape.MESSAGES


def write_row(chat: Chat, target: Shape, columns: Mapping[str, str]) -> dict[str, Any]:
    """Write a row in the shape `target`.

    Args:
        chat: A row of messages or of a preference.
        target: Shape to write.
        columns: Role -> column name, for `Shape.COLUMNS`.

    Raises:
        RowProblem: The row holds something that the shape has no place for.
    """
    if target in {Shape.PREFERENCE, Shape.CHOSEN_REJECTED}:
        if not is_preference(chat):
            raise RowProblem(NO_REJECTED)
        return chat if target is Shape.PREFERENCE else _chosen_rejected(chat)
    if is_preference(chat):
        chat = {**chat["input"], "messages": chat["input"]["messages"] + chat["preferred_output"]}
    if target is Shape.MESSAGES:
        return chat
    if target is Shape.COLUMNS:
        return _columns(chat, columns)
    return _WRITERS[target](chat)


def lost_keys(chat: Chat, target: Shape) -> set[str]:
    """Return the keys of a row that stand beside what `target` has a place for."""
    if not is_preference(chat):
        return set() if target is Shape.MESSAGES else chat.keys() - {"messages"}
    if target is Shape.PREFERENCE:
        return set()
    lost = chat.keys() - _PREFERENCE_KEYS
    if target is not Shape.MESSAGES:
        lost |= {f"input.{key}" for key in chat["input"] if key != "messages"}
    return lost


def _chosen_rejected(chat: Chat) -> dict[str, Any]:
    _refuse_tools(chat["input"])
    return {
        "prompt": chat["input"]["messages"],
        "chosen": chat["preferred_output"],
        "rejected": chat["non_preferred_output"],
    }


def _refuse_tools(chat: Chat) -> None:
    for key in ("tools", "functions"):
        if chat.get(key):
            raise RowProblem(f"the row has {key}, for which this shape has no place")


def _texts(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return role and text of each message."""
    told: list[tuple[str, str]] = []
    for index, message in enumerate(messages):
        for key in message:
            if key not in {"role", "content"} and message[key] is not None:
                raise RowProblem(f"messages[{index}] has {key!r}, for which there is no place")
        content = message.get("content")
        if isinstance(content, list) and all(map(_is_text, content)):
            content = "".join(part["text"] for part in content)
        if not isinstance(content, str):
            raise RowProblem(f"messages[{index}] holds more than text")
        told.append((message["role"], content))
    return told


def _is_text(part: object) -> bool:
    if not isinstance(part, Mapping) or part.get("type") != "text":
        return False
    return isinstance(part.get("text"), str)


def _turns(chat: Chat) -> tuple[str, list[tuple[str, str]]]:
    """Return the system's text and pairs of question and answer."""
    _refuse_tools(chat)
    told = _texts(chat["messages"])
    system = ""
    if told and told[0][0] in {"system", "developer"}:
        system = told.pop(0)[1]
    roles = [role for role, _ in told]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        raise RowProblem("the messages are not questions and answers in turn")
    return system, [(told[i][1], told[i + 1][1]) for i in range(0, len(told), 2)]


def _single(chat: Chat) -> tuple[str, str, str]:
    system, pairs = _turns(chat)
    if len(pairs) != 1:
        raise RowProblem(f"the row has {len(pairs)} questions; this shape holds one")
    return system, *pairs[0]


def _columns(chat: Chat, columns: Mapping[str, str]) -> dict[str, Any]:
    system, asked, answered = _single(chat)
    names = dict(columns) or {"user": "user", "assistant": "assistant"}
    names.setdefault("user", names.pop("prompt", ""))
    for role in ("user", "assistant"):
        if not names.get(role):
            raise RowProblem(f"no column is stated for the {role}'s message")
    row = {"system": system, "user": asked, "assistant": answered}
    if system and "system" not in names and columns:
        raise RowProblem("the row has a system message, and no column is stated for it")
    if system and not columns:
        names = {"system": "system", **names}
    return {names[role]: row[role] for role in ("system", "user", "assistant") if role in names}


def _prompt_completion(chat: Chat) -> dict[str, Any]:
    system, asked, answered = _single(chat)
    if system:
        raise RowProblem("the row has a system message, for which this shape has no place")
    return {"prompt": asked, "completion": answered}


def _alpaca(chat: Chat) -> dict[str, Any]:
    system, pairs = _turns(chat)
    row: dict[str, Any] = {"instruction": pairs[-1][0], "input": "", "output": pairs[-1][1]}
    if system:
        row["system"] = system
    if len(pairs) > 1:
        row["history"] = [list(pair) for pair in pairs[:-1]]
    return row


def _sharegpt(chat: Chat) -> dict[str, Any]:
    _refuse_tools(chat)
    turns = []
    for role, text in _texts(chat["messages"]):
        if role not in _NAMES:
            raise RowProblem(f"the role {role!r} has no place in this shape")
        turns.append({"from": _NAMES[role], "value": text})
    return {"conversations": turns}


_WRITERS: Mapping[Shape, Callable[[Chat], dict[str, Any]]] = {
    Shape.PROMPT_COMPLETION: _prompt_completion,
    Shape.ALPACA: _alpaca,
    Shape.SHAREGPT: _sharegpt,
}
