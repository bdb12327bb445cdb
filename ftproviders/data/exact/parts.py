"""What rows of several methods have in common: a conversation, and keys beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ftproviders.data.exact.message import check_message, is_plain
from ftproviders.data.exact.tools import check_functions, check_tools
from ftproviders.data.findings import Finding, JsonPath, show

__all__ = ["SPARED_IMAGES", "check_conversation", "check_row_keys", "count_images", "kind"]

SPARED_IMAGES = 10
"""Images that every provider takes in a row; more than these are counted."""


def kind(value: object) -> str:
    """Describe a value that should have been something else."""
    return "text" if isinstance(value, str) else show(value)


def check_conversation(messages: Sequence[Any], path: JsonPath) -> Iterator[Finding]:
    """Yield what is wrong with messages, each by itself, and whether they show too much."""
    odd = [index for index, message in enumerate(messages) if not is_plain(message)]
    for index in odd:
        yield from check_message(messages[index], (*path, index))
    images = count_images([messages[index] for index in odd])
    if images > SPARED_IMAGES:
        yield Finding(
            rule="image.count",
            path=path,
            amount=images,
            message=f"the row has {images} images",
            fix="Leave some out, or spread them over several rows.",
        )


def count_images(messages: object) -> int:
    """Count the parts of messages that are images."""
    found = 0
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            found += isinstance(part, dict) and part.get("type") == "image_url"
    return found


def check_row_keys(
    holder: dict[str, Any], known: Collection[str] | None, path: JsonPath = ()
) -> Iterator[Finding]:
    """Look at the keys beside a conversation: `tools`, `parallel_tool_calls` and unknown ones.

    Args:
        holder: The object that holds the conversation.
        known: Keys that it may have; None when others belong to somebody else.
        path: Where the object is.
    """
    for key, value in holder.items():
        if known is not None and key not in known:
            yield Finding(
                rule="row.unknown_key",
                path=(*path, key),
                key=True,
                message=f"the key {show(key)} is not part of the format",
                fix=_fix_unknown(key, known),
            )
        elif value is None and (known is not None or key in _OWN):
            yield Finding(
                rule="row.null",
                path=(*path, key),
                message=f"`{key}` is null",
                fix="Leave the key out.",
            )
    if holder.get("tools") is not None:
        yield from check_tools(holder["tools"], (*path, "tools"))
    if holder.get("functions") is not None:
        yield from check_functions(holder["functions"], (*path, "functions"))
    parallel = holder.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        yield Finding(
            rule="row.parallel_tool_calls",
            path=(*path, "parallel_tool_calls"),
            message=f"`parallel_tool_calls` is {show(parallel)}",
            fix="Write true or false.",
        )


def _fix_unknown(key: str, known: Collection[str]) -> str:
    """Say what to do with a key beside a conversation that is not part of the format."""
    if key == "system" and "messages" in known:
        return "Write it as the first message, of role system."
    if key in ("tools", "parallel_tool_calls") and "input" in known:
        return "Write it into `input`, beside `messages`."
    return f"Leave it out; known keys are {', '.join(known)}."


_OWN = frozenset({"messages", "tools", "parallel_tool_calls", "functions"})
