"""The native engine by itself, and what happens where it is not."""

from __future__ import annotations

import importlib
import itertools
import json
import random
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftproviders import data
from ftproviders.data import engines, keys, threads, workers
from ftproviders.data.engine import ExactEngine, Rows, TwoPathEngine
from ftproviders.data.engines import NativeEngine, engine_for
from ftproviders.data.keys import RowKeys
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.native import native
from ftproviders.data.rule import SPECIAL_TOKENS
from ftproviders.data.stream import Block, _crlf_line
from ftproviders.errors import ConfigurationError
from ftproviders.provider import DataProfile
from ftproviders.schema.hyperparameters import Method
from tests.data_properties.native_rows import RARE
from tests.unit.data.data_cases import GOOD, ROW_CASES
from tests.unit.data.test_agreement import INSERTS

try:
    extension: Any = importlib.import_module("ftproviders.data._native")
except ImportError:
    extension = None

built = pytest.mark.skipif(extension is None, reason="the native engine is not built here")
PROFILES = {"all": DataProfile()}
ROWS = [
    *(text.encode() for case in ROW_CASES.values() for text in (case.row, case.inside)),
    *RARE.values(),
]


def seen(engine: ExactEngine, raw: bytes, rows: Rows, *, detail: int = 100_000) -> Any:
    """Return everything that an engine makes of some lines."""
    ledger = Ledger(judgements(PROFILES), max_issues=detail, profiles=PROFILES)
    block = Block(1, raw=raw, offset=7)
    engine.check(block, ledger)
    engine.finish(ledger)
    assert rows.keys is not None
    kept = [list(part) for part in rows.keys.read(0)]
    return (ledger.issues(), ledger.tally, +ledger.counts, ledger.first_of_shape, block.blank, kept,
            rows.long_rows, _crlf_line(block))  # fmt: skip


def assert_same(raw: bytes, kind: Callable[[Rows], ExactEngine] = NativeEngine) -> None:
    """With all detail a row that is refused too often is only slower; without it, counted.

    Lines that are no JSON are counted only where nobody asks for long rows.
    """
    for detail, long_bytes in ((100_000, 300), (0, 300), (0, None)):
        one, two = (Rows(keys=RowKeys(), long_bytes=long_bytes) for _ in range(2))
        expected = seen(ExactEngine(two), raw, two, detail=detail)
        assert seen(kind(one), raw, one, detail=detail) == expected


@built
def test_rows_of_every_rule_side_by_side() -> None:
    good = GOOD.encode()
    assert_same(b"\n".join(line for row in ROWS for line in (row, b"", good)) + b"\n")
    assert_same(b"\r\n".join([good, b" \t", good, b"}", good]))


@built
@pytest.mark.parametrize("seed", range(4))
def test_rows_that_are_cut_or_changed(seed: int) -> None:
    """Arbitrary bytes, rows cut anywhere, and bytes put anywhere: the judge says the same."""
    chance = random.Random(seed)
    lines = []
    for _ in range(1_500):
        row = chance.choice(ROWS[:120])
        at = chance.randrange(len(row) + 1)
        match chance.randrange(4):
            case 0:
                row = row[:at]
            case 1:
                row = row[:at] + chance.choice(INSERTS) + row[at:]
            case 2:
                row = row[:at] + bytes([chance.randrange(256)]) + row[at + 1 :]
            case _:
                row = chance.randbytes(chance.randrange(40))
        lines.append(row.replace(b"\n", b" "))
    assert_same(b"\n".join(lines))


@built
def test_a_block_that_ends_anywhere() -> None:
    """A row at the end of the block: nothing behind it is read."""
    row = ROW_CASES["tool_call.schema"].inside.encode() + b'"\\u00e9\\ud83d\\ude00\xf0\x9f\x98\x80'
    for end in range(len(row) + 1):
        assert_same(GOOD.encode() + b"\n" + row[:end])


@built
def test_every_character_of_the_usual_planes() -> None:
    codes = [*range(0x3001), *range(0xD700, 0x10000, 7), *range(0x10000, 0x110000, 997)]
    texts = [chr(code) for code in codes if not 0xD800 <= code < 0xE000]
    rows = [
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": text}]}
        for text in texts
    ]
    for ascii_only in (True, False):
        lines = [json.dumps(row, ensure_ascii=ascii_only).encode() for row in rows]
        assert_same(b"\n".join(lines))


@built
def test_bytes_that_are_no_utf_8() -> None:
    row = GOOD.encode()
    leads, middle = (0xC0, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5), (0x41, 0x80, 0x8F, 0x90)
    each = itertools.product(leads, (*middle, 0x9F, 0xA0, 0xBF), (0x41, 0x80), (0x80,))
    sequences = [bytes(sequence) for sequence in each]
    assert_same(
        b"\n".join(row.replace(b"Hi", bad[:size]) for bad in sequences for size in (2, 3, 4))
    )


@built
def test_keys_of_long_prompts_in_any_script() -> None:
    chance = random.Random(3)
    lines = []
    for _ in range(300):
        words = chance.choices(("word", "größe", "日本語", "😀", "\n", '"', "ж"), k=900)
        texts = ["".join(words[:at]) for at in sorted(chance.choices(range(900), k=4))]
        roles = ("system", "user", "user", "assistant")
        said = [{"role": r, "content": t + "."} for r, t in zip(roles, texts, strict=True)]
        lines.append(json.dumps({"messages": said}, ensure_ascii=chance.random() < 0.5).encode())
    assert_same(b"\n".join(lines))
    assert_same(b"\n".join(lines), TwoPathEngine)


@built
def test_sizes_of_every_kind_are_counted() -> None:
    """Orders of roles without number, and texts larger than the table of small ones."""
    chance = random.Random(11)
    roles = ("system", "developer", "user", "assistant")
    lines = []
    for _ in range(3_000):
        said = [
            {"role": chance.choice(roles), "content": "ä" * int(chance.paretovariate(0.4) % 9_000)}
            for _ in range(chance.randrange(1, 8))
        ]
        lines.append(json.dumps({"messages": said}, ensure_ascii=False))
    assert_same("\n".join(lines).encode())


@built
def test_too_many_sizes_are_added_up_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_MOST_DIFFERENT", 100)
    rows = Rows(keys=RowKeys())
    engine, ledger = NativeEngine(rows), Ledger(judgements({}), max_issues=1)
    line, waiting = 1, set()
    for start in range(5_000, 8_000, 60):
        block = b"".join(
            GOOD.replace("Hi", "x" * size).encode() + b"\n" for size in range(start, start + 60)
        )
        engine.check(Block(line, raw=block), ledger)
        line += 60
        waiting.add(engine._scanner.waiting)
    assert waiting == {0, 60}, "once there are more than 100, they are added up"
    engine.finish(ledger)
    assert sorted(ledger.tally.of_role("user").counts) == list(range(5_000, 8_000))


@built
def test_arguments_beside_many_declarations() -> None:
    """Kinds of values, required and unknown properties; and more declarations than are kept."""
    kinds = ("string", "boolean", "number", "integer", "object", "array", "null", None)
    values = ('"a"', "true", "1", "-1.5", "1.0", "1e2", "{}", '{"a": [1]}', "[]", "null",
              "1" * 350, '"\\u0000"', "NaN")  # fmt: skip
    lines = []
    for number, (kind, value) in enumerate(itertools.product(kinds, values)):
        more = [f"ä{number}", *[f"p{one}" for one in range(70 if number == 9 else 0)]]
        properties: dict[str, Any] = {name: {"type": "string"} for name in more}
        properties["a"] = {"type": kind} if kind else {}
        schema = {"type": "object", "required": ["a"][: number % 2], "properties": properties}
        tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
        forms = (
            f'{{"a": {value}}}',
            f'{{"a":{value}, "ä{number}": "\\u00e9"}}',
            "{}",
            f'{{"b": {value}}}',
            f'{{"a": 1, "a": {value}}}',
            f"[{value}]",
        )
        for arguments in forms:
            call = {"id": "c", "type": "function",
                    "function": {"name": "f", "arguments": arguments}}  # fmt: skip
            said = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]
            lines.append(json.dumps({"messages": said, "tools": tools}))
    chance = random.Random(2)
    chance.shuffle(lines)
    assert_same("\n".join(lines).encode())


@built
@pytest.mark.parametrize("form", ["{}\n", "\n{}"])
def test_long_arguments_for_which_there_is_no_room(form: str) -> None:
    text = json.dumps({"q": form.format("x" * 90_000)})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
    asked = [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [call]}]
    line = json.dumps({"messages": asked}).encode()
    engine = NativeEngine(Rows(keys=RowKeys()))
    engine.check(Block(1, raw=line), Ledger(judgements({}), max_issues=1))
    assert engine.refusals()["NO_ARGUMENTS"] == 1
    assert_same(line)


@built
def test_faults_are_counted_without_detail() -> None:
    bad = ROW_CASES["message.role"].row.encode()
    lines = [bad.replace(b'"Hi"', f'"Hi {number}"'.encode()) for number in range(500)]
    rows = Rows(keys=RowKeys())
    engine = NativeEngine(rows)
    issues, tally, counts, *_ = seen(engine, b"\n".join(lines), rows, detail=3)
    assert len(issues[0]) == 3
    assert issues[1] == 497
    assert tally.rows == counts["message.role"] == 500
    assert engine.refusals()["NO_ROOM_FOR_DETAIL"] == 500, "of one block, before there was any"
    assert engine.sample(b"\n".join(lines)) == (500, 0)


@built
def test_control_tokens_are_those_of_the_rule() -> None:
    assert extension.TOKENS == SPECIAL_TOKENS


@built
def test_what_a_question_raises_comes_through() -> None:
    def fail(*_: object) -> bool:
        raise KeyboardInterrupt

    row = ROW_CASES["tool_call.schema"].inside.encode()
    named = {"spared_images": 10, "long_characters": 9, "edge": 1}
    named |= {"completions": False, "texts": False, "long_bytes": -1}
    scanner = extension.Scanner(fail, fail, fail, step=2, **named)
    with pytest.raises(KeyboardInterrupt):
        scanner.scan(row, 1, 0, 0)
    with pytest.raises(RuntimeError, match="made once"):
        scanner.__init__(fail, fail, fail, step=2, **named)
    with pytest.raises(ValueError, match="step"):
        extension.Scanner(fail, fail, fail, step=0, **named)
    with pytest.raises(TypeError):
        scanner.scan("text", 1, 0, 0)


@built
def test_buckets_are_those_of_python() -> None:
    chance = random.Random(5)
    records = array("Q", [chance.getrandbits(64) for _ in range(3 * 999)])
    for buckets in (1, 7, 64):
        assert extension.spread(records, buckets) == keys._spread(records, buckets)
    heads = [chance.randrange(2_000) for _ in range(1_500)]
    rows = [(head << 32 | number, number, 9 * number) for number, head in enumerate(heads)]
    parts = [(array("Q", itertools.chain(*rows[:700])), 0),
             (array("Q", itertools.chain(*rows[700:])), 5)]  # fmt: skip
    twice = [
        (key, line + (0 if line < 700 else 5), place)
        for key, line, place in rows
        if heads.count(key >> 32) > 1
    ]
    found = array("Q", extension.repeated(parts))
    assert list(zip(found[0::3], found[1::3], found[2::3], strict=True)) == twice
    assert extension.repeated([]) == b""
    with pytest.raises(TypeError):
        extension.repeated([parts[0][0]])
    with pytest.raises(ValueError, match="records"):
        extension.repeated([(b"1234", 0)])
    with pytest.raises(ValueError, match="records"):
        extension.spread(b"1234", 4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    rows = [GOOD.replace("Hi", f"Hi {number % 2_990}") for number in range(3_000)]
    rows[1_500] = ROW_CASES["message.role"].row
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def test_without_the_extension_everything_is_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = data.validate(file, profiles=PROFILES, across_rows=True)
    monkeypatch.setitem(sys.modules, "ftproviders.data._native", None)
    assert native() is None
    assert type(engine_for(Rows())) is TwoPathEngine
    assert data.validate(file, profiles=PROFILES, across_rows=True) == found
    assert [issue.rule for issue in found[1].issues].count("rows.duplicate") == 10


def test_the_engine_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "python")
    assert type(engine_for(Rows())) is TwoPathEngine
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "native")
    monkeypatch.setitem(sys.modules, "ftproviders.data._native", None)
    with pytest.raises(ConfigurationError, match="not here") as caught:
        engine_for(Rows())
    assert "C compiler" in str(caught.value.hint)
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "rust")
    with pytest.raises(ConfigurationError, match="'rust'"):
        native()


@built
def test_the_extension_is_taken_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FTPROVIDERS_DATA_ENGINE", raising=False)
    assert type(engine_for(Rows())) is NativeEngine
    assert type(engine_for(Rows(method=Method.DPO))) is TwoPathEngine


def no_process(job: workers.Job) -> subprocess.Popen[bytes]:
    raise AssertionError("a process was started")


@built
@pytest.mark.parametrize("count", [2, 3])
def test_threads_find_what_one_finds(
    file: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    one = data.validate(file, profiles=PROFILES, across_rows=True, workers=1)
    monkeypatch.setattr(workers, "_start", no_process)
    told: list[tuple[int, int]] = []
    found = data.validate(file, profiles=PROFILES, across_rows=True, workers=count,
                          on_progress=lambda *read: told.append(read))  # fmt: skip
    assert found == one
    wishes = data.Wishes(
        profiles=PROFILES, workers=count, on_progress=lambda *read: told.append(read)
    )
    report = data.look_at(file, wishes)
    assert report == one[1].model_copy(update={"sha256": None})
    assert told[-1] == (file.stat().st_size,) * 2


@built
def test_an_interrupt_ends_the_threads(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(done: int, whole: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "_start", no_process)
    with pytest.raises(KeyboardInterrupt):
        data.validate(file, profiles=PROFILES, workers=2, on_progress=interrupt)


@built
def test_files_of_rows_for_the_judge_get_processes(file: Path) -> None:
    jobs = [workers.Job(path=file, method=Method.SUPERVISED, shapes=frozenset(), rules={},
                        profiles={}, max_issues=1, want_keys=False)]  # fmt: skip
    assert threads.suit_threads(jobs)
    file.write_text('{"prompt": "a", "completion": 1}\n' * 50)
    assert not threads.suit_threads(jobs)


def test_processes_find_what_one_finds_without_a_digest(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "python")
    told: list[tuple[int, int]] = []
    one, two = (
        data.look_at(file, data.Wishes(profiles=PROFILES, workers=count,
                                       on_progress=lambda *read: told.append(read)))
        for count in (1, 2)
    )  # fmt: skip
    assert one == two
    assert one.sha256 is None
    assert told[-1][0] <= told[-1][1] == file.stat().st_size
