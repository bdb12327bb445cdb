"""Declared tools, and the calls in an assistant's message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ftproviders.data.exact.json_text import holds_json
from ftproviders.data.exact.schema import schema_faults
from ftproviders.data.findings import Finding, JsonPath, show
from ftproviders.data.rules import MAX_DEPTH, SPECIAL_TOKENS

__all__ = ["NAME", "check_functions", "check_tool_calls", "check_tools"]

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of people and functions, to be matched in full."""

_NAME_FIX = "Use 1 to 64 of the characters A-Z a-z 0-9 _ and -."
_TOOL_FIX = 'Write {"type": "function", "function": {"name": ..., "parameters": {...}}}.'
_CALL_FIX = (
    'Write {"id": ..., "type": "function", "function": {"name": ..., "arguments": "{...}"}}.'
)


def check_tools(tools: object, path: JsonPath) -> Iterator[Finding]:
    """Yield what is wrong with a row's ``tools``."""
    if not isinstance(tools, list):
        yield _shape("tool.shape", path, f"`tools` is {show(tools)}, not a list", _TOOL_FIX)
        return
    for index, tool in enumerate(tools):
        place = (*path, index)
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or not isinstance(function, dict):
            yield _shape("tool.shape", place, "the tool has no object `function`", _TOOL_FIX)
            continue
        if tool.get("type") != "function":
            at = (*place, "type") if "type" in tool else place
            found = show(tool.get("type")) if "type" in tool else "missing"
            yield _shape("tool.shape", at, f"`type` of the tool is {found}", _TOOL_FIX)
        yield from _unknown_keys(tool, {"type", "function"}, place)
        yield from _declaration(function, (*place, "function"))


def check_functions(functions: object, path: JsonPath) -> Iterator[Finding]:
    """Yield what is wrong with a row's deprecated ``functions``."""
    yield Finding(
        rule="row.deprecated",
        path=path,
        message="`functions` is deprecated",
        fix="Use `tools`.",
    )
    if not isinstance(functions, list):
        yield _shape("tool.shape", path, f"`functions` is {show(functions)}, not a list", "")
        return
    for index, function in enumerate(functions):
        if isinstance(function, dict):
            yield from _declaration(function, (*path, index))
        else:
            yield _shape("tool.shape", (*path, index), "the function is not an object", "")


def _shape(rule: str, path: JsonPath, message: str, fix: str) -> Finding:
    return Finding(rule=rule, path=path, message=message, fix=fix or "Write a list of objects.")


def _unknown_keys(item: dict[str, Any], known: set[str], path: JsonPath) -> Iterator[Finding]:
    for key in item:
        if key not in known:
            yield Finding(
                rule="message.unknown_key",
                path=(*path, key),
                key=True,
                message=f"the key {show(key)} is not part of the format",
                fix=f"Leave it out; known keys are {', '.join(sorted(known))}.",
            )


def _declaration(function: dict[str, Any], path: JsonPath) -> Iterator[Finding]:
    """Look at one declared function."""
    yield from _function_name(function, path, "tool.name")
    yield from _unknown_keys(function, {"name", "description", "parameters", "strict"}, path)
    for key, kind in (("description", str), ("strict", bool)):
        value = function.get(key)
        if value is not None and not isinstance(value, kind):
            yield _shape("tool.shape", (*path, key), f"`{key}` is {show(value)}", _TOOL_FIX)
    yield from _tokens_inside(function, path)
    if "parameters" not in function:
        return
    for fault in schema_faults(function["parameters"]):
        yield Finding(
            rule="tool.parameters",
            path=(*path, "parameters", *fault.path),
            message=fault.message,
            fix=fault.fix,
        )
        return


def _tokens_inside(value: object, path: JsonPath) -> Iterator[Finding]:
    """Yield control tokens in the texts of a declaration: they stand in the prompt, too."""
    if isinstance(value, str):
        yield from _special(value, path, "the declaration holds")
    elif len(path) <= MAX_DEPTH and isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _tokens_inside(one, (*path, key))


def _function_name(function: dict[str, Any], path: JsonPath, rule: str) -> Iterator[Finding]:
    name = function.get("name")
    if isinstance(name, str) and NAME.fullmatch(name):
        return
    found = show(name) if "name" in function else "missing"
    yield Finding(
        rule=rule,
        path=(*path, "name") if "name" in function else path,
        message=f"the name of the function is {found}",
        fix=_NAME_FIX,
    )


def check_tool_calls(message: dict[str, Any], path: JsonPath) -> Iterator[Finding]:
    """Yield what is wrong with the calls of an assistant's message, each by itself."""
    legacy = message.get("function_call")
    if legacy is not None:
        yield from _called(legacy, (*path, "function_call"))
    calls = message.get("tool_calls")
    if calls is None:
        return
    place = (*path, "tool_calls")
    if not isinstance(calls, list) or not calls:
        yield _shape("tool_call.shape", place, f"`tool_calls` is {show(calls)}", _CALL_FIX)
        return
    for index, call in enumerate(calls):
        yield from _call(call, (*place, index))


def _call(call: object, path: JsonPath) -> Iterator[Finding]:
    if not isinstance(call, dict):
        yield _shape("tool_call.shape", path, f"the call is {show(call)}", _CALL_FIX)
        return
    call_id = call.get("id")
    if not isinstance(call_id, str) or not call_id:
        at = (*path, "id") if "id" in call else path
        yield _shape("tool_call.shape", at, "the call has no `id`", _CALL_FIX)
    if call.get("type") != "function":
        at = (*path, "type") if "type" in call else path
        found = show(call.get("type")) if "type" in call else "missing"
        yield _shape("tool_call.shape", at, f"`type` of the call is {found}", _CALL_FIX)
    yield from _unknown_keys(call, {"id", "type", "function"}, path)
    if "function" in call:
        yield from _called(call["function"], (*path, "function"))
    else:
        yield _shape("tool_call.shape", path, "the call has no `function`", _CALL_FIX)


def _called(function: object, path: JsonPath) -> Iterator[Finding]:
    """Look at the name and arguments of a called function."""
    if not isinstance(function, dict):
        yield _shape("tool_call.shape", path, f"the function is {show(function)}", _CALL_FIX)
        return
    yield from _function_name(function, path, "tool_call.name")
    yield from _unknown_keys(function, {"name", "arguments"}, path)
    arguments = function.get("arguments")
    place = (*path, "arguments") if "arguments" in function else path
    if not isinstance(arguments, str):
        found = show(arguments) if "arguments" in function else "missing"
        yield _arguments(place, f"`arguments` is {found}, not text", "Write json.dumps(...) of it.")
    elif not holds_json(arguments):
        yield _arguments(
            place,
            f"`arguments` is {show(arguments)}, which is not JSON",
            "Write the arguments as JSON text, with double quotes.",
        )
    elif "<|" in arguments:
        yield from _special(arguments, place, "the arguments hold")


def _special(text: str, path: JsonPath, who: str) -> Iterator[Finding]:
    for token in SPECIAL_TOKENS if "<|" in text else ():
        if token in text:
            yield Finding(
                rule="message.special_token",
                path=path,
                needle=token,
                message=f"{who} the control token {token}",
                fix="Remove it; the chat template writes the tokens itself.",
            )
            return


def _arguments(path: JsonPath, message: str, fix: str) -> Finding:
    return Finding(rule="tool_call.arguments", path=path, message=message, fix=fix)
