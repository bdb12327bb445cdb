"""Rows in the shapes that the vendors' guides show for tools, images, DPO and RFT.

Each passes at OpenAI and Azure without a word; each with one planted fault is caught on its line,
by the rule that is meant, at the place that is meant.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftproviders import registry
from ftproviders.data import validate
from ftproviders.schema.hyperparameters import Method

Row = dict[str, Any]
PROVIDERS = ("openai", "azure-openai")
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and country"},
                "format": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location", "format"],
        },
    },
}


def _call(call_id: str, **arguments: str) -> Row:
    function = {"name": "get_current_weather", "arguments": json.dumps(arguments)}
    return {"id": call_id, "type": "function", "function": function}


_PARIS, _OSLO = (_call(f"call_{c}", location=c, format="celsius") for c in ("Paris", "Oslo"))

EXAMPLES: dict[str, tuple[Method, Row]] = {
    "a call that ends the example": (Method.SUPERVISED, {
        "messages": [
            {"role": "user", "content": "What is the weather in Paris?"},
            {"role": "assistant", "tool_calls": [_PARIS]},
        ],
        "parallel_tool_calls": False,
        "tools": [_WEATHER],
    }),
    "parallel calls, answered": (Method.SUPERVISED, {
        "messages": [
            {"role": "developer", "content": "Answer in one sentence."},
            {"role": "user", "content": "Is it warmer in Paris or in Oslo?", "name": "ann"},
            {"role": "assistant", "content": None, "tool_calls": [_PARIS, _OSLO]},
            {"role": "tool", "tool_call_id": "call_Oslo", "content": "3"},
            {"role": "tool", "tool_call_id": "call_Paris",
             "content": [{"type": "text", "text": "9"}]},
            {"role": "assistant", "content": "In Paris.", "weight": 1},
        ],
        "parallel_tool_calls": True,
        "tools": [_WEATHER],
    }),
    "several turns with weights": (Method.SUPERVISED, {
        "messages": [
            {"role": "system", "content": "Marv is a chatbot that is also sarcastic."},
            {"role": "user", "content": "What is the capital of France?"},
            {"role": "assistant", "content": "Paris", "weight": 0},
            {"role": "user", "content": "Can you be more sarcastic?"},
            {"role": "assistant", "content": "Paris, as if nobody knew.", "weight": 1},
        ],
    }),
    "images": (Method.SUPERVISED, {
        "messages": [
            {"role": "system", "content": "You identify uncommon cheeses."},
            {"role": "user", "content": "What is this cheese?"},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://example.com/cheese.jpg"}},
                {"type": "text", "text": "Its rind is red."},
                {"type": "image_url",
                 "image_url": {"url": "https://example.com/cut.png", "detail": "low"}},
            ]},
            {"role": "assistant", "content": "Danbo"},
        ],
    }),
    "a preference": (Method.DPO, {
        "input": {
            "messages": [{"role": "user", "content": "How cold is San Francisco today?"}],
            "tools": [],
            "parallel_tool_calls": True,
        },
        "preferred_output": [{"role": "assistant", "content": "Between 14 and 20 degrees."}],
        "non_preferred_output": [{"role": "assistant", "content": "Not particularly cold."}],
    }),
    "a preference with calls": (Method.DPO, {
        "input": {
            "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
            "tools": [_WEATHER],
        },
        "preferred_output": [{"role": "assistant", "tool_calls": [_PARIS]}],
        "non_preferred_output": [{"role": "assistant", "content": "It is nice."}],
    }),
    "a reference for a grader": (Method.REINFORCEMENT, {
        "messages": [
            {"role": "developer", "content": "Count the donors and acceptors of hydrogen bonds."},
            {"role": "user", "content": "CC(=O)Nc1ccc(O)cc1"},
        ],
        "reference_answer": {"donor_bond_counts": 2, "acceptor_bond_counts": 2},
    }),
    "an RFT row with tools": (Method.REINFORCEMENT, {
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [_WEATHER],
        "expected_city": "Paris",
    }),
}  # fmt: skip
"""What the row shows -> method and row. Shapes: OpenAI's guides on supervised tuning, function
calling, vision, DPO and reinforcement, and the description of the API; the words are ours."""


@dataclass(frozen=True)
class Fault:
    """One thing changed in an example, and what has to be said of it."""

    example: str
    change: Callable[[Row], None]
    rule: str
    path: str


def _put(*path: str | int, value: object) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        place: Any = row
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def _without(*path: str | int) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        place: Any = row
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


_FUNCTION = ("messages", 1, "tool_calls", 0, "function")
_PLACE = "messages[1].tool_calls[0]"
FAULTS = [
    Fault("a call that ends the example",
          _put(*_FUNCTION, "arguments", value={"location": "Paris"}),
          "tool_call.arguments", f"{_PLACE}.function.arguments"),
    Fault("a call that ends the example",
          _put(*_FUNCTION, "arguments", value='{"location": "Paris", "format": "kelvin"}'),
          "tool_call.schema", f"{_PLACE}.function.arguments"),
    Fault("a call that ends the example", _put(*_FUNCTION, "name", value="get_weather"),
          "tool_call.undeclared", f"{_PLACE}.function.name"),
    Fault("a call that ends the example", _put("parallel_tool_calls", value="no"),
          "row.parallel_tool_calls", "parallel_tool_calls"),
    Fault("a call that ends the example", _put("tools", 0, "function", "name", value="get weather"),
          "tool.name", "tools[0].function.name"),
    Fault("a call that ends the example",
          _put("tools", 0, "function", "parameters", "type", value="array"),
          "tool.parameters", "tools[0].function.parameters"),
    Fault("a call that ends the example", _without("messages", 1, "tool_calls", 0, "id"),
          "tool_call.shape", _PLACE),
    Fault("parallel calls, answered", _put("messages", 3, "tool_call_id", value="call_Rome"),
          "tool.answer", "messages[3].tool_call_id"),
    Fault("parallel calls, answered", _without("messages", 4),
          "tool_call.unanswered", "messages[2].tool_calls[0]"),
    Fault("parallel calls, answered",
          _put("messages", 2, "tool_calls", 1, "id", value="call_Paris"),
          "tool_call.duplicate_id", "messages[2].tool_calls[1].id"),
    Fault("parallel calls, answered", _put("messages", 4, "content", 0, "type", value="image_url"),
          "content.part", "messages[4].content[0].type"),
    Fault("parallel calls, answered", _put("messages", 1, "name", value="Ann Lee"),
          "message.name", "messages[1].name"),
    Fault("several turns with weights", _put("messages", 4, "weight", value=0),
          "row.weights", "messages"),
    Fault("several turns with weights", _put("messages", 3, "weight", value=1),
          "message.weight", "messages[3].weight"),
    Fault("several turns with weights", _without("messages", 4), "row.last_message", "messages[3]"),
    Fault("images", _put("messages", 2, "content", 0, "image_url", "url", value="http://a.example/b"),
          "image.url", "messages[2].content[0].image_url.url"),
    Fault("images", _put("messages", 2, "content", 2, "image_url", "detail", value="medium"),
          "image.detail", "messages[2].content[2].image_url.detail"),
    Fault("images", _put("messages", 2, "role", value="system"),
          "content.part", "messages[2].content[0].type"),
    Fault("images", _put("messages", 2, "content", 0, "image_url", value="https://a.example/b.png"),
          "image.url", "messages[2].content[0].image_url"),
    Fault("a preference", _without("non_preferred_output"), "pair.shape", ""),
    Fault("a preference", _put("preferred_output", value="Between 14 and 20 degrees."),
          "pair.output", "preferred_output"),
    Fault("a preference",
          _put("non_preferred_output", 0, "content", value="Between 14 and 20 degrees."),
          "pair.identical", "non_preferred_output"),
    Fault("a preference", _put("input", value=[{"role": "user", "content": "How cold?"}]),
          "pair.input", "input"),
    Fault("a preference with calls",
          _put("preferred_output", 0, "tool_calls", 0, "function", "arguments", value="{'a': 1}"),
          "tool_call.arguments", "preferred_output[0].tool_calls[0].function.arguments"),
    Fault("a preference with calls", _put("non_preferred_output", 0, "role", value="user"),
          "pair.output", "non_preferred_output[0].role"),
    Fault("a reference for a grader", _put("messages", 1, "role", value="assistant"),
          "grader.last_message", "messages[1]"),
    Fault("a reference for a grader", _put("messages", value=[]), "row.messages", "messages"),
    Fault("an RFT row with tools", _put("tools", 0, "type", value="tool"),
          "tool.shape", "tools[0].type"),
]  # fmt: skip


def found(folder: Path, method: Method, *rows: Row) -> Iterator[tuple[int, str, str]]:
    """Yield line, rule and path of what is said of rows, at either provider."""
    file = folder / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    profiles = {name: registry.info(name).data_profile() for name in PROVIDERS}
    report = validate(file, profiles=profiles, method=method, has_validation_file=True)[1]
    for issue in report.issues:
        if issue.rule != "file.rows":
            assert issue.providers == ()
            yield issue.line, issue.rule, issue.path


@pytest.mark.parametrize("example", EXAMPLES)
def test_rows_of_the_guides_pass(example: str, tmp_path: Path) -> None:
    method, row = EXAMPLES[example]
    assert list(found(tmp_path, method, row)) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.rule}-{fault.example}")
def test_one_fault_is_caught_on_its_line(fault: Fault, tmp_path: Path) -> None:
    method, good = EXAMPLES[fault.example]
    bad = copy.deepcopy(good)
    fault.change(bad)
    others = [row for kind, row in EXAMPLES.values() if kind is method]
    issues = list(found(tmp_path, method, *others, bad))
    wanted = (len(others) + 1, fault.rule, fault.path)
    assert wanted in issues
    assert {line for line, _, _ in issues} == {len(others) + 1}
    assert [rule for _, rule, _ in issues if rule != fault.rule] in (
        [],
        *_FOLLOWS.get(fault.rule, ()),
    )


_FOLLOWS: dict[str, tuple[list[str], ...]] = {
    # The other end of the same fault: who was to be answered, or has no message left.
    "tool.answer": (["tool_call.unanswered"],),
    "tool_call.duplicate_id": (["tool.answer"],),
    "pair.output": (["pair.no_assistant"],),
    "tool.name": (["tool_call.undeclared"],),
    "tool.parameters": (["tool_call.schema"],),
}


def test_each_example_has_a_fault() -> None:
    assert {fault.example for fault in FAULTS} == set(EXAMPLES)


_STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("parameters", "inside"),
    [
        ({"type": "object", "properties": {"a": {"type": "strin"}}}, "properties.a.type"),
        ({"properties": {"a": {"type": ["string", "none"]}}}, "properties.a.type"),
        ({"properties": {"a": {"type": "array", "items": {"type": "str"}}}},
         "properties.a.items.type"),
        ({"properties": {"a": "string"}}, "properties.a"),
        ({"properties": {"a": {"anyOf": [_STRING, {"type": 3}]}}}, "properties.a.anyOf[1].type"),
        ({"properties": {"a": {"type": "object", "properties": []}}}, "properties.a"),
        ({"properties": {"a": {"type": "object", "required": "b"}}}, "properties.a"),
        ({"properties": {"a": {"enum": "b"}}}, "properties.a.enum"),
        ({"properties": {}, "$defs": {"d": {"type": "dict"}}}, '["$defs"].d.type'),
        ({"properties": {}, "additionalProperties": {"type": "any"}}, "additionalProperties.type"),
        ({"oneOf": {"type": "string"}}, "oneOf"),
    ],
)  # fmt: skip
def test_schemas_inside_parameters_are_looked_at(
    parameters: Row, inside: str, tmp_path: Path
) -> None:
    row = copy.deepcopy(EXAMPLES["several turns with weights"][1])
    row["tools"] = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    joint = "" if inside.startswith("[") else "."
    path = f"tools[0].function.parameters{joint}{inside}"
    assert list(found(tmp_path, Method.SUPERVISED, row)) == [(1, "tool.parameters", path)]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {"type": _STRING, "enum": {"enum": ["a", 1, None]}}},
        {"properties": {"a": {"type": ["string", "null"]}, "b": True, "c": {}}, "required": []},
        {"properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"anyOf": [_STRING]}}},
        {"properties": {"a": {"type": "array", "items": [_STRING], "minItems": 1}}},
        {"properties": {"a": {"not": _STRING, "default": {"type": "x"}, "examples": ["y"]}}},
        {"type": "object", "additionalProperties": False, "patternProperties": {"^a": _STRING}},
    ],
)
def test_schemas_that_are_right_pass(parameters: Row, tmp_path: Path) -> None:
    row = copy.deepcopy(EXAMPLES["several turns with weights"][1])
    row["tools"] = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    assert list(found(tmp_path, Method.SUPERVISED, row)) == []
