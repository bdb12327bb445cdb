"""The cases of every rule, turned into rows of every method and shape that the rule is for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ftproviders.data import RULES
from ftproviders.data.rule import PAIRS
from ftproviders.provider import DataProfile
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.data_cases import ANSWER, MARK, ROW_CASES, TOOL_DEPTH, nested
from tests.unit.data.method_cases import METHOD_CASES, WORSE

_LAST_USER = '{"role": "user", "content": "And now?"}'
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]')
_OPEN = '{"messages": ['


@dataclass(frozen=True)
class Case:
    """A row that breaks one rule at one place, and a row that is just inside it."""

    broken: str
    path: str
    inside: str

    @property
    def row(self) -> str:
        return self.broken.replace(MARK, "")

    @property
    def column(self) -> int:
        return self.broken.index(MARK) + 1


def good_row(shape: str, number: int) -> str:
    """Return a row of a shape in which nothing is wrong."""
    user = f'{{"role": "user", "content": "good row {number}"}}'
    return {
        "messages": f'{{"messages": [{user}, {ANSWER}]}}',
        "graded": f'{{"messages": [{user}], "answer": "4"}}',
        "preference": _preference(user, "", ""),
        "chosen-rejected": f'{{"prompt": [{user}], "chosen": [{ANSWER}], "rejected": [{WORSE}]}}',
        "prompt-completion": f'{{"prompt": "{number}", "completion": "b"}}',
        "text": f'{{"text": "good row {number}"}}',
    }[shape]


def shapes_of(method: Method, profile: DataProfile) -> Iterator[str]:
    """Yield the shapes of rows that a provider takes for a method."""
    if method is Method.REINFORCEMENT:
        yield "graded"
    elif method in PAIRS:
        yield from sorted(profile.row_shapes & {"preference", "chosen-rejected"})
    else:
        yield from sorted(profile.row_shapes & {"messages", "prompt-completion", "text"})


IN_CONVERSATIONS = ("json.", "message.", "content.", "image.url", "image.detail", "row.object")
"""Rules for messages, wherever they stand; those for calls and keys beside them need a row that has
such keys, and have a test of their own for TRL's columns."""


def cases_of(rule: str, method: Method, shape: str) -> Case | None:
    """Return the cases of a rule in rows of a shape; None when the shape cannot break it."""
    own = METHOD_CASES.get(rule)
    if own is not None:
        return _own_case(rule, method, shape)
    case = ROW_CASES.get(rule)
    if case is None:
        return None
    found = Case(case.broken, case.path, case.inside)
    if shape == "messages" or rule == "row.object":
        return replace(found, inside=good_row(shape, 0) if rule == "row.object" else case.inside)
    if shape in {"prompt-completion", "text"}:
        return None
    if rule == "row.messages":
        return Case('{"messages": ¤[], "answer": "4"}', "messages", good_row(shape, 0))
    if shape == "chosen-rejected" and (
        not rule.startswith(IN_CONVERSATIONS) or rule in {"json.depth", "json.constant"}
    ):
        return None
    if rule == "json.depth" and shape == "preference":  # it has one level more around its tools
        found = Case(nested(TOOL_DEPTH, mark=MARK), "", nested(TOOL_DEPTH - 1))
    return Case(
        _as_shape(found.broken, shape), _as_path(found.path, shape), _as_shape(found.inside, shape)
    )


_SHAPE_OF_RULE = {
    "pair.columns": "chosen-rejected",
    "text.field": "text",
    "completion.fields": "prompt-completion",
    "completion.empty": "prompt-completion",
}
"""Rules of one shape alone."""


def _own_case(rule: str, method: Method, shape: str) -> Case | None:
    case = METHOD_CASES[rule]
    usual = {Method.SUPERVISED: "messages", Method.REINFORCEMENT: "graded"}.get(
        case.method, "preference"
    )
    found = Case(case.broken, case.path, case.inside)
    if shape == _SHAPE_OF_RULE.get(rule, usual):
        return found
    moves = usual == "messages" and shape in {"graded", "preference"}
    if not moves or not rule.startswith("image.") or method not in RULES[rule].methods:
        return None
    return Case(
        _as_shape(case.broken, shape), _as_path(case.path, shape), _as_shape(case.inside, shape)
    )


def _as_path(path: str, shape: str) -> str:
    if not path or shape == "graded":
        return path
    return path.replace("messages", "prompt", 1) if shape != "preference" else f"input.{path}"


def _as_shape(text: str, shape: str) -> str:
    """Put the conversation of a supervised row, marks and faults and all, into another shape."""
    mark = MARK if text.startswith(_OPEN[:-1] + MARK) else ""
    start = text.index("[") + 1
    end = _closing(text, start)
    talk, extra = text[start:end], text[end + 1 : -1]
    answers = _answers(text)
    if shape == "graded":
        after = "".join(f", {one}" for one in (*answers, _LAST_USER))
        return f'{{"messages": {mark}[{talk}{after}]{extra}, "answer": "4"}}'
    if shape == "preference":
        if answers:
            return _preference(talk, extra, mark, ", ".join(answers) + ", ")
        return _preference(f"{talk}, {_LAST_USER}", extra, mark)
    after = "".join(f", {one}" for one in (*answers, _LAST_USER))
    return f'{{"prompt": {mark}[{talk}{after}], "chosen": [{ANSWER}], "rejected": [{WORSE}]}}'


def _preference(talk: str, extra: str, mark: str, before: str = "") -> str:
    return (
        f'{{"input": {{"messages": {mark}[{talk}]{extra}}}, '
        f'"preferred_output": [{before}{ANSWER}], "non_preferred_output": [{before}{WORSE}]}}'
    )


def _closing(text: str, start: int) -> int:
    """Return where the list that begins before `start` ends."""
    depth = 1
    for token in _TOKEN.finditer(text, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        if not depth:
            return token.start()
    raise AssertionError(f"the list has no end: {text[:200]}")


def _answers(text: str) -> list[str]:
    """Return tool messages that answer the calls with which a row ends."""
    try:
        last = json.loads(text.replace(MARK, ""))["messages"][-1]
    except ValueError:
        return []
    calls = last.get("tool_calls") if isinstance(last, dict) else None
    ids = dict.fromkeys(call["id"] for call in calls or ())
    return [f'{{"role": "tool", "tool_call_id": "{one}", "content": "3"}}' for one in ids]
