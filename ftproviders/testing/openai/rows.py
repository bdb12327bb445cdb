"""The service's own look at a training file: what makes a job fail while it validates.

Written apart from `ftproviders.data`, so that a mistake there is not repeated here. It knows the
rules that a job breaks on, not every warning that a person would want.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Inspection", "inspect"]

_LEAST_EXAMPLES = 10
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_MESSAGE_KEYS = frozenset(
    {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal"}
)
_SHOWN = 5


class _WrongRowError(Exception):
    """What is wrong with a row."""


@dataclass(frozen=True)
class Inspection:
    """What the service found."""

    rows: int
    tokens: int
    """Rough: a token is four bytes of text."""
    error: Mapping[str, str | None] | None
    """``code``, ``message`` and ``param`` of the error of a job with this file."""


def inspect(path: Path, method: str, *, param: str = "training_file") -> Inspection:
    """Read a file as a job with `method` would.

    Args:
        path: The file.
        method: ``supervised``, ``dpo`` or ``reinforcement``.
        param: Which file of the job it is; only a training file needs ten examples.
    """
    check = _CHECKS[method]
    rows = size = 0
    wrong: list[int] = []
    words = ""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            rows += 1
            size += len(line)
            try:
                check(_row(line, first=number == 1))
            except _WrongRowError as error:
                wrong.append(number)
                words = words or str(error)
    return Inspection(rows, size // 4, _verdict(rows, wrong, words, param))


def _verdict(rows: int, wrong: list[int], words: str, param: str) -> dict[str, str | None] | None:
    noun = param.replace("_", " ")
    if wrong:
        lines = ", ".join(str(number) for number in wrong[:_SHOWN])
        more = ", ..." if len(wrong) > _SHOWN else ""
        message = (
            f"The job failed due to an invalid {noun}. Invalid file format. "
            f"Line(s) {lines}{more}: {words}"
        )
        return {"code": f"invalid_{param}", "message": message, "param": param}
    least = _LEAST_EXAMPLES if param == "training_file" else 1
    if rows < least:
        message = (
            f"The job failed due to an invalid {noun}. {noun.capitalize()} has {rows} example(s), "
            f"but must have at least {least} examples."
        )
        code = "invalid_n_examples" if rows else f"invalid_{param}"
        return {"code": code, "message": message, "param": param}
    return None


def _row(line: bytes, *, first: bool) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig" if first else "utf-8"))
    except (ValueError, RecursionError):
        raise _WrongRowError("the line is not valid JSON") from None
    if not isinstance(row, dict):
        raise _WrongRowError("the line is not a JSON object")
    return row


def _check_supervised(row: Mapping[str, Any]) -> None:
    _only(row, {"messages", "tools", "functions", "parallel_tool_calls"})
    messages = _messages(row.get("messages"), "messages")
    if all(message["role"] != "assistant" for message in messages):
        raise _WrongRowError("an example must have a message of the assistant")
    if messages[-1]["role"] != "assistant":
        raise _WrongRowError("the last message must be from the assistant")


def _check_dpo(row: Mapping[str, Any]) -> None:
    _only(row, {"input", "preferred_output", "non_preferred_output"})
    prompt = row.get("input")
    if not isinstance(prompt, dict):
        raise _WrongRowError("missing key 'input'")
    _only(prompt, {"messages", "tools", "parallel_tool_calls"})
    _messages(prompt.get("messages"), "input.messages")
    for key in ("preferred_output", "non_preferred_output"):
        if all(message["role"] != "assistant" for message in _messages(row.get(key), key)):
            raise _WrongRowError(f"'{key}' must have a message of the assistant")


def _check_reinforcement(row: Mapping[str, Any]) -> None:
    # Further keys are the items that graders refer to.
    messages = _messages(row.get("messages"), "messages")
    if messages[-1]["role"] == "assistant":
        raise _WrongRowError("the last message must not be from the assistant")


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "supervised": _check_supervised,
    "dpo": _check_dpo,
    "reinforcement": _check_reinforcement,
}


def _only(row: Mapping[str, Any], known: set[str]) -> None:
    for key in row:
        if key not in known:
            raise _WrongRowError(f"unexpected key '{key}'")


def _messages(messages: object, name: str) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise _WrongRowError(f"missing key '{name}', or it is no list of messages")
    for message in messages:
        _check_message(message)
    return messages


def _check_message(message: object) -> None:
    if not isinstance(message, dict):
        raise _WrongRowError("a message is not a JSON object")
    _only(message, set(_MESSAGE_KEYS))
    if message.get("role") not in _ROLES:
        raise _WrongRowError(f"unknown role {message.get('role')!r}")
    calls = message.get("tool_calls") or message.get("function_call") or message.get("refusal")
    content = message.get("content")
    if not isinstance(content, (str, list)) and not (message["role"] == "assistant" and calls):
        raise _WrongRowError("the content of a message must be text or a list of parts")
    if "weight" in message and (message["role"] != "assistant" or message["weight"] not in (0, 1)):
        raise _WrongRowError("'weight' is 0 or 1, and only for messages of the assistant")
