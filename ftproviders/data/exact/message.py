"""One message of a row: role, keys, content and its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ftproviders.data.exact.image import check_image
from ftproviders.data.exact.tools import NAME, check_tool_calls
from ftproviders.data.findings import Finding, JsonPath, show
from ftproviders.data.rules import SPECIAL_TOKENS
from ftproviders.schema.chat import Role

__all__ = ["check_message", "is_plain", "special_token"]

_KEYS: Mapping[str, frozenset[str]] = {
    Role.SYSTEM: frozenset({"role", "content", "name"}),
    Role.DEVELOPER: frozenset({"role", "content", "name"}),
    Role.USER: frozenset({"role", "content", "name"}),
    Role.ASSISTANT: frozenset(
        {"role", "content", "name", "refusal", "weight", "tool_calls", "function_call", "audio"}
    ),
    Role.TOOL: frozenset({"role", "content", "tool_call_id"}),
    Role.FUNCTION: frozenset({"role", "content", "name"}),
}
_PARTS: Mapping[str, tuple[str, ...]] = {
    Role.ASSISTANT: ("text", "refusal"),
    Role.USER: ("text", "image_url"),
}
_PLAIN_ROLES = frozenset({"system", "developer", "user"})
_ALL_ROLES = ", ".join(Role)
_TEXT_ONLY = ("text",)
_MAY_BE_NULL = frozenset({"content", "refusal", "function_call", "audio"})
_SPECIAL = re.compile("|".join(re.escape(token) for token in SPECIAL_TOKENS))


def special_token(text: str) -> str | None:
    """Return the first control token in `text`, or None."""
    if "<|" not in text:
        return None
    match = _SPECIAL.search(text)
    return match.group() if match else None


def is_plain(message: object) -> bool:
    """Say whether a message is a text without anything else that `check_message` finds good."""
    if type(message) is not dict or len(message) != 2:
        return False
    content, role = message.get("content"), message.get("role")
    if type(content) is not str or type(role) is not str or ("|" in content and "<|" in content):
        return False
    if role == "assistant":
        return bool(content) and not content.isspace()
    return role in _PLAIN_ROLES


def check_message(message: object, path: JsonPath) -> Iterator[Finding]:
    """Yield everything that is wrong with one message at `path`."""
    if not isinstance(message, dict):
        yield Finding(
            rule="message.object",
            path=path,
            message=f"the message is {show(message)}, not an object",
            fix='Write {"role": ..., "content": ...}.',
        )
        return
    role = message.get("role")
    if not isinstance(role, str) or role not in _KEYS:
        yield _role_finding(message, path)
        return
    if role == Role.FUNCTION:
        yield _deprecated((*path, "role"), "the role function", "Use tools and the role tool.")
    yield from _keys(message, role, path)
    yield from _name(message, role, path)
    yield from _weight(message, role, path)
    yield from _content(message, role, path)
    if role == Role.ASSISTANT:
        yield from _assistant(message, path)


def _role_finding(message: dict[str, Any], path: JsonPath) -> Finding:
    known = _ALL_ROLES
    if "role" not in message:
        return Finding(
            rule="message.role",
            path=path,
            message="the message has no `role`",
            fix=f"Add one of {known}.",
        )
    return Finding(
        rule="message.role",
        path=(*path, "role"),
        message=f"the role {show(message['role'])} does not exist",
        fix=f"Use one of {known}.",
    )


def _deprecated(path: JsonPath, what: str, fix: str) -> Finding:
    return Finding(rule="row.deprecated", path=path, message=f"{what} is deprecated", fix=fix)


def _keys(message: dict[str, Any], role: str, path: JsonPath) -> Iterator[Finding]:
    known = _KEYS[role]
    for key, value in message.items():
        if key not in known:
            if key != "weight":
                yield _unknown_key(key, (*path, key), f"a message of role {role}", known)
        elif value is None and key not in _MAY_BE_NULL:
            yield Finding(
                rule="row.null",
                path=(*path, key),
                message=f"`{key}` is null",
                fix="Leave the key out.",
            )


def _unknown_key(key: str, path: JsonPath, where: str, known: frozenset[str]) -> Finding:
    return Finding(
        rule="message.unknown_key",
        path=path,
        key=True,
        message=f"{where} has no key {show(key)}",
        fix=_leave_out(known),
    )


@cache
def _leave_out(known: frozenset[str]) -> str:
    return f"Leave it out; known keys are {', '.join(sorted(known))}."


def _name(message: dict[str, Any], role: str, path: JsonPath) -> Iterator[Finding]:
    name = message.get("name")
    if name is None and role == Role.FUNCTION:
        yield Finding(
            rule="message.name",
            path=path,
            message="the message of role function does not name the function",
            fix="Add the `name` of the function whose result this is.",
        )
    if name is None or role == Role.TOOL:
        return
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        yield Finding(
            rule="message.name",
            path=(*path, "name"),
            message=f"`name` is {show(name)}",
            fix="Use 1 to 64 of the characters A-Z a-z 0-9 _ and -.",
        )


def _weight(message: dict[str, Any], role: str, path: JsonPath) -> Iterator[Finding]:
    if "weight" not in message:
        return
    weight = message["weight"]
    if role != Role.ASSISTANT:
        yield Finding(
            rule="message.weight",
            path=(*path, "weight"),
            message=f"a message of role {role} has a weight",
            fix="Leave it out; only assistant messages are trained on.",
        )
    elif weight is not None and not (type(weight) is int and weight in {0, 1}):
        yield Finding(
            rule="message.weight",
            path=(*path, "weight"),
            message=f"`weight` is {show(weight)}",
            fix="Write the integer 0 (not trained) or 1 (trained).",
        )


def _content(message: dict[str, Any], role: str, path: JsonPath) -> Iterator[Finding]:
    content = message.get("content")
    place = (*path, "content") if "content" in message else path
    if isinstance(content, str):
        yield from _text(content, place)
    elif isinstance(content, list) and content:
        for index, part in enumerate(content):
            yield from _part(part, role, (*place, index))
    elif content is not None or not _may_go_without(message, role):
        found = "missing" if "content" not in message else show(content)
        yield Finding(
            rule="message.content",
            path=place,
            message=f"`content` of a message of role {role} is {found}",
            fix="Write text, or a non-empty list of parts.",
        )


def _may_go_without(message: dict[str, Any], role: str) -> bool:
    if role == Role.FUNCTION:
        return "content" in message
    return role == Role.ASSISTANT and any(
        message.get(key) for key in ("tool_calls", "function_call", "refusal")
    )


def _text(text: str, path: JsonPath) -> Iterator[Finding]:
    token = special_token(text)
    if token is not None:
        yield Finding(
            rule="message.special_token",
            path=path,
            needle=token,
            message=f"the text holds the control token {token}",
            fix="Remove it; the chat template writes the tokens itself.",
        )


def _part(part: object, role: str, path: JsonPath) -> Iterator[Finding]:
    allowed = _PARTS.get(role, _TEXT_ONLY)
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str) or kind not in allowed:
        found = f"has type {show(kind)}" if isinstance(part, dict) else f"is {show(part)}"
        has_type = isinstance(part, dict) and "type" in part
        yield Finding(
            rule="content.part",
            path=(*path, "type") if has_type else path,
            message=f"a part of a message of role {role} {found}",
            fix=f"Use parts of type {' or '.join(allowed)}.",
        )
        return
    for key in part.keys() - {"type", kind}:
        yield _unknown_key(key, (*path, key), f"a part of type {kind}", frozenset({"type", kind}))
    if kind == "image_url":
        yield from check_image(part, path)
    elif isinstance(part.get(kind), str):
        yield from _text(part[kind], (*path, kind))
    else:
        yield Finding(
            rule="content.part_text",
            path=(*path, kind) if kind in part else path,
            message=f"`{kind}` of the part is {show(part.get(kind))}, not text",
            fix=f'Write {{"type": "{kind}", "{kind}": "..."}}.',
        )


def _assistant(message: dict[str, Any], path: JsonPath) -> Iterator[Finding]:
    """Look at what only an assistant's message has."""
    refusal = message.get("refusal")
    if isinstance(refusal, str):
        yield from _text(refusal, (*path, "refusal"))
    elif refusal is not None:
        yield Finding(
            rule="message.refusal",
            path=(*path, "refusal"),
            message=f"`refusal` is {show(refusal)}",
            fix="Write the text of the refusal, or leave it out.",
        )
    if message.get("function_call") is not None:
        yield _deprecated((*path, "function_call"), "`function_call`", "Use `tool_calls`.")
    yield from check_tool_calls(message, path)
    if _says_nothing(message):
        yield Finding(
            rule="message.empty",
            path=(*path, "content"),
            message="the assistant's text is empty",
            fix="Write the answer to be learned, or drop the row.",
        )


def _says_nothing(message: dict[str, Any]) -> bool:
    if any(message.get(key) for key in ("tool_calls", "function_call", "refusal", "audio")):
        return False
    content = message.get("content")
    if isinstance(content, str):
        return not content.strip()
    if not isinstance(content, list) or not content:
        return False
    return all(_is_empty_part(part) for part in content)


def _is_empty_part(part: object) -> bool:
    text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
    return isinstance(text, str) and not text.strip()
