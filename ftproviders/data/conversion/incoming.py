"""From a row as the source has it to a row of messages, or of a preference.

What lives here: the shapes that rows come in. What does not: files, and the shapes that rows
go out in (``outgoing``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from ftproviders.data.conversion.mapping import RowMapping, RowProblem, json_text
from ftproviders.data.conversion.reading import parse_json
from ftproviders.data.findings import show
from ftproviders.data.secrets import mask
from ftproviders.data.shapes import Shape, columns_flag, missing_keys, shape_of, suggest_columns

__all__ = ["Chat", "NoColumn", "RowProblem", "is_preference", "keys_of", "read_row", "text_of"]

Chat: TypeAlias = dict[str, Any]
"""A row of `Shape.MESSAGES` or `Shape.PREFERENCE`."""

_SPEAKERS = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "model": "assistant",
    "bot": "assistant", "system": "system", "developer": "developer",
}  # fmt: skip
"""Names of speakers in ShareGPT files -> roles."""

_TURN_KEYS = ("from", "value", "weight")
"""Keys of ShareGPT's turns that are read; Axolotl writes weights there."""

_EMPTY_MEANS_NOTHING = ("tools", "functions", "parallel_tool_calls")


class NoColumn(RowProblem):
    """A column that was stated is not there."""


def read_row(row: object, mapping: RowMapping) -> tuple[Shape, Chat, frozenset[str]]:
    """Read a row of the source.

    Args:
        row: The row.
        mapping: What the user stated.

    Returns:
        The shape it had; the row of messages or of a preference; the keys it was made from.

    Raises:
        RowProblem: It has no known shape, or something in it is missing or not what it should be.
    """
    if not isinstance(row, Mapping):
        raise RowProblem(f"the row is {show(row)}, not an object")
    if mapping.stated:
        shape, chat, used = Shape.COLUMNS, _from_columns(row, mapping), mapping.used
    else:
        shape = _stated_shape(row, mapping.source_shape) or _known_shape(row)
        chat, used = _READERS[shape](row), frozenset(_KEYS[shape])
    if mapping.system is not None:
        _add_system(chat, mapping.system)
    for key in mapping.keep:
        if key not in row:
            raise NoColumn(f"there is no column {key!r} to keep")
        if shape not in _KEEPING and (key in chat or key == "messages"):
            raise RowProblem(f"the column {key!r} cannot be kept, the new row has its own {key!r}")
        chat.setdefault(key, row[key])
    return shape, chat, used | set(mapping.keep)


def is_preference(chat: Chat) -> bool:
    """Tell a row of a preference from one of messages, which may have a field called input."""
    return "messages" not in chat


def keys_of(row: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    """Yield the keys of a row, and those of ShareGPT's turns that are not read."""
    yield from row
    turns = row["conversations"] if shape is Shape.SHAREGPT else ()
    for turn in turns if isinstance(turns, list) else ():
        if "from" in turn:
            yield from (f"conversations[].{key}" for key in turn if key not in _TURN_KEYS)


def _stated_shape(row: Mapping[str, Any], shape: Shape | None) -> Shape | None:
    missing = missing_keys(row, shape) if shape else []
    if missing:
        raise RowProblem(f"the row has no {missing[0]!r}, so it is not of shape {shape}")
    return shape


def _known_shape(row: Mapping[str, Any]) -> Shape:
    shape = shape_of(row)
    if shape is None:
        keys = [str(key) for key in row]
        guess = suggest_columns(keys)
        hint = f"; state which is which, for instance {columns_flag(guess)}" if guess else ""
        shown = ", ".join(keys[:12]) + (", ..." if len(keys) > 12 else "")
        raise RowProblem(mask(f"no known shape has the keys {shown}{hint}"))
    return shape


def _add_system(chat: Chat, system: str) -> None:
    messages = chat["input"]["messages"] if is_preference(chat) else chat["messages"]
    if not any(message["role"] in {"system", "developer"} for message in messages):
        messages.insert(0, {"role": "system", "content": system})


def text_of(value: object, name: str, *, empty: bool = False) -> str:
    """Return a cell as text; numbers, lists and objects as JSON.

    Raises:
        RowProblem: It is empty and must not be.
    """
    if value is None:
        text = ""
    elif isinstance(value, str):
        text = value
    else:
        text = json_text(value)
    if not text.strip() and not empty:
        raise RowProblem(f"{name!r} is empty")
    return text


def _from_columns(row: Mapping[str, Any], mapping: RowMapping) -> Chat:
    def cell(role: str, *, empty: bool = False) -> str:
        return text_of(mapping.value(role, row), mapping.columns.get(role, role), empty=empty)

    try:
        if mapping.has("messages"):
            chat = _from_messages({"messages": mapping.value("messages", row)})
        else:
            messages = [_said("user", cell("user" if mapping.has("user") else "prompt"))]
            system = cell("system", empty=True) if mapping.has("system") else ""
            if system.strip():
                messages.insert(0, _said("system", system))
            if mapping.has("chosen"):
                return {
                    "input": {"messages": messages},
                    "preferred_output": [_said("assistant", cell("chosen"))],
                    "non_preferred_output": [_said("assistant", cell("rejected"))],
                }
            if mapping.has("assistant"):
                messages.append(_said("assistant", cell("assistant")))
            chat = {"messages": messages}
        if mapping.has("tools"):
            chat["tools"] = _listed(mapping.value("tools", row), "tools")
    except KeyError as error:
        columns = ", ".join(str(key) for key in row)
        raise NoColumn(
            mask(f"there is no column {error.args[0]!r}; there are {columns}")
        ) from error
    return chat


def _said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _listed(value: object, name: str) -> list[Any]:
    """Return a list, which a table holds as the text of a JSON list."""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError as error:
            raise RowProblem(f"{name!r} is text that holds no JSON list: {error}") from error
    if not isinstance(value, list):
        raise RowProblem(f"{name!r} is {show(value)}, not a list")
    return value


def _messages(value: object, name: str) -> list[dict[str, Any]]:
    """Return messages without keys that are null, as files made by Arrow are full of them."""
    messages = _listed(value, name)
    if not messages:
        raise RowProblem(f"{name!r} is empty")
    if isinstance(messages[0], Mapping) and "from" in messages[0] and "role" not in messages[0]:
        return _conversation(messages, name)
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise RowProblem(f"{name}[{index}] is no message with a role")
    return [
        {key: value for key, value in message.items() if value is not None or key == "content"}
        for message in messages
    ]


def _from_messages(row: Mapping[str, Any]) -> Chat:
    rest = {
        key: value
        for key, value in row.items()
        if key != "messages" and not (key in _EMPTY_MEANS_NOTHING and value in (None, ""))
    }
    if isinstance(rest.get("tools"), str):
        rest["tools"] = _listed(rest["tools"], "tools")
    return {"messages": _messages(row["messages"], "messages"), **rest}


def _from_preference(row: Mapping[str, Any]) -> Chat:
    if "messages" in row:
        raise RowProblem("beside 'input' there is 'messages'; it is not clear which one is meant")
    given = row["input"]
    if isinstance(given, str):
        try:
            given = parse_json(given)
        except ValueError as error:
            raise RowProblem(f"'input' is text that holds no JSON object: {error}") from error
    if not isinstance(given, Mapping) or "messages" not in given:
        raise RowProblem("'input' is no object with messages")
    outputs = {
        key: _messages(row[key], key) for key in ("preferred_output", "non_preferred_output")
    }
    return {**row, "input": _from_messages(given), **outputs}


def _answers(value: object, name: str) -> list[dict[str, Any]]:
    """Read a text, or a list of messages, that an assistant says."""
    return _as_messages(value, name, role="assistant")


def _questions(value: object, name: str) -> list[dict[str, Any]]:
    return _as_messages(value, name, role="user")


def _as_messages(value: object, name: str, *, role: str) -> list[dict[str, Any]]:
    listed = isinstance(value, list) and value and isinstance(value[0], Mapping)
    if listed or (isinstance(value, str) and _looks_like_messages(value)):
        return _messages(value, name)
    return [_said(role, text_of(value, name))]


def _looks_like_messages(text: str) -> bool:
    """Tell a list of messages in a table's cell from an answer that happens to be a JSON list."""
    if not text.lstrip().startswith("["):
        return False
    try:
        value = parse_json(text)
    except ValueError:
        return False
    return bool(value) and all(isinstance(item, dict) and "role" in item for item in value)


def _from_chosen(row: Mapping[str, Any]) -> Chat:
    chosen, rejected = _answers(row["chosen"], "chosen"), _answers(row["rejected"], "rejected")
    prompt = row.get("prompt")
    shared = 0
    while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
        shared += 1
    told = isinstance(prompt, str) and not _looks_like_messages(prompt)
    if prompt is None or (told and chosen[0]["role"] != "assistant"):
        before = chosen[:shared]  # both tell the whole conversation, the question included
    else:
        before, shared = _questions(prompt, "prompt"), 0
    if not before:
        raise RowProblem("there is no prompt, and 'chosen' and 'rejected' share no beginning")
    if shared in {len(chosen), len(rejected)}:
        raise RowProblem("'chosen' and 'rejected' are the same, or one is the beginning of both")
    return {
        "input": {"messages": before},
        "preferred_output": chosen[shared:],
        "non_preferred_output": rejected[shared:],
    }


def _from_completion(row: Mapping[str, Any]) -> Chat:
    before = _questions(row["prompt"], "prompt")
    return {"messages": [*before, *_answers(row["completion"], "completion")]}


def _from_alpaca(row: Mapping[str, Any]) -> Chat:
    messages: list[dict[str, Any]] = []
    system = text_of(row.get("system"), "system", empty=True)
    if system.strip():
        messages.append(_said("system", system))
    history = row.get("history")
    for index, pair in enumerate([] if history in (None, "") else _listed(history, "history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowProblem(f"history[{index}] is no pair of question and answer")
        messages.append(_said("user", text_of(pair[0], f"history[{index}]")))
        messages.append(_said("assistant", text_of(pair[1], f"history[{index}]")))
    asked = text_of(row["instruction"], "instruction")
    given = text_of(row.get("input"), "input", empty=True)
    messages.append(_said("user", f"{asked}\n\n{given}" if given.strip() else asked))
    messages.append(_said("assistant", text_of(row["output"], "output")))
    return {"messages": messages}


def _from_sharegpt(row: Mapping[str, Any]) -> Chat:
    messages = _messages(row["conversations"], "conversations")
    system = text_of(row.get("system"), "system", empty=True)
    if system.strip() and messages[0]["role"] != "system":
        messages.insert(0, _said("system", system))
    if row.get("tools") in (None, "", []):
        return {"messages": messages}
    tools = _listed(row["tools"], "tools")
    for index, tool in enumerate(tools):
        if not isinstance(tool, Mapping):
            raise RowProblem(f"tools[{index}] is {show(tool)}, not an object")
        if "function" not in tool:
            tools[index] = {"type": "function", "function": tool}
    return {"messages": messages, "tools": tools}


def _conversation(turns: Iterable[Any], name: str) -> list[dict[str, Any]]:
    """Read ShareGPT's turns; calls and observations are paired in their order."""
    messages: list[dict[str, Any]] = []
    calls = 0
    for index, turn in enumerate(turns):
        speaker = turn.get("from") if isinstance(turn, Mapping) else None
        value = turn.get("value") if isinstance(turn, Mapping) else None
        if not isinstance(speaker, str) or not isinstance(value, str):
            raise RowProblem(f"{name}[{index}] is no turn with 'from' and 'value'")
        if speaker == "function_call":
            calls += 1
            messages.append(_call(value, f"{name}[{index}].value", f"call_{calls}"))
        elif speaker in {"observation", "tool"}:
            if not calls:
                raise RowProblem(f"{name}[{index}] answers a call, but there is none above it")
            answer = {"role": "tool", "tool_call_id": f"call_{calls}", "content": value}
            messages.append(answer)
        elif speaker.lower() in _SPEAKERS:
            messages.append(_said(_SPEAKERS[speaker.lower()], value))
        else:
            raise RowProblem(f"{name}[{index}].from: {show(speaker)} is nobody that is known")
        if turn.get("weight") is not None:
            messages[-1]["weight"] = turn["weight"]
    return messages


def _call(text: str, place: str, call_id: str) -> dict[str, Any]:
    try:
        call = parse_json(text)
        name, arguments = call["name"], call["arguments"]
    except (ValueError, KeyError, TypeError) as error:
        raise RowProblem(f"{place} holds no call with name and arguments") from error
    if not isinstance(arguments, str):
        arguments = json_text(arguments)
    function = {"name": name, "arguments": arguments}
    calls = [{"id": call_id, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


_READERS: Mapping[Shape, Callable[[Mapping[str, Any]], Chat]] = {
    Shape.MESSAGES: _from_messages,
    Shape.PREFERENCE: _from_preference,
    Shape.CHOSEN_REJECTED: _from_chosen,
    Shape.PROMPT_COMPLETION: _from_completion,
    Shape.ALPACA: _from_alpaca,
    Shape.SHAREGPT: _from_sharegpt,
}

_KEEPING = frozenset({Shape.MESSAGES, Shape.PREFERENCE})
"""Shapes whose rows keep every key that they have."""

_KEYS: Mapping[Shape, tuple[str, ...]] = {
    Shape.MESSAGES: (),
    Shape.PREFERENCE: (),
    Shape.CHOSEN_REJECTED: ("prompt", "chosen", "rejected"),
    Shape.PROMPT_COMPLETION: ("prompt", "completion"),
    Shape.ALPACA: ("instruction", "input", "output", "system", "history"),
    Shape.SHAREGPT: ("conversations", "system", "tools"),
}
"""Keys that are used."""
