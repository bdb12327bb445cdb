"""A preference row: one input, a preferred and a rejected output."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ftproviders.data.exact.completion import other_shape
from ftproviders.data.exact.pairing import check_calls
from ftproviders.data.exact.parts import check_conversation, check_row_keys, count_images, kind
from ftproviders.data.findings import Finding, JsonPath, show
from ftproviders.data.shapes import Shape

__all__ = ["check_pair"]

_KEYS = ("input", "preferred_output", "non_preferred_output")
_INPUT_KEYS = ("messages", "tools", "parallel_tool_calls")
_FIX = 'Write {"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": ...'


def check_pair(row: dict[str, Any], shapes: Collection[str]) -> Iterator[Finding]:
    """Yield everything that the rules for preference rows find in a decoded row.

    Args:
        row: The row.
        shapes: Shapes that any of the providers looked at takes.
    """
    shape = other_shape(row)
    if shape == Shape.PREFERENCE and (Shape.PREFERENCE in shapes or not shapes):
        yield from _check_preference(row)
    elif shape == Shape.CHOSEN_REJECTED and shape in shapes:
        yield from _check_columns(row)
    else:
        yield _shape_finding(row, shape)
        return
    unfit = [one for one in (Shape.PREFERENCE, Shape.CHOSEN_REJECTED) if one != shape]
    if any(one in shapes for one in unfit):
        # Some of the providers looked at take the other shape only.
        yield _shape_finding(row, shape)


def _shape_finding(row: dict[str, Any], shape: str) -> Finding:
    if shape == Shape.CHOSEN_REJECTED:
        what = "the row has TRL's columns `chosen` and `rejected`, not OpenAI's preference shape"
        fix = "Convert it: ftproviders data convert FILE --to preference --out NEW_FILE"
    elif shape == Shape.PREFERENCE:
        what = "the row has OpenAI's preference shape, not the columns `chosen` and `rejected`"
        fix = "Convert it: ftproviders data convert FILE --to chosen-rejected --out NEW_FILE"
    else:
        missing = [key for key in _KEYS if key not in row]
        what = f"the row has no {' and no '.join(f'`{key}`' for key in missing)}"
        if shape == Shape.MESSAGES:
            what = "this is a supervised row, without two outputs to compare"
        fix = _FIX + "}."
    own = shape if shape in {Shape.PREFERENCE, Shape.CHOSEN_REJECTED} else ""
    return Finding(rule="pair.shape", shape=own, message=what, fix=fix)


def _check_preference(row: dict[str, Any]) -> Iterator[Finding]:
    yield from check_row_keys(row, _KEYS)
    source = row["input"]
    messages = source.get("messages") if isinstance(source, dict) else None
    tools = source.get("tools") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(messages, list) or not messages:
        yield _input_finding(source)
        messages = []
    else:
        yield from check_row_keys(source, _INPUT_KEYS, ("input",))
        yield from check_conversation(messages, ("input", "messages"))
        yield from _input_end(messages)
    yield from _images(messages)
    for key in _KEYS[1:]:
        yield from _check_output(row[key], (key,), messages, tools)
    if row[_KEYS[1]] == row[_KEYS[2]] and isinstance(row[_KEYS[1]], list):
        yield _identical(_KEYS[2])


def _identical(key: str) -> Finding:
    return Finding(
        rule="pair.identical",
        path=(key,),
        message="both outputs are the same",
        fix="Write an answer that is worse, or drop the row.",
    )


def _input_finding(source: object) -> Finding:
    inside = isinstance(source, dict)
    has = isinstance(source, dict) and "messages" in source
    value = source["messages"] if isinstance(source, dict) and has else source
    return Finding(
        rule="pair.input",
        path=("input", "messages") if has else ("input",),
        message=f"`input{'.messages' if has else ''}` is {kind(value)}"
        if has or not inside
        else "`input` has no `messages`",
        fix='Write {"messages": [{"role": "user", "content": "..."}]}.',
    )


def _input_end(messages: list[Any]) -> Iterator[Finding]:
    last = messages[-1]
    if isinstance(last, dict) and last.get("role") == "assistant" and not last.get("tool_calls"):
        yield Finding(
            rule="pair.input_end",
            path=("input", "messages", len(messages) - 1),
            message="the input ends with an assistant message",
            fix="End it with what the outputs answer.",
        )


def _images(messages: list[Any]) -> Iterator[Finding]:
    if count_images(messages):
        yield Finding(
            rule="image.in_pair",
            path=("input", "messages"),
            message="the input has images",
            fix="Try a small file first; no description says that images are taken here.",
        )


def _check_output(
    output: object, path: JsonPath, messages: list[Any], tools: object
) -> Iterator[Finding]:
    if not isinstance(output, list) or not output:
        yield Finding(
            rule="pair.output",
            path=path,
            message=f"`{path[0]}` is {kind(output)}, not a non-empty list",
            fix='Write [{"role": "assistant", "content": "..."}].',
        )
        return
    yield from check_conversation(output, path)
    roles = [message.get("role") if isinstance(message, dict) else None for message in output]
    for index, role in enumerate(roles):
        if isinstance(role, str) and role not in {"assistant", "tool"}:
            yield Finding(
                rule="pair.output",
                path=(*path, index, "role"),
                message=f"an output has a message of role {show(role)}",
                fix="Move it into `input`; an output is what the assistant says.",
            )
    yield from _answers(roles, path)
    places = _places(len(messages), len(output), path)
    for finding in check_calls([*messages, *output], tools, places):
        if finding.path[0] != "input" or path[0] == _KEYS[1]:  # say it once, not for each output
            yield finding


def _answers(roles: list[Any], path: JsonPath) -> Iterator[Finding]:
    answers = [index for index, role in enumerate(roles) if role == "assistant"]
    if not answers and all(isinstance(role, str) for role in roles):
        yield Finding(
            rule="pair.no_assistant",
            path=path,
            message=f"`{path[0]}` has no assistant message",
            fix="Write the answer of the assistant.",
        )
    elif len(answers) > 1:
        yield Finding(
            rule="pair.several_assistants",
            path=(*path, answers[1]),
            message=f"`{path[0]}` has {len(answers)} assistant messages",
            fix="Keep one; put what comes before it into `input`.",
        )


def _places(before: int, after: int, path: JsonPath) -> list[JsonPath]:
    inside: list[JsonPath] = [("input", "messages", index) for index in range(before)]
    return [*inside, *((*path, index) for index in range(after))]


def _check_columns(row: dict[str, Any]) -> Iterator[Finding]:
    """Look at a row of columns: texts, or lists of messages."""
    yield from check_row_keys(_columns_beside(row), None)
    keys = [key for key in ("prompt", "chosen", "rejected") if key in row]
    kinds = {key: str if isinstance(row[key], str) else list for key in keys}
    for key in keys:
        value = row[key]
        good = isinstance(value, (str, list)) and (bool(value) or key == "prompt")
        if not good or kinds[key] is not kinds[keys[0]]:
            yield Finding(
                rule="pair.columns",
                path=(key,),
                message=f"`{key}` is {kind(value)}",
                fix="Write all of them as text, or all as non-empty lists of messages.",
            )
            return
        if isinstance(value, list):
            yield from check_conversation(value, (key,))
    if isinstance(row["chosen"], list):
        yield from _column_calls(row)
    if row["chosen"] == row["rejected"]:
        yield _identical("rejected")


def _columns_beside(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is declared beside the columns; TRL takes tools as the text of JSON, too."""
    names = ("tools", "parallel_tool_calls")
    return {key: row[key] for key in names if key in row and not isinstance(row[key], str)}


def _column_calls(row: dict[str, Any]) -> Iterator[Finding]:
    """Look at the calls of both conversations; what the prompt breaks is said once."""
    prompt = row.get("prompt", [])
    for key in ("chosen", "rejected"):
        places: list[JsonPath] = [("prompt", index) for index in range(len(prompt))]
        places += [(key, index) for index in range(len(row[key]))]
        for finding in check_calls([*prompt, *row[key]], row.get("tools"), places):
            if finding.path[0] != "prompt" or key == "chosen":
                yield finding
