"""Repairs: what has one way to be right is made right, everything else stays as it is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftproviders import data
from ftproviders.data.repair import repair
from ftproviders.data.repair.rowfix import repair_row
from ftproviders.errors import ConfigurationError, DatasetError
from ftproviders.provider.info import DataProfile
from ftproviders.schema.conversion import RepairReport
from ftproviders.schema.dataset import ValidationReport
from tests.unit.data.data_cases import ANSWER, GOOD, USER, assistant, row


def run(folder: Path, content: str | bytes) -> tuple[bytes, RepairReport]:
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    report = repair(source, out, overwrite=True)
    assert source.read_bytes() == (content.encode() if isinstance(content, str) else content)
    return out.read_bytes(), report


def validated(path: Path) -> ValidationReport:
    return data.validate(path, profiles={"one": DataProfile()})[1]


@pytest.mark.parametrize("digits", ["12345678901234567890.5", "0.1000000000000000055", "1e400"])
def test_numbers_that_would_lose_digits_keep_their_row_as_it_is(
    digits: str, tmp_path: Path
) -> None:
    """What is inside arguments is text that the model learns."""
    called = CALLING.replace('"\u00e9"', digits)
    assert repair_row(row(USER, called)) == (row(USER, called), [])
    text = row('{"role": "USER", "content": "Hi"}', called)
    out, report = run(tmp_path, text + ",\n")
    assert out.decode() == text + "\n"
    assert [one.rule for one in report.repairs] == ["json.syntax"]
    assert repair_row(row(USER, CALLING.replace('"\u00e9"', "1.5")))[1] != []


CALLING = assistant(
    '"content": null, "tool_calls": [{"id": "c", "type": "function", "function": '
    '{"name": "f", "arguments": {"x": "\u00e9"}}}]'
)


@pytest.mark.parametrize(
    ("text", "repaired", "rule", "path"),
    [
        (GOOD + ",", GOOD, "json.syntax", ""),
        (GOOD[:-2] + ",]}", GOOD, "json.syntax", ""),
        (GOOD[:-1] + " , }", GOOD[:-1] + "  }", "json.syntax", ""),
        (row('{"role": "user", "content": "a,]"}', ANSWER) + " ,", None, "json.syntax", ""),
        (GOOD.replace('"role": "user"', '"role": "user", "role": "user"'), GOOD,
         "json.duplicate_key", ""),
        (row('{"role": "user", "content": "Hi", "name": null}', ANSWER), GOOD, "row.null",
         "messages[0].name"),
        (row(USER, ANSWER, extra=', "tools": null'), GOOD, "row.null", "tools"),
        (row('{"role": " User", "content": "Hi"}', ANSWER), GOOD, "message.role",
         "messages[0].role"),
        (row(USER, assistant('"content": "Yo", "weight": 1.0')),
         row(USER, assistant('"content": "Yo", "weight": 1')), "message.weight",
         "messages[1].weight"),
        (row(USER, assistant('"content": "Yo", "tool_calls": []')), GOOD, "tool_call.shape",
         "messages[1].tool_calls"),
        (row(USER, CALLING), None, "tool_call.arguments",
         "messages[1].tool_calls[0].function.arguments"),
    ],
)  # fmt: skip
def test_each_repair_alone(text: str, repaired: str | None, rule: str, path: str) -> None:
    written, repairs = repair_row(text)
    assert [(one.rule, one.path) for one in repairs] == [(rule, path)]
    if repaired is not None:
        assert json.loads(written) == json.loads(repaired)
    assert repair_row(written) == (written, [])


def test_arguments_become_text_that_holds_the_same() -> None:
    written, _ = repair_row(row(USER, CALLING))
    call = json.loads(written)["messages"][1]["tool_calls"][0]["function"]
    assert json.loads(call["arguments"]) == {"x": "\u00e9"}


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace('"role": "user"', '"role": "user", "role": "system"'),
        GOOD.replace('"role": "user"', '"role": "human"'),
        GOOD.replace('"Hi"', "NaN"),
        GOOD.replace('"Hi"', "1e999").replace('"role": "user"', '"role": "User"'),
        GOOD.replace('"Hi"', '"\\ud800"').replace('"role": "user"', '"role": "User"'),
        GOOD.replace('"Hi"', "null"),
        GOOD[:-3],
        GOOD[:-1] + ",,}",
        GOOD + ",,",
        "{'messages': []}",
        '{"a": "x,}',
        "[" * 3000,
        '{"messages": [{"role": "user", "content": "Hi", "weight": 0.5}, 3, null]}',
        row(USER, assistant('"content": null, "tool_calls": []')),
        '"text"',
        "null",
    ],
)
def test_what_would_need_a_choice_stays_as_it_is(text: str) -> None:
    assert repair_row(text) == (text, [])


def test_preference_rows_are_repaired_too() -> None:
    text = json.dumps(
        {
            "input": {"messages": [{"role": "USER", "content": "q", "name": None}], "tools": None},
            "preferred_output": [{"role": "Assistant", "content": "a"}],
            "non_preferred_output": [{"role": "assistant", "content": "b"}],
        }
    )
    assert [one.path for one in repair_row(text)[1]] == [
        "input.tools",
        "input.messages[0].name",
        "input.messages[0].role",
        "preferred_output[0].role",
    ]


def test_a_whole_file(tmp_path: Path) -> None:
    lines = [
        GOOD,
        "",
        f"  {GOOD} ",
        GOOD + ",",
        '{"bad": ',
        " ",
        row('{"role": "User", "content": "\u00e9"}', ANSWER),
    ]
    written, report = run(tmp_path, ("\ufeff" + "\r\n".join(lines)).encode())

    expected = [
        GOOD,
        f"  {GOOD} ",
        GOOD,
        '{"bad": ',
        row('{"role": "user", "content": "\u00e9"}', ANSWER),
    ]
    assert written.decode() == "".join(f"{line}\n" for line in expected)
    assert [(one.line, one.rule) for one in report.repairs] == [
        (0, "file.bom"),
        (1, "file.crlf"),
        (2, "file.blank_lines"),
        (4, "json.syntax"),
        (6, "file.blank_lines"),
        (7, "message.role"),
        (7, "file.last_newline"),
    ]
    assert report.counts["file.blank_lines"] == 2
    assert (report.rows, report.changed_rows) == (5, 2)
    before, after = validated(tmp_path / "in.jsonl"), validated(tmp_path / "out.jsonl")
    assert (before.verdicts["one"].errors, after.verdicts["one"].errors) == (3, 1)
    assert {issue.rule for issue in after.issues} == {"json.syntax"}
    assert after.rows == before.rows


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_another_encoding_becomes_utf_8(tmp_path: Path, encoding: str) -> None:
    text = row('{"role": "user", "content": "h\u00e9"}', ANSWER) + "\n"
    written, report = run(tmp_path, text.encode(encoding))
    assert written.decode() == text
    assert [one.rule for one in report.repairs] == ["encoding"]
    assert validated(tmp_path / "out.jsonl").verdicts["one"].ok


def test_details_are_capped_and_counts_are_not(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(f"{GOOD},\n" * 50)
    report = repair(tmp_path / "in.jsonl", tmp_path / "out.jsonl", max_repairs=3)
    assert len(report.repairs) == 3
    assert report.repairs_truncated == 47
    assert report.counts == {"json.syntax": 50}


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        f"[{GOOD}]".encode(),
        f"[{GOOD}]".encode("utf-16"),
        gzip.compress(GOOD.encode(), mtime=0),
        b"PAR1 and so on",
    ],
)
def test_what_is_not_json_lines_needs_converting(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match="needs converting") as caught:
        run(tmp_path, content)
    assert "ftproviders data convert" in caught.value.hint
    assert not (tmp_path / "out.jsonl").exists()


def test_the_source_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(GOOD)
    (tmp_path / "link.jsonl").symlink_to(source)
    for out in (source, tmp_path / "link.jsonl", tmp_path / "." / "in.jsonl"):
        with pytest.raises(ConfigurationError, match="never overwritten"):
            repair(source, out, overwrite=True)
    assert source.read_text() == GOOD


def test_a_mixture_of_encodings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"mixes encodings: .* ftproviders data convert has"):
        run(tmp_path, b'{"a": "\xc3\xa9"}\n' * 30 + b'{"a": "\xe9"}\n')


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(value=JSON, commas=st.integers(0, 1))
def test_a_repaired_row_says_what_the_row_said(value: Any, commas: int) -> None:
    text = json.dumps(value) + "," * commas
    written, repairs = repair_row(text)
    assert json.loads(written) == value
    assert len(repairs) == commas


@settings(deadline=None, max_examples=150)
@given(text=st.text(alphabet='{}[],:" \\nul1eE.-tra', max_size=30))
def test_arbitrary_text_never_raises_and_never_gets_worse(text: str) -> None:
    written, repairs = repair_row(text)
    if repairs:
        json.loads(written)
    else:
        assert written == text


LINES = st.lists(
    st.sampled_from(
        (GOOD, GOOD + ",", GOOD[:-3], "nonsense", "[1, 2]", '"text"', "{}", "{'a': 1}", "\u00e9",
         "7", row(USER, assistant('"content": "Yo", "name": null')))
    ) | st.text(alphabet='{}[],:" \\nul1e\u00e9', min_size=1, max_size=20),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(lines=LINES, end=st.sampled_from(("\n", "\r\n")))
def test_no_row_disappears_and_what_is_not_repaired_stays(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str
) -> None:
    source = tmp_path_factory.mktemp("rows") / "in.jsonl"
    source.write_bytes(f"{GOOD}\n".encode() + end.join(lines).encode())
    out = source.with_name("out.jsonl")
    try:
        report = repair(source, out)
    except DatasetError:  # told to be another format: then nothing is written
        assert not out.exists()
        return
    kept = [GOOD, *(line for line in lines if line.strip(" \t\r"))]
    written = out.read_bytes().decode().split("\n")
    assert written.pop() == ""
    assert (len(written), report.rows) == (len(kept), len(kept))
    repaired = [index for index, line in enumerate(kept) if repair_row(line.strip(" \t\r"))[1]]
    changed = [n for n, (a, b) in enumerate(zip(kept, written, strict=True)) if a != b]
    assert set(changed) <= set(repaired)
    assert report.changed_rows == len(changed)
