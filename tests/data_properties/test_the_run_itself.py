"""The run would notice: a fast path that is wrong, a branch that nothing reaches, a rule missed."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ftproviders.schema.hyperparameters import Method
from tests.data_properties.refusals import FAST, Marker, Refusals, complaint, marked_room
from tests.data_properties.run import LIMITS, PLANTED, Run

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
    assert [site.partition(": ")[2] for site in refusals.sites] == [
        "a is False", "b is False", "c > 1 is True", "except ValueError",
        "except ZeroDivisionError", "ready == c is True", "b == 1 is False", "bool(c) is False",
    ]  # fmt: skip
    assert accept(0, 1, 0) is accept(1, 0, 0) is accept(1, 1, 2) is False
    assert accept(1, 2, 0) is None
    assert len(refusals.never_taken()) == 4
    assert accept(1, 3, 1) is accept(1, 1, 0) is False
    with pytest.raises(RuntimeError):
        accept(1, 1, 1)
    assert [site.partition(": ")[2] for site in refusals.never_taken()] == ["except ValueError"]


def test_complaints_are_told_apart() -> None:
    said = set()
    for text in ('{"inner": [{"word": 1}]}', '{"inner": [{}]}', '{"inner": [{"a": 1}]}', "{}"):
        with pytest.raises(msgspec.ValidationError) as caught:
            msgspec.json.decode(text, type=Outer)
        said.add(complaint(str(caught.value)))
    assert said == {"type of word", "missing word", "unknown key", "missing inner"}


@pytest.mark.parametrize("rule", ["message.special_token", "json.duplicate_key", "message.empty"])
def test_a_fast_path_that_accepts_too_much_is_noticed(rule: str, tmp_path: Path) -> None:
    with marked_room(LIMITS):
        run = Run(tmp_path, seed=1)
        content = PLANTED[Method.SUPERVISED][rule] + b"\n"
        assert [issue.rule for issue in run.compare(content).issues] == [rule]
        fast: Any = sys.modules[FAST]
        fast.FastPath.accept = lambda path, line: True
        fast.FastPath.accept_block = lambda path, raw: None
        with pytest.raises(AssertionError, match=rule):
            run.compare(content)


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
