"""Sizes, line ends and declarations at the edges of what the native engine keeps in tables."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
from array import array
from typing import Any

import pytest

from ftproviders.data.engine import ExactEngine, Rows, TwoPathEngine
from ftproviders.data.engines import NativeEngine
from ftproviders.data.exact.parts import SPARED_IMAGES
from ftproviders.data.findings import Finding
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.rule import MAX_DEPTH
from ftproviders.data.stream import Block
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Severity
from tests.data_properties.native_rows import RARE
from tests.unit.data.data_cases import GOOD, ROW_CASES
from tests.unit.data.test_native import assert_same
from tests.unit.data.test_native_faults import made_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ftproviders.data._native") is None,
    reason="the native engine is not built here",
)
_GOOD = GOOD.encode()


def line_of(prompt: str, answer: str = "b", **more: Any) -> bytes:
    said = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": said, **more}).encode()


@pytest.mark.parametrize("size", [0, 4_094, 4_095, 4_096, 4_097, 70_000, 140_000, 3_000_000])
def test_each_size_is_counted_as_it_is(size: int) -> None:
    assert_same(line_of("x" * size))
    assert_same(b"\n".join((line_of("a", "x" * size), _GOOD, line_of("a", "x" * size))))


@pytest.mark.parametrize("before", [0, 1, 2, 9])
def test_the_first_line_with_a_carriage_return(before: int) -> None:
    assert_same(b"\n".join([*[_GOOD] * before, _GOOD + b"\r", _GOOD, _GOOD + b"\r"]))
    assert_same(b"\n".join([*[b"{}"] * before, b"}\r", b"\r"]))


@pytest.mark.parametrize("more", range(-2, 20))
@pytest.mark.parametrize("letter", ["x", "é"])
def test_prompts_of_about_the_length_from_which_they_are_sampled(more: int, letter: str) -> None:
    prompt = "".join(chr(65 + number % 57) for number in range(1_024 + more - 1)) + letter
    assert_same(line_of(prompt))
    assert_same(line_of(letter + prompt))


@pytest.mark.parametrize("place", RARE)
def test_the_line_of_a_first_row_that_only_python_takes(place: str) -> None:
    before = b'{"prompt": "a", "completion": "b"}\n{}\n'
    assert_same(before + RARE[place])
    assert_same(before + RARE[place] + b"\n" + _GOOD)


def test_faults_are_handed_over_once() -> None:
    ledger = Ledger(judgements({}), max_issues=0)
    engine = NativeEngine(Rows())
    engine.check(Block(1, raw=ROW_CASES["message.role"].row.encode()), ledger)
    engine.check(Block(2, raw=b'{"prompt": "a", "completion": "b"}'), ledger)
    engine.finish(ledger)
    counts, tally = +ledger.counts, ledger.tally.to_statistics()
    engine.finish(ledger)
    assert +ledger.counts == counts
    assert ledger.tally.to_statistics() == tally
    assert counts["message.role"] == 1
    assert tally.rows == 2


def _declaring(name: str, described: int = 0) -> dict[str, Any]:
    return {"name": name, "description": "d" * described, "parameters": {"type": "object"}}


@pytest.mark.parametrize("described", [9, 70_000])
def test_functions_of_both_kinds_in_one_row(described: int) -> None:
    """Declarations that are too long to be remembered, beside those of the deprecated kind."""
    lines = []
    for name in ("f", "g", "h"):
        call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
        said = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]
        tools = [{"type": "function", "function": _declaring("f", described)}]
        each: tuple[dict[str, Any], ...] = (
            {"tools": tools, "functions": [_declaring("g")]},
            {"functions": [_declaring("h")], "tools": tools},
            {"functions": [_declaring("h", described)]},
            {"tools": tools},
            {},
        )
        lines += [json.dumps({"messages": said, **more}).encode() for more in each]
    assert_same(b"\n".join(lines))
    assert_same(b"\n".join(reversed(lines)))


@pytest.mark.parametrize("choices", [["a"], ["a", "b"], ["a", None], [None], ["a", 1], []])
@pytest.mark.parametrize("kind", ["string", ["string", "null"], "integer", None])
def test_values_that_are_chosen_from(choices: list[Any], kind: Any) -> None:
    of = {"enum": choices} | ({"type": kind} if kind else {})
    function = {"name": "f", "parameters": {"type": "object", "properties": {"a": of}}}
    lines = []
    for value in ("a", "b", "c", "A", "", None, 1, 1.0, True, ["a"]):
        call = {"name": "f", "arguments": json.dumps({"a": value})}
        one = {"id": "c", "type": "function", "function": call}
        said = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [one]}]
        row = {"messages": said, "tools": [{"type": "function", "function": function}]}
        lines.append(json.dumps(row).encode())
    assert_same(b"\n".join(lines))


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 64, 65])
def test_the_last_of_many_properties(count: int) -> None:
    """There is a bit for each property up to a number of them; with more, Python is asked."""
    names = [f"p{number}" for number in range(count)]
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in names}}
    lines = []
    for required in ([], names[-1:], names[:1], names):
        function = {"name": "f", "parameters": {**schema, "required": required}}
        for given in ({}, dict.fromkeys(names, 1), {names[-1]: 1}, {names[-1]: "a"}, {names[0]: 1}):
            call = {"name": "f", "arguments": json.dumps(given)}
            one = {"id": "c", "type": "function", "function": call}
            said = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [one]}]
            row = {"messages": said, "tools": [{"type": "function", "function": function}]}
            lines.append(json.dumps(row).encode())
    assert_same(b"\n".join(lines))


@pytest.mark.parametrize("count", [3, 8, 9, 40])
def test_prompts_that_go_to_the_last_slot_of_a_table(count: int) -> None:
    """Those that find it taken go to the first ones."""
    shift = next(bits for bits in range(28, 0, -1) if 2 ** (32 - bits) >= 4 * count)
    last = 2 ** (32 - shift) - 1
    heads = [head for head in range(count * 4_000) if head * 2_654_435_769 % 2**32 >> shift == last]
    chosen = [*heads[:count], *heads[:count]]
    assert len(chosen) == 2 * count, "enough of them were tried"
    records = array("Q", [n for line, head in enumerate(chosen) for n in (head << 32, line, 0)])
    extension: Any = importlib.import_module("ftproviders.data._native")
    assert extension.repeated([(records, 0)]) == records.tobytes()


@pytest.mark.parametrize("kind", ["integer", "number", "string"])
def test_integers_of_hundreds_of_digits_are_integers(kind: str) -> None:
    """Python reads up to 4,300 of them (sys.get_int_max_str_digits)."""
    function = {
        "name": "f",
        "parameters": {"type": "object", "properties": {"a": {"type": kind}}},
    }
    lines = []
    for digits in (300, 301, 399, 400, 700, 4_299, 4_300, 4_301):
        for text in ("1" * digits, "-" + "1" * digits):
            call = {"name": "f", "arguments": f'{{"a": {text}}}'}
            one = {"id": "c", "type": "function", "function": call}
            said = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [one]}]
            row = {"messages": said, "tools": [{"type": "function", "function": function}]}
            lines.append(json.dumps(row).encode())
    for kind_of_engine in (NativeEngine, TwoPathEngine):
        assert_same(b"\n".join(lines), kind_of_engine)


def _seeing(images: int, **more: Any) -> bytes:
    part = {"type": "image_url", "image_url": {"url": "https://a.b/c", **more}}
    said = [{"role": "user", "content": [part] * images}, {"role": "assistant", "content": "b"}]
    return json.dumps({"messages": said}).encode()


def test_rows_with_about_as_many_images_as_are_taken() -> None:
    limits = {"few": DataProfile(maximum_row_images=SPARED_IMAGES), "many": DataProfile()}
    for images in range(SPARED_IMAGES - 1, SPARED_IMAGES + 4):
        line = _seeing(images)
        found = made_of(NativeEngine, line, limits, 0, None)
        assert found == made_of(ExactEngine, line, limits, 0, None)
        assert found[1][0].ok == (images <= SPARED_IMAGES)


def test_each_unknown_key_of_an_image_counts() -> None:
    for more in ({}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}):
        assert_same(_seeing(2, **more))


def test_what_is_nested_too_deep_and_broken() -> None:
    """The judge says the first and not the second; brackets in texts count as well."""
    for depth in range(MAX_DEPTH - 3, MAX_DEPTH + 4):
        for end in ("", "]", "}", "]" * depth + "x"):
            assert_same(("[" * depth + end).encode())
            assert_same(('{"messages": ' + "[" * depth + end).encode())
        assert_same(f'{{"messages": "{"[" * depth}"'.encode())
        assert_same(("x" + "[" * depth).encode())
        assert_same(("{x" + "[" * (depth - 1)).encode())


def test_a_row_is_trained_on_by_any_of_its_answers() -> None:
    for weights in itertools.product((0, 1, None), repeat=3):
        said: list[dict[str, Any]] = []
        for weight in weights:
            answer = {"role": "assistant", "content": "b"}
            said += [{"role": "user", "content": "a"},
                     answer if weight is None else {**answer, "weight": weight}]  # fmt: skip
        assert_same(json.dumps({"messages": said}).encode())


@pytest.mark.parametrize(
    "url", ["https:///a.png", "https://", "https:////a", "https://.", "https://a", "https://a/"]
)
def test_addresses_with_and_without_a_host(url: str) -> None:
    assert_same(_seeing(1, url=url))


def test_halves_of_pairs_in_any_order() -> None:
    halves = (r"\ud83d", r"\ude00", r"\udbff", r"\udc00", r"\udfff", r"\ud800", "x", r"\u0041")
    for pair in itertools.product(halves, repeat=3):
        assert_same(GOOD.replace("Yo", "".join(pair)).encode())


def test_detail_is_wanted_as_long_as_one_provider_that_minds_has_room() -> None:
    """Rows of text: an error for one, a warning for another, and good for a third."""
    rule = "row.messages"
    profiles = {
        "strict": DataProfile(severities={rule: Severity.ERROR}),
        "mild": DataProfile(severities={rule: Severity.WARNING}),
        "taking": DataProfile(row_shapes=frozenset({"messages", "text"})),
    }
    ledger = Ledger(judgements(profiles), max_issues=1, profiles=profiles)
    assert ledger.wants_shape(rule, "text")
    finding = Finding(rule="row.object", message="the row is a list")
    ledger.add(finding, line=1, text="[]")
    assert not ledger.wants(rule), "there is no room for another error"
    assert ledger.wants_shape(rule, "text"), "but there is for a warning"
    assert not ledger.wants_shape(rule, "messages"), "whose rows everybody takes"
