"""Messages in the shape that chat templates expect, and our own template. Imports little."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from ftproviders.data.numbers import LENIENT

__all__ = ["NotText", "default_template", "plain_messages"]


class NotText(ValueError):  # noqa: N818 - a fault in the data, not an error of the program
    """A message holds something other than text.

    Attributes:
        index: Which message.
    """

    def __init__(self, index: int) -> None:
        super().__init__("a message holds an image or another part that is no text")
        self.index = index


def default_template() -> str:
    """Return our chat template for models that have none: ChatML with the model's end token."""
    template = files("ftproviders.data.template").joinpath("chatml.jinja")
    return template.read_text(encoding="utf-8")


def plain_messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in the shape that chat templates expect.

    Text parts become one text, and the arguments of tool calls, which the data format has as a
    string that holds JSON, become the object itself. Weights and nulls go.

    Raises:
        NotText: A message holds something other than text.
    """
    plain = []
    for index, message in enumerate(messages):
        kept = {k: v for k, v in message.items() if v is not None and k != "weight"}
        kept["content"] = _text(message.get("content"), index)
        if message.get("tool_calls"):
            kept["tool_calls"] = [_tool_call(call) for call in message["tool_calls"]]
        plain.append(kept)
    return plain


def _text(content: object, index: int) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") in {"text", "refusal"} for part in content
    ):
        return "".join(part.get("text") or part.get("refusal") or "" for part in content)
    raise NotText(index)


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = dict(call["function"])
    # What is no JSON is left as it is: some templates print the string.
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        function["arguments"] = LENIENT.decode(function.get("arguments") or "{}")
    return {**call, "function": function}
