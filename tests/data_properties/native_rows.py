"""Rows that come to places of the native engine's code which chance seldom comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping

UNREACHED: Mapping[str, str] = {
    "NO_ROOM": "there is room for all bytes of a row, and text never grows when it is decoded; in "
    "arguments, which are decoded twice, it counts as NO_ARGUMENTS",
    "NO_ROOM_LAST": "the same",
    "NO_KNOWN_FAULT": "every rule about the address of an image can be counted",
    "NO_FIT": "the judge reads whatever the scanner took for JSON",
}
"""Places that no row of the run comes to, with the reason."""

_SAYS = {"role": "assistant", "content": "b"}


def _row(*messages: object, **more: object) -> bytes:
    return json.dumps({"messages": [*messages, _SAYS], **more}).encode()


def _call(arguments: str, number: int = 0) -> dict[str, object]:
    function = {"name": "f", "arguments": arguments}
    return {"id": f"c{number}", "type": "function", "function": function}


def _called(*arguments: str) -> bytes:
    calls = [_call(one, number) for number, one in enumerate(arguments)]
    asks = {"role": "user", "content": "a"}
    return json.dumps({"messages": [asks, {"role": "assistant", "tool_calls": calls}]}).encode()


_PARTS = [{"type": "text", "text": ""}] * 2_049

RARE: Mapping[str, bytes] = {
    "NO_FRACTION": _row(more=1).replace(b"1", b"1."),
    "NO_EXPONENT": _row(more=1).replace(b"1", b"1e"),
    "NO_DEPTH": _row(tools=[]).replace(b"[]", b"[" * 70 + b"]" * 70),
    "NO_MORE_CALLS": _called(*["{}"] * 129),
    "NO_MORE_SEGMENTS": _row({"role": "user", "content": _PARTS}).replace(b": ", b":"),
    "NO_MORE_MESSAGES": _row(*[{"role": "user", "content": ""}] * 1_024).replace(b": ", b":"),
    "NO_MORE_UNKNOWN": _row(**{f"key{number}": 1 for number in range(65)}),
    "NO_WEIGHT_ZERO": _row({**_SAYS, "weight": 7}).replace(b"7", b"-0"),
    "NO_TWICE_INSIDE": _row(more={"a": [{"b": 1, "c": 2}]}).replace(b'"c"', b'"b"'),
    "NO_MORE_KEYS": _row(more={f"key{number}": 1 for number in range(129)}),
    "NO_ROW_OBJECT": b"NaN",
    "NO_CONSTANT": _row({"role": float("nan"), "content": "a"}),
    "NO_SURROGATE": _row(
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "https://a.b/\ud800"}}],
        }
    ),
    "NO_PART": _row({"role": "user", "content": [{"type": "text", "text": "a", "refusal": "b"}]}),
    "NO_FUNCTION_PART": _row({"role": "assistant", "function_call": {}}),
    "NO_CALL_OBJECT": _row({"role": "assistant", "tool_calls": [1]}),
    "NO_STRING_END": _row()[:-4],
    "NO_ESCAPE_END": _row()[:-4] + b"\\",
}
"""Place -> a row; the last two are at the end of a file."""
