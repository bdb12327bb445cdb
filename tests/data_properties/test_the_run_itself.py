"""The run would notice: a fast path that is wrong, a branch that nothing reaches, a rule missed."""

from __future__ import annotations

import ast
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.data_properties.refusals import Marker, Refusals, complaint, marked_room
from tests.data_properties.run import LIMITS, Run

CODE = """
def accept(a, b, c):
    if not (a and b) or c > 1:
        return False
    try:
        ready = 1 // (2 - b)
    except (ValueError, ZeroDivisionError):
        return None
    if ready == c:
        raise RuntimeError
    else:
        a = 3
    for _ in range(a):
        if b:
            a += 1
    no = lambda value: not value
    if any(one < 0 or no(one) for one in (a, b)):
        return False
    return b == 1 and bool(c)
"""


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    word: str


class Outer(msgspec.Struct):
    inner: list[Inner]


def marked(refusals: Refusals) -> Any:
    """Return the function above, with marks."""
    tree = ast.fix_missing_locations(Marker("code", refusals).visit(ast.parse(CODE)))
    module = {"__decided__": refusals.decided, "__caught__": refusals.caught}
    exec(compile(tree, "code", "exec"), module)
    return module["accept"]


def test_every_operand_of_a_refusal_is_a_site() -> None:
    refusals = Refusals()
    accept = marked(refusals)
    assert [site.rpartition(": ")[2] for site in refusals.sites] == [
        "a is False", "b is False", "c > 1 is True", "except", "except ValueError",
        "except ZeroDivisionError", "ready == c is True", "value is True", "one < 0 is True",
        "no(one) is True", "b == 1 is False", "bool(c) is False",
    ]  # fmt: skip
    assert accept(0, 1, 0) is accept(1, 0, 0) is accept(1, 1, 2) is False
    assert accept(1, 2, 0) is None
    assert accept(1, -1, 1) is False
    assert len(refusals.never_taken()) == 5
    assert accept(1, 3, 1) is accept(1, 1, 0) is False
    with pytest.raises(RuntimeError):
        accept(1, 1, 1)
    never = [site.rpartition(": ")[2] for site in refusals.never_taken()]
    assert never == ["except ValueError", "no(one) is True"]


def test_complaints_are_told_apart() -> None:
    said = set()
    for text in ('{"inner": [{"word": 1}]}', '{"inner": [{}]}', '{"inner": [{"a": 1}]}', "{}"):
        with pytest.raises(msgspec.ValidationError) as caught:
            msgspec.json.decode(text, type=Outer)
        said.add(complaint(str(caught.value)))
    assert said == {"type of word", "missing word", "unknown key", "missing inner"}


@pytest.mark.parametrize("maker", ["question", "talk", "rich"])
def test_rows_that_only_the_judge_refuses_are_noticed(maker: str, tmp_path: Path) -> None:
    """A judge that became stricter is the same as a fast path that accepts too much."""
    with marked_room(LIMITS):
        run = Run(tmp_path, seed=1)
        rows = [getattr(run.good, maker)() for _ in range(20)]
        rows[7]["messages"][0]["content"] = "planted"
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        assert run.compare(content).issues == ()
        make_judge_stricter()
        with pytest.raises(AssertionError, match=r"(?s)message.empty.*line 8"):
            run.compare(content)


def make_judge_stricter() -> None:
    """Let the judge of the room dislike a word, wherever it is called from."""
    row: Any = importlib.import_module("ftproviders.data.exact.row")
    findings: Any = importlib.import_module("ftproviders.data.findings")
    usual = row.check_row

    def stricter(value: object, **wishes: Any) -> Iterator[Any]:
        yield from usual(value, **wishes)
        if "planted" in json.dumps(value):
            yield findings.Finding(rule="message.empty", message="planted")

    for name, module in list(sys.modules.items()):
        if name.startswith("ftproviders.data") and vars(module).get("check_row") is usual:
            vars(module)["check_row"] = stricter


def test_the_room_is_as_before_afterwards() -> None:
    before: Any = importlib.import_module("ftproviders.data.rule")
    usual = before.MAX_ROW_BYTES
    with marked_room(LIMITS):
        inside: Any = importlib.import_module("ftproviders.data.rule")
        assert inside is not before
        assert usual > inside.MAX_ROW_BYTES
    assert importlib.import_module("ftproviders.data.rule") is before
    assert usual == before.MAX_ROW_BYTES
    assert importlib.import_module("ftproviders").data is sys.modules["ftproviders.data"]
