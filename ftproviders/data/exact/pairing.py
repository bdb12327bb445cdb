"""Calls across a conversation: are they declared, do they fit, is each one answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ftproviders.data.exact.json_text import Known, parse_json_text, schema_problems
from ftproviders.data.findings import Finding, JsonPath, show

__all__ = ["check_calls", "check_deprecated_calls", "declared_functions"]


def declared_functions(tools: object, *, deprecated: bool = False) -> dict[str, object] | None:
    """Return function name -> declared parameters; None when nothing is declared.

    Args:
        tools: The ``tools`` of a row.
        deprecated: They are its ``functions``.
    """
    if not isinstance(tools, list):
        return None
    declared: dict[str, object] = {}
    for tool in tools:
        inner = tool.get("function") if isinstance(tool, dict) else None
        function = tool if deprecated else inner
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            declared[function["name"]] = function.get("parameters")
    return declared


def check_calls(
    messages: Sequence[object], tools: object, places: Sequence[JsonPath] | None = None
) -> Iterator[Finding]:
    """Yield what is wrong between the calls, their answers and the declared `tools`.

    Args:
        messages: The conversation.
        tools: What the row declares.
        places: Where each message is; default ``messages[0]``, ``messages[1]`` ...
    """
    if not any(map(_is_calling, messages)):
        return
    places = places or [("messages", index) for index in range(len(messages))]
    declared = declared_functions(tools)
    known: Known = {}
    pending: dict[str, JsonPath] = {}
    ending = places[-1] if places else ()
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            continue
        if message.get("role") == "tool":
            yield from _answer(message, places[index], pending)
        elif message.get("role") == "assistant":
            for path, call in _calls(message, places[index]):
                yield from _open(call, path, pending)
                function, place = call.get("function"), (*path, "function")
                yield from _fits(function, place, declared, known, "tools")
    for path in pending.values():
        if path[: len(ending)] != ending:
            yield Finding(
                rule="tool_call.unanswered",
                path=path,
                message="the call is never answered",
                fix="Add a tool message with its id, or end the row with the call.",
            )


def check_deprecated_calls(messages: Sequence[object], functions: object) -> Iterator[Finding]:
    """Yield what is wrong between calls in ``function_call`` and a row's ``functions``."""
    declared = declared_functions(functions, deprecated=True)
    if declared is None:
        return
    known: Known = {}
    for index, message in enumerate(messages):
        if isinstance(message, dict) and message.get("role") == "assistant":
            path = ("messages", index, "function_call")
            yield from _fits(message.get("function_call"), path, declared, known, "functions")


def _is_calling(message: object) -> bool:
    """Say whether a message has to do with calls at all."""
    return isinstance(message, dict) and ("tool_calls" in message or message.get("role") == "tool")


def _calls(message: dict[str, Any], path: JsonPath) -> Iterator[tuple[JsonPath, dict[str, Any]]]:
    calls = message.get("tool_calls")
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict):
            yield (*path, "tool_calls", index), call


def _open(call: dict[str, Any], path: JsonPath, pending: dict[str, JsonPath]) -> Iterator[Finding]:
    call_id = call.get("id")
    if not isinstance(call_id, str) or not call_id:
        return
    if call_id in pending:
        yield Finding(
            rule="tool_call.duplicate_id",
            path=(*path, "id"),
            message=f"the id {show(call_id)} belongs to another call that is still open",
            fix="Give each call an id of its own.",
        )
    pending[call_id] = path


def _answer(
    message: dict[str, Any], path: JsonPath, pending: dict[str, JsonPath]
) -> Iterator[Finding]:
    call_id = message.get("tool_call_id")
    if isinstance(call_id, str) and call_id in pending:
        del pending[call_id]
        return
    if call_id is None:
        what = "the tool message has no `tool_call_id`"
    else:
        what = f"no open call above has the id {show(call_id)}"
    yield Finding(
        rule="tool.answer",
        path=(*path, "tool_call_id") if "tool_call_id" in message else path,
        message=what,
        fix="Name the id of the call that this message answers.",
    )


def _fits(
    function: object,
    path: JsonPath,
    declared: dict[str, object] | None,
    known: Known,
    where: str,
) -> Iterator[Finding]:
    """Look at a called function: is it declared, and do the arguments fit."""
    if declared is None or not isinstance(function, dict):
        return
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str):
        return
    if name not in declared:
        yield Finding(
            rule="tool_call.undeclared",
            path=(*path, "name"),
            message=f"the function {show(name)} is not among the row's {where}",
            fix=f"Declare it in `{where}`, or call one that is declared.",
        )
        return
    if not isinstance(arguments, str):
        return
    try:
        value = parse_json_text(arguments)
    except ValueError:
        return
    schema = declared[name]
    problem = next(schema_problems(value, schema if schema is not None else {}, known=known), None)
    if problem:
        yield Finding(
            rule="tool_call.schema",
            path=(*path, "arguments"),
            message=f"the arguments do not fit the declared parameters: {problem}",
            fix="Correct the arguments or the declaration.",
        )
