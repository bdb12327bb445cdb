"""Converting: shapes, formats, encodings, mappings; rows that cannot be converted."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftproviders.data.conversion import RowMapping, convert
from ftproviders.data.shapes import Shape
from ftproviders.errors import ConfigurationError, DatasetError, MissingDependencyError
from ftproviders.schema.conversion import ConversionReport


def said(*turns: str, system: str = "") -> dict[str, Any]:
    """Return a row of messages: user and assistant in turn."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [
        {"role": ("user", "assistant")[index % 2], "content": text}
        for index, text in enumerate(turns)
    ]
    return {"messages": messages}


def preferred(asked: str, good: str, bad: str) -> dict[str, Any]:
    return {
        "input": {"messages": [{"role": "user", "content": asked}]},
        "preferred_output": [{"role": "assistant", "content": good}],
        "non_preferred_output": [{"role": "assistant", "content": bad}],
    }


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    """Convert content, and return the rows that were written and the report."""

    def call(
        content: bytes | str | list[Any], name: str = "in.jsonl", **more: Any
    ) -> tuple[list[Any], ConversionReport]:
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        source, out = tmp_path / name, tmp_path / "out.jsonl"
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        report = convert(source, out, **more)
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()], report

    yield call
    assert not list(tmp_path.glob(".*.part"))


CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a": 1}'},
}


@pytest.mark.parametrize(
    ("row", "expected", "shape"),
    [
        (said("hi", "yo"), said("hi", "yo"), "messages"),
        (
            {"messages": [{"role": "user", "content": "hi", "name": None, "tool_calls": None}]},
            said("hi"),
            "messages",
        ),
        ({**said("hi", "yo"), "answer": 3}, {**said("hi", "yo"), "answer": 3}, "messages"),
        ({**said("hi", "yo"), "tools": None}, said("hi", "yo"), "messages"),
        ({"prompt": "hi", "completion": "yo"}, said("hi", "yo"), "prompt-completion"),
        ({"prompt": "one?", "completion": 1}, said("one?", "1"), "prompt-completion"),
        (
            {"prompt": said("hi", system="s")["messages"],
             "completion": [{"role": "assistant", "content": "yo"}]},
            said("hi", "yo", system="s"), "prompt-completion",
        ),
        ({"instruction": "do", "input": "", "output": "done"}, said("do", "done"), "alpaca"),
        ({"instruction": "do", "input": "it", "output": "done"}, said("do\n\nit", "done"),
         "alpaca"),
        ({"instruction": "c", "output": "d", "system": "s", "history": [["a", "b"]]},
         said("a", "b", "c", "d", system="s"), "alpaca"),
        ({"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]},
         said("hi", "yo"), "sharegpt"),
        ({"system": "s", "conversations": said("hi", "yo")["messages"]},
         said("hi", "yo", system="s"), "sharegpt"),
        (
            {
                "tools": '[{"name": "add"}]',
                "conversations": [
                    {"from": "human", "value": "1+1"},
                    {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
                    {"from": "observation", "value": "2"},
                    {"from": "gpt", "value": "two"},
                ],
            },
            {
                "messages": [
                    {"role": "user", "content": "1+1"},
                    {"role": "assistant", "content": None, "tool_calls": [CALL]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "2"},
                    {"role": "assistant", "content": "two"},
                ],
                "tools": [{"type": "function", "function": {"name": "add"}}],
            },
            "sharegpt",
        ),
        ({"prompt": "q", "chosen": "good", "rejected": "bad"}, preferred("q", "good", "bad"),
         "chosen-rejected"),
        ({"chosen": said("q", "good")["messages"], "rejected": said("q", "bad")["messages"]},
         preferred("q", "good", "bad"), "chosen-rejected"),
        (preferred("q", "good", "bad"), preferred("q", "good", "bad"), "preference"),
    ],
)  # fmt: skip
def test_known_shapes_are_told_from_their_keys(
    run: Any, row: dict[str, Any], expected: dict[str, Any], shape: str
) -> None:
    rows, report = run([row])

    assert rows == [expected]
    assert report.shapes == {shape: 1}
    assert report.left_out == ()


@pytest.mark.parametrize(
    ("row", "target"),
    [
        (said("hi", "yo"), Shape.PROMPT_COMPLETION),
        (said("a", "b", "c", "d", system="s"), Shape.ALPACA),
        (said("a", "b", "c", "d", system="s"), Shape.SHAREGPT),
        (preferred("q", "good", "bad"), Shape.CHOSEN_REJECTED),
    ],
)
def test_there_and_back_again(run: Any, row: dict[str, Any], target: Shape) -> None:
    there, report = run([row], target=target)
    assert report.target == target
    assert there != [row]

    back, report = run(there, overwrite=True)
    assert back == [row]
    assert report.shapes == {target: 1}


def test_messages_go_through_a_table_unharmed(tmp_path: Path) -> None:
    rows = [said("a,b", 'say "c"\nd', system="é"), said("x\ty", "[1, 2]", system="s")]
    for out, target in (("t.csv", Shape.COLUMNS), ("t.tsv", None), ("t.json.gz", None)):
        convert(rows, tmp_path / out, target=target)
        columns = {} if target is None else {r: r for r in ("system", "user", "assistant")}
        convert(tmp_path / out, tmp_path / f"{out}.jsonl", mapping=RowMapping(columns=columns))
        text = (tmp_path / f"{out}.jsonl").read_text("utf-8")
        assert [json.loads(line) for line in text.splitlines()] == rows


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        convert([said("hi", "yo")] * 50, tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


@pytest.mark.parametrize(
    ("row", "target", "message"),
    [
        (said("hi", "yo"), Shape.PREFERENCE, "no rejected answer"),
        (said("hi", "yo", system="s"), Shape.PROMPT_COMPLETION, "system message"),
        (said("a", "b", "c", "d"), Shape.PROMPT_COMPLETION, "2 questions"),
        (said("a", "b", "c"), Shape.ALPACA, "in turn"),
        ({**said("a", "b"), "tools": [{}]}, Shape.SHAREGPT, "tools"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}]}, Shape.SHAREGPT,
         "'tool_calls'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, Shape.SHAREGPT,
         "more than text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, Shape.SHAREGPT, "no place"),
    ],
)  # fmt: skip
def test_what_a_shape_has_no_place_for_is_never_dropped(
    run: Any, row: dict[str, Any], target: Shape, message: str
) -> None:
    with pytest.raises(DatasetError, match=f"line 1: .*{message}"):
        run([row], target=target)


def test_stated_columns_and_templates(run: Any) -> None:
    table = "title;parts;answer;link\nSoup;water, salt;a {soup};x\n"
    mapping = RowMapping(
        columns={"assistant": "answer"},
        templates={"user": "Title: {title}\n\nParts {{all}}: {parts}\n"},
        system="You cook.",
        keep=("link",),
    )
    rows, report = run(table, "in.csv", mapping=mapping)

    asked = "Title: Soup\n\nParts {all}: water, salt\n"
    assert rows == [{**said(asked, "a {soup}", system="You cook."), "link": "x"}]
    assert report.left_out == ()
    assert report.read_as == "UTF-8, CSV"

    rows, report = run(
        table, "in.csv", mapping=RowMapping(columns={"user": "title", "assistant": "answer"}),
        overwrite=True,
    )  # fmt: skip
    assert rows == [said("Soup", "a {soup}")]
    assert report.left_out == ("link", "parts")


def test_columns_of_preferences_and_tables_without_a_header(run: Any) -> None:
    columns = {"prompt": "1", "chosen": "3", "rejected": "2"}
    rows, _ = run("q\tbad\tgood\n", "in.csv", mapping=RowMapping(columns=columns), header=False)
    assert rows == [preferred("q", "good", "bad")]


def test_messages_go_back_into_columns_with_the_names_that_are_stated(run: Any) -> None:
    columns = {"user": "phrase", "assistant": "tone"}
    table = [{"phrase": "Go away", "tone": "rude"}]
    chats, _ = run(table, mapping=RowMapping(columns=columns))
    back, report = run(
        chats, mapping=RowMapping(columns=columns), target=Shape.COLUMNS, overwrite=True
    )
    assert back == table
    assert report.shapes == {"messages": 1}
    columns = {"prompt": "phrase", "assistant": "tone", "system": "s"}
    back, _ = run(
        [said("a", "b", system="c")], mapping=RowMapping(columns=columns), target=Shape.COLUMNS,
        overwrite=True,
    )  # fmt: skip
    assert back == [{"s": "c", "phrase": "a", "tone": "b"}]
    with pytest.raises(DatasetError, match="no column is stated for the assistant's message"):
        run(chats, mapping=RowMapping(columns={"user": "q"}), target=Shape.COLUMNS, overwrite=True)


def test_weights_of_turns_are_kept_and_other_keys_of_turns_are_listed(run: Any) -> None:
    turns = [
        {"from": "human", "value": "a"},
        {"from": "gpt", "value": "b", "weight": 0, "loss": False},
        {"from": "human", "value": "c", "weight": None},
        {"from": "gpt", "value": "d", "weight": 1},
    ]
    rows, report = run([{"conversations": turns, "id": 3}])
    assert [m.get("weight") for m in rows[0]["messages"]] == [None, 0, None, 1]
    assert "weight" not in rows[0]["messages"][2]
    assert report.left_out == ("conversations[].loss", "id")
    chats = [{"conversations": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]}]
    assert run(chats, overwrite=True)[1].left_out == ()
    table = "conversations\n" + '"' + json.dumps(turns).replace('"', '""') + '"\n'
    assert run(table, "in.csv", overwrite=True)[1].left_out == ()


def test_keys_that_are_secrets_are_masked(run: Any) -> None:
    secret = "ghp_" + "a1B2" * 9
    odd = said("a", "b")
    odd["messages"][0][secret] = 1
    with pytest.raises(DatasetError, match=r"ghp_\*\*\*") as caught:
        run([odd], target=Shape.ALPACA)
    assert secret not in str(caught.value)
    _, report = run([said("a", "b"), odd], target=Shape.ALPACA, skip_bad=True)
    assert secret not in str(report.bad)
    _, report = run([{"instruction": "a", "output": "b", secret: 1}], overwrite=True)
    assert report.left_out == ("ghp_***",)


def test_a_column_that_is_not_there_is_a_matter_of_the_mapping(run: Any) -> None:
    with pytest.raises(DatasetError, match="there is no column 'q'; there are a") as caught:
        run([{"a": "b"}], mapping=RowMapping(columns={"user": "q"}))
    assert "skip-bad" not in caught.value.hint
    rows = [{"q": "a"}, {"a": "b"}]
    with pytest.raises(DatasetError, match="line 2: there is no column 'q'") as caught:
        run(rows, mapping=RowMapping(columns={"user": "q"}))
    assert "skip-bad" in caught.value.hint


def test_a_system_message_of_the_row_is_kept(run: Any) -> None:
    rows, _ = run([said("a", "b"), said("a", "b", system="own")], mapping=RowMapping(system="new"))
    assert [row["messages"][0]["content"] for row in rows] == ["new", "own"]


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"columns": {"asker": "q"}}, "no role 'asker'"),
        ({"columns": {"user": "q"}, "templates": {"user": "{q}"}}, "both"),
        ({"templates": {"tools": "{q}", "user": "{q}"}}, "cannot have a template"),
        ({"columns": {"user": "q", "prompt": "p"}}, "mean the same"),
        ({"columns": {"user": "q", "chosen": "p"}}, "need each other"),
        ({"columns": {"user": "q", "chosen": "c", "rejected": "r", "assistant": "a"}}, "either"),
        ({"columns": {"assistant": "a"}}, "Nothing is stated for the user"),
        ({"columns": {"messages": "m", "user": "u"}}, "every message already"),
        ({"columns": {"user": "u"}, "source_shape": Shape.ALPACA}, "as well"),
        ({"templates": {"user": "{q} {a"}}, "a brace that opens or closes no"),
        ({"templates": {"user": "{q}}"}}, "a brace that opens or closes no"),
    ],
)
def test_mappings_that_contradict_themselves(stated: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RowMapping(**stated)


TEXT = '[\n {"prompt": "h\u00e9", "completion": "y\u00f6"}\n]'


@pytest.mark.parametrize(
    ("content", "read_as"),
    [
        (TEXT.encode(), "UTF-8, one JSON array"),
        (TEXT.encode("utf-8-sig"), "UTF-8, one JSON array"),
        (TEXT.encode("utf-16"), "UTF-16, one JSON array"),
        (TEXT.encode("utf-16-le"), "UTF-16LE, one JSON array"),
        (TEXT.encode("utf-16-be"), "UTF-16BE, one JSON array"),
        (TEXT.encode("utf-32"), "UTF-32, one JSON array"),
        (TEXT.encode("cp1252"), "Windows-1252 (a guess), one JSON array"),
        (
            gzip.compress(TEXT.encode("latin-1"), mtime=0),
            "gzip, Windows-1252 (a guess), one JSON array",
        ),
        (bz2.compress(TEXT.encode()), "bzip2, UTF-8, one JSON array"),
        (lzma.compress(TEXT.encode("utf-16")), "xz, UTF-16, one JSON array"),
        (json.dumps(json.loads(TEXT)[0], indent=1).encode(), "UTF-8, JSON objects"),
        ("completion,prompt\r\nyö,hé\r\n".encode(), "UTF-8, CSV"),
        ('prompt\tcompletion\n"h\u00e9"\työ'.encode("utf-16"), "UTF-16, TSV"),
    ],
)
def test_formats_and_encodings_are_told_from_the_bytes(
    run: Any, content: bytes, read_as: str
) -> None:
    rows, report = run(content)
    assert rows == [said("h\u00e9", "y\u00f6")]
    assert report.read_as == read_as


def test_a_zip_archive_of_one_file(run: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.json", TEXT)
    assert run(packed.getvalue())[1].read_as == "ZIP, UTF-8, one JSON array"
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("more.json", TEXT)
    with pytest.raises(DatasetError, match="holds 2 files"):
        run(packed.getvalue(), overwrite=True)


def test_a_stated_encoding_counts(run: Any) -> None:
    rows, _ = run("prompt,completion\nп,д\n".encode("cp1251"), "in.csv", encoding="cp1251")
    assert rows == [said("п", "д")]
    with pytest.raises(DatasetError, match="no encoding 'klingon'"):
        run(TEXT, encoding="klingon", overwrite=True)
    with pytest.raises(DatasetError, match=r"is not ascii: line 2 has"):
        run(TEXT, encoding="ascii", overwrite=True)


def test_a_mixture_of_encodings_is_refused(run: Any) -> None:
    mixed = "".join(json.dumps(said("é", "ö"), ensure_ascii=False) + "\n" for _ in range(5))
    with pytest.raises(DatasetError, match=r"mixes encodings: .* not line 6"):
        run(mixed.encode() + '{"prompt": "é", "completion": "ö"}\n'.encode("latin-1"))


GOOD = '{"prompt": "a", "completion": "b"}'
ARRAY = f"[{GOOD},\n{GOOD}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{GOOD}\n{{'prompt': 1}}\n", "line 2: not valid JSON at column 2"),
        (f'{GOOD}\n\n{{"a": 1, "a": 2}}\n', 'line 3: the key "a" stands twice'),
        (f'{GOOD}\n{{"a": NaN}}\n', "line 2: NaN"),
        (f"{GOOD}\n[1]\n", "line 2: the row is a list of 1"),
        (f'{GOOD}\n{{"q": 1, "a": 2}}\n', "line 2: .*--columns user=q,assistant=a"),
        (f'{GOOD}\n{{"prompt": "", "completion": "b"}}\n', "line 2: 'prompt' is empty"),
        (f'{GOOD}\n{{"prompt": null, "completion": "b"}}\n', "line 2: 'prompt' is empty"),
        (f"{GOOD}\n{json.dumps(preferred('a', 'b', 'c'))}\n", "line 2: the rows before it"),
        (f'{GOOD}\n{{"prompt": "\\ud800", "completion": "b"}}\n', "line 2: .*surrogate"),
        (f"{ARRAY},\n{{]", "line 3: not valid JSON"),
        (f"{ARRAY},]", "line 2: not valid JSON: expected another item"),
        (f"{ARRAY}\n", "line 3: not valid JSON: expected ',' or"),
        (f"{ARRAY} {GOOD}]", "line 2: not valid JSON: expected ',' or ']'"),
        (f"{ARRAY}] 1", "line 2: not valid JSON: expected nothing after the array"),
        (f'{ARRAY},\n{{"a": 1, "a": 2}}]', 'line 3: the key "a" stands twice'),
        ("prompt,completion\na,b\na\n", "line 3: the row has 1 column, the table has 2"),
        ('prompt,completion\n"a\nb",c\na,"b', "line 4: the table cannot be read"),
        ("prompt,prompt\na,b\n", "more than one column"),
        ('{"chosen": "a", "rejected": "b"}\n', "there is no prompt"),
        ('{"conversations": [{"from": "alien", "value": "x"}]}\n', '"alien" is nobody'),
        ('{"conversations": [{"from": "tool", "value": "x"}]}\n', "no(ne| call)"),
        ('{"messages": []}\n', "'messages' is empty"),
        ('{"messages": [{"content": "x"}]}\n', r"messages\[0\] is no message"),
        ('{"instruction": "a", "output": "b", "history": [1]}\n', r"history\[0\] is no pair"),
        ("", "has no rows"),
        ("  \n\n", "has no rows"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "damaged"),
        (
            gzip.compress(gzip.compress(TEXT.encode(), mtime=0), mtime=0),
            "looks like gzip-compressed",
        ),
        (b"%PDF-1.7 ...", "looks like a PDF"),
    ],
)
def test_a_row_that_cannot_be_converted_ends_it_with_its_line(
    run: Any, tmp_path: Path, content: bytes | str, message: str
) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        run(content)
    assert caught.value.hint
    assert not (tmp_path / "out.jsonl").exists()


def test_skipped_rows_are_listed_and_counted(run: Any) -> None:
    bad = ['{"prompt": ""', '{"prompt": "", "completion": "b"}', '{"x": 1}']
    rows, report = run("\n".join([GOOD, *bad, GOOD] + ["1"] * 40), skip_bad=True)
    assert rows == [said("a", "b")] * 2
    assert report.rows == 2
    assert report.bad_rows == 43
    assert [row.line for row in report.bad] == [2, 3, 4, *range(6, 23)]
    with pytest.raises(DatasetError, match="no row that could be converted"):
        run("\n".join(bad), skip_bad=True, overwrite=True)


def test_outputs_are_not_destroyed(run: Any, tmp_path: Path) -> None:
    run(GOOD)
    (tmp_path / "out.jsonl").chmod(0o640)
    with pytest.raises(ConfigurationError, match="exists already"):
        run(GOOD)
    with pytest.raises(DatasetError):
        run(f"{GOOD}\n1\n", overwrite=True)
    assert json.loads((tmp_path / "out.jsonl").read_text()) == said("a", "b")
    run([said("x", "y")], overwrite=True)
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o640
    source = tmp_path / "in.jsonl"
    with pytest.raises(ConfigurationError, match="never overwritten"):
        convert(source, source, overwrite=True)
    folder = tmp_path / "folder.jsonl"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match="is a folder"):
        convert([said("x", "y")], folder)
    with pytest.raises(ConfigurationError, match="does not exist"):
        convert(source, tmp_path / "nowhere" / "o.jsonl")
    with pytest.raises(ConfigurationError, match="does not say how"):
        convert(source, tmp_path / "o.xlsx")


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    convert([said("a", "b")], tmp_path / "link.jsonl", overwrite=True)
    assert (tmp_path / "link.jsonl").is_symlink()
    assert json.loads((tmp_path / "real.jsonl").read_text()) == said("a", "b")


class Pandas:
    """Rows the way pandas hands them out."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.iloc = self

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Pandas:
        return Pandas(self.rows[part])

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return self.rows


class Polars:
    """Rows the way polars hands them out."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def iter_rows(self, *, named: bool) -> Iterator[dict[str, Any]]:
        assert named
        return iter(self.rows)


class Array:
    """An array the way numpy has it."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def tolist(self) -> list[Any]:
        return self.items


@pytest.mark.parametrize("frame", [Pandas, Polars, iter, list, tuple])
def test_rows_in_memory(tmp_path: Path, frame: Any) -> None:
    given = [{"prompt": f"q{n}", "completion": Array(["a", 1])} for n in range(1500)]
    given[3]["note"] = float("nan")
    report = convert(frame(given), tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert report.rows == len(rows) == 1500
    assert rows[7] == said("q7", '["a", 1]')
    assert report.left_out == ("note",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"train": []}, "If these are splits of a data set"),
        (3, "cannot be read as rows"),
        (b"x", "cannot be read as rows"),
    ],
)
def test_what_is_no_list_of_rows(tmp_path: Path, rows: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        convert(rows, tmp_path / "out.jsonl")
    assert message in str(caught.value)
    with pytest.raises(DatasetError, match="line 2: the row is 3, not a mapping"):
        convert([{"prompt": "a", "completion": "b"}, 3], tmp_path / "out.jsonl")


def test_parquet_says_what_to_install(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError) as caught:
        run(b"PAR1\x15\x04")
    assert "pip install pyarrow" in caught.value.hint


def test_large_cells_and_the_limit_of_others_is_left_alone(run: Any) -> None:
    before = csv.field_size_limit()
    rows, _ = run(f'prompt,completion\n"{"a" * 300_000}",b\n', "in.csv")
    assert len(rows[0]["messages"][0]["content"]) == 300_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("form", ["lines", "array", "table"])
@pytest.mark.slow
def test_memory_does_not_grow_with_the_source(tmp_path: Path, form: str) -> None:
    row = json.dumps({"prompt": "a" * 500, "completion": "b" * 500})

    def peak(rows: int) -> int:
        source = tmp_path / f"{rows}.in"
        with source.open("w") as file:
            if form == "lines":
                file.writelines(f"{row}\n" for _ in range(rows))
            elif form == "array":
                file.write("[\n" + ",\n".join([row] * rows) + "\n]")
            else:
                file.write("prompt,completion\n")
                file.writelines(f"{'a' * 500},{'b' * 500}\n" for _ in range(rows))
        tracemalloc.start()
        try:
            convert(source, tmp_path / f"{rows}.jsonl")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    small, large = peak(3_000), peak(9_000)
    assert large < small * 1.3


def test_rows_without_a_rejected_answer_are_not_told_to_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(GOOD + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no rejected answer") as caught:
        convert(file, tmp_path / "out.jsonl", target=Shape.PREFERENCE)
    assert "--skip-bad" not in caught.value.hint
    assert "supervised" in caught.value.hint
