"""The fast path and the judge agree, and no bytes whatever make validation raise."""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ftproviders.data import RULES, validate
from ftproviders.data.engine import ExactEngine, TwoPathEngine
from ftproviders.data.fast import FastPath
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.positions import find_syntax_fault, walk
from ftproviders.data.stream import Block
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Severity
from tests.unit.data.data_cases import (
    ANSWER,
    CALL,
    GOOD,
    RESULT,
    ROW_CASES,
    TOOLS,
    USER,
    assistant,
    row,
)

EVERYTHING = {
    "all": DataProfile(severities={"row.consecutive_assistant": Severity.WARNING}),
}
SEEDS = tuple(text.encode() for case in ROW_CASES.values() for text in (case.row, case.inside))
INSERTS = (
    b'"', b"\\", b"\\\\", b'\\"', b"{", b"}", b"[", b"]", b",", b":", b" ", b"null", b"true", b"1",
    b"0", b"1.0", b"-0", b"1e400", b"\\u0000", b"\\ud800", b"\\ud83d\\ude00", b"\xff", b"\xc3\xa9",
    b"\xed\xa0\x80", b"<|im_end|>", b"<|", b"\x00", b"\t", b"\r", b"NaN", b'"weight": 0, ',
    b'"content": "x", ', b'"name": "n", ', b'"role": "user", ', b"assistant", b"tool", b"c2",
    b'"messages": [], ', b'"refusal": null, ', b"\x0b", b"\xe2\x80\xa8", b"9" * 500,
    b"\xef\xbb\xbf", b"a", b"Z", b"\\n", b"\\u00e9",
)  # fmt: skip


def ledger_of(engine: ExactEngine, line: bytes) -> Ledger:
    ledger = Ledger(judgements(EVERYTHING), max_issues=50)
    engine.check(Block(1, [line]), ledger)
    return ledger


def assert_agreement(line: bytes, engine: TwoPathEngine) -> Ledger:
    judge, both = ledger_of(ExactEngine(), line), ledger_of(engine, line)
    assert both.counts == judge.counts, line
    assert both.issues() == judge.issues(), line
    assert both.tally == judge.tally, line
    quiet = Ledger(judgements(EVERYTHING), max_issues=0)
    ExactEngine().check(Block(1, [line]), quiet)
    assert quiet.counts == judge.counts, line
    return judge


def mutate(line: bytes, chance: random.Random) -> bytes:
    """Change a row a little: put something in, take something out, swap two pieces."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at, to = sorted(chance.randrange(len(line) + 1) for _ in range(2))
        match chance.randrange(6):
            case 0:
                line = line[:at] + chance.choice(INSERTS) + line[at:]
            case 1:
                line = line[:at] + line[min(to, at + 12) :]
            case 2 | 3:
                line = line[:at] + chance.choice((b"", b" ", b"b", b"\\t")) + line[at + 1 :]
            case 4:
                other = chance.choice(SEEDS)
                line = line[:at] + other[at:to] + line[to:]
            case _:
                line = line[:at] + line[at:to] + line[at:]
    return line.replace(b"\n", b" ")


@pytest.mark.slow
def test_paths_agree_on_mutated_rows() -> None:
    chance = random.Random(20)
    engine = TwoPathEngine()
    fast, hits = FastPath(), Counter[str]()
    accepted = 0
    for _ in range(3_000):
        line = mutate(chance.choice(SEEDS), chance)
        hits.update(assert_agreement(line, engine).counts)
        accepted += not fast.look([line]).refused
    assert accepted > 60
    assert set(hits) >= {rule for rule in ROW_CASES if not rule.startswith("json.depth")}


@pytest.mark.slow
def test_paths_agree_on_mutated_values() -> None:
    chance = random.Random(4)
    engine = TwoPathEngine()
    odd: list[Any] = [None, 0, 1, True, "", " ", "x", "a b", [], {}, ["x"], 1.5, "<|end|>", -1]
    for _ in range(3_000):
        value = json.loads(chance.choice([case.inside for case in ROW_CASES.values()]))
        holder: Any = value
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = chance.choice(keys)
            child = holder[key]
            if isinstance(child, dict | list) and child and chance.random() < 0.8:
                holder = child
                continue
            holder[key] = chance.choice(odd)
            break
        assert_agreement(json.dumps(value, ensure_ascii=chance.random() < 0.5).encode(), engine)


@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_paths_agree_as_hypothesis_sees_it(line: bytes, chance: random.Random) -> None:
    assert_agreement(mutate(line, chance), TwoPathEngine())


_TALK = row(USER, assistant(f'"tool_calls": [{CALL}]'), RESULT, ANSWER, extra=f', "tools": {TOOLS}')
_SHOWN = row(
    '{"role": "user", "content": [{"type": "image_url", "image_url": '
    '{"url": "https://a.example/b.png", "detail": "low"}}, {"type": "text", "text": "?"}]}',
    assistant('"content": "Yo", "refusal": "no", "weight": 1, "name": "n"'),
)


@pytest.mark.parametrize("text", [_TALK, _SHOWN, GOOD], ids=["tools", "image", "plain"])
def test_any_key_that_stands_twice_is_seen_by_both(text: str) -> None:
    engine = TwoPathEngine()
    for key in re.findall(r'"\w+": ', text):
        for at in (m.start() for m in re.finditer(re.escape(key), text)):
            for value in ("1", "null", '"x"', "[]", '"\\\\"'):
                line = f"{text[:at]}{key}{value}, {text[at:]}"
                assert assert_agreement(line.encode(), engine).counts["json.duplicate_key"] == 1
                escaped = line.replace("Hi", "Hi \\\\").replace("Yo", '\\" Yo \\\\\\\\')
                assert_agreement(escaped.encode(), engine)


@pytest.mark.parametrize("text", [_TALK, _SHOWN, GOOD], ids=["tools", "image", "plain"])
def test_nul_in_any_string_is_seen_by_both(text: str) -> None:
    engine = TwoPathEngine()
    for found in re.finditer(r'"[\w:/. ]*"', text):
        line = f"{text[: found.end() - 1]}\\u0000{text[found.end() - 1 :]}"
        assert assert_agreement(line.encode(), engine).counts["json.nul"] == 1
    answered = _TALK.replace('"c1"', '"c1\\u0000"')
    assert assert_agreement(answered.encode(), engine).counts == {"json.nul": 1}


def test_good_rows_take_the_fast_path() -> None:
    fast = FastPath()
    slow = {rule for rule, case in ROW_CASES.items() if fast.look([case.inside.encode()]).refused}
    # Control tokens that are none, and a key of the old style, are left to the judge.
    assert slow <= {"message.special_token", "message.unknown_key"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(_JSON, st.booleans())
def test_walk_reads_what_json_writes(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    places = list(walk(text))
    assert places[0].path == ()
    for entry in places:
        found: Any = json.loads(text)
        for step in entry.path:
            found = found[step]
        decoded, _ = json.JSONDecoder().raw_decode(text, entry.start)
        assert decoded == found or decoded != decoded
        if entry.key is not None:
            assert json.JSONDecoder().raw_decode(text, entry.key)[0] == entry.path[-1]


@given(st.text(alphabet='{}[]",:\\u0123456789abcdefntrlse \t.-+EINay\x01', max_size=30))
@settings(max_examples=500)
@example('{"a": 1}')
@example('"\\u12"')
def test_walk_accepts_exactly_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        good = False
    else:
        good = True
    fault = find_syntax_fault(text)
    assert (fault is None) is good, text
    assert fault is None or 0 <= fault.offset <= len(text)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(
            st.one_of(st.sampled_from(SEEDS), st.sampled_from(INSERTS), st.binary(max_size=8)),
            max_size=12,
        ).map(b"".join),
        st.lists(st.sampled_from((*SEEDS, b"", b"\r")), max_size=6).map(b"\n".join),
    )
)
@settings(max_examples=400, deadline=None)
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"messages": [' + b"9" * 100_000 + b"]}")
@example(b'{"messages": [{"role": "assistant", "content": "' + b"\\" * 9_999 + b'"}]}')
@example(b"\x00" * 5000)
@example(b"\xff\xfe\x00")
def test_no_bytes_make_validation_raise(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "any.jsonl"
        file.write_bytes(content)
        dataset, report = validate(file, profiles=EVERYTHING)
        assert dataset.bytes == len(content)
        assert all(issue.rule in RULES and issue.message for issue in report.issues)
        assert report.verdicts["all"].errors >= sum(i.severity == "error" for i in report.issues)
        report.model_dump_json()
