"""Good rows of every shape, written in every way: no rule finds anything in them."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.unit.data.method_cases import png

_WORDS = (
    "the", "answer", "is", "a", "tree", "café", "naïve", "日本", "🙂", "x|y", "<b>", "\n", "\t",
    'say "so"', "back\\slash", "C:\\", "10 %", "\u2028", "\u00a0", "{", "]", "weight", "null", "é",
)  # fmt: skip
_NAMES = ("look", "find_it", "get-weather", "f")
_ONE = {"type": "object", "properties": {"q": {"type": "integer"}}}
_SCHEMAS: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    ({**_ONE, "required": ["q"]}, ({"q": 1}, {"q": 2.0}, {"q": 3, "more": None})),
    (_ONE, ({}, {"q": 1}, {"r": 1})),
    ({**_ONE, "enum": [{"q": 1}, {"q": 2}]}, ({"q": 1}, {"q": 2})),
    ({**_ONE, "additionalProperties": False}, ({"q": 1},)),
    ({"properties": {"q": {"enum": ["a", 1, None]}}}, ({"q": "a"}, {"q": 1}, {"q": None})),
    ({"type": "object", "properties": {
        "s": {"type": "string"}, "n": {"type": "number"}, "b": {"type": "boolean"},
        "l": {"type": "array", "items": {"type": "string"}}, "o": {"type": "object"},
        "z": {"type": ["string", "null"]}, "d": {"type": "object", "required": ["x"]},
    }}, ({"s": "", "n": 1, "b": True, "l": ["a"], "o": {}}, {"n": 1.5, "z": None},
         {"d": {"x": 1}})),
    ({}, ({}, {"q": [1]})),
)  # fmt: skip
"""Parameters, and arguments that fit them."""

Json = dict[str, Any]


class GoodRows:
    """Makes rows.

    Args:
        chance: Source of chance; the same one makes the same rows.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._made = 0

    def text(self) -> str:
        """Return a text that says something and stands nowhere else."""
        self._made += 1
        chance = self._chance
        words = chance.choices(_WORDS, k=chance.choice((1, 2, 3, 8, 30)))
        return f"{self._made} {' '.join(words)}"

    def question(self) -> Json:
        """Return one question and its answer: the same order of roles in each row."""
        asks = {"role": "user", "content": self.text()}
        return {"messages": [asks, {"role": "assistant", "content": self.text()}]}

    def talk(self) -> Json:
        """Return a conversation of texts alone."""
        turns = self._chance.choice((1, 1, 1, 2, 3, 8))
        messages = []
        if self._chance.random() < 0.4:
            role = self._chance.choice(("system", "system", "developer"))
            messages.append({"role": role, "content": self.text()})
        for _ in range(turns):
            asked = self._chance.choice((1, 1, 1, 1, 2))
            messages += [{"role": "user", "content": self.text()} for _ in range(asked)]
            messages.append({"role": "assistant", "content": self.text()})
        return {"messages": messages}

    def rich(self) -> Json:
        """Return a conversation with parts, images, tools, calls, names, weights or refusals."""
        row = self.talk()
        for message in row["messages"]:
            if self._chance.random() < 0.6:
                self._enrich(message)
        if not any(m.get("weight", 1) for m in row["messages"] if m["role"] == "assistant"):
            row["messages"][-1]["weight"] = 1
        if self._chance.random() < 0.4:
            self._add_calls(row)
        if self._chance.random() < 0.2:
            row["parallel_tool_calls"] = self._chance.random() < 0.5
        return row

    def _enrich(self, message: Json) -> None:
        chance = self._chance
        if chance.random() < 0.3:
            message["name"] = chance.choice(("Ann", "b-1", "n" * 64))
        if chance.random() < 0.4:
            kind = "text"
            if message["role"] == "assistant" and chance.random() < 0.3:
                kind = "refusal"
            message["content"] = [{"type": kind, kind: message["content"]}]
            if message["role"] == "user" and chance.random() < 0.7:
                message["content"].append(self._image())
        if message["role"] == "assistant":
            if chance.random() < 0.4:
                message["weight"] = chance.choice((0, 1))
            if chance.random() < 0.3:
                message["refusal"] = chance.choice((None, self.text()))
                if message["refusal"] is not None and chance.random() < 0.5:
                    message["content"] = None

    def _image(self) -> Json:
        chance = self._chance
        url = chance.choice(("https://a.example/b.png", f"data:image/png;base64,{png(2)}"))
        image = {"url": url}
        if chance.random() < 0.5:
            image["detail"] = chance.choice(("auto", "low", "high"))
        return {"type": "image_url", "image_url": image}

    def _add_calls(self, row: Json) -> None:
        chance = self._chance
        name = chance.choice(_NAMES)
        count = chance.choice((1, 1, 2, 3))
        schema, fitting = chance.choice(_SCHEMAS)
        calls = [
            {"id": f"c{index}", "type": "function",
             "function": {"name": name, "arguments": json.dumps(chance.choice(fitting))}}
            for index in range(count)
        ]  # fmt: skip
        caller: Json = {"role": "assistant", "tool_calls": calls}
        if chance.random() < 0.5:
            caller["content"] = None
        if chance.random() < 0.7:
            row["tools"] = [
                {"type": "function", "function": {"name": name, "parameters": schema}},
                {"type": "function", "function": {"name": "other", "description": self.text()}},
            ]
        answers: list[Json] = [
            {"role": "tool", "tool_call_id": call["id"], "content": self.text()} for call in calls
        ]
        chance.shuffle(answers)
        last = {"role": "assistant", "content": self.text()}
        asks = {"role": "user", "content": self.text()}
        row["messages"] += [asks, caller] if chance.random() < 0.4 else [asks, caller, *answers,
                                                                        last]  # fmt: skip

    def pair(self) -> Json:
        """Return a preference row in OpenAI's shape."""
        asked = self.talk()["messages"][:-1]
        better, worse = ([{"role": "assistant", "content": self.text()}] for _ in range(2))
        return {"input": {"messages": asked}, "preferred_output": better,
                "non_preferred_output": worse}  # fmt: skip

    def columns(self) -> Json:
        """Return a preference row in TRL's columns."""
        row = {"prompt": self.text(), "chosen": self.text(), "rejected": self.text()}
        if self._chance.random() < 0.5:
            return row
        roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
        return {key: [{"role": roles[key], "content": row[key]}] for key in row}

    def graded(self) -> Json:
        """Return a row for a grader."""
        return {"messages": self.talk()["messages"][:-1], "answer": self.text()}

    def completion(self) -> Json:
        """Return a row of prompt and completion."""
        return {"prompt": self.text(), "completion": self.text()}

    def plain_text(self) -> Json:
        """Return a row that is one text."""
        return {"text": self.text()}


class Writing:
    """One way to write rows, for the whole of a file; now and then a row has its own.

    Args:
        chance: Source of chance.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._style = self._any()

    def _any(self) -> tuple[bool, tuple[str, str] | None, bool]:
        chance = self._chance
        separators = chance.choice((None, None, (",", ":"), (" , ", " :  ")))
        return chance.random() < 0.4, separators, chance.random() < 0.25

    def write(self, row: Json) -> bytes:
        """Return a row as a line without its end."""
        ascii_only, separators, turned = (
            self._style if self._chance.random() < 0.97 else self._any()
        )
        if turned:
            row = {**row, "messages": [dict(reversed(m.items())) for m in row["messages"]]} if (
                "messages" in row
            ) else row  # fmt: skip
        return json.dumps(row, ensure_ascii=ascii_only, separators=separators).encode()
