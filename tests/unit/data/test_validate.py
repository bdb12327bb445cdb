"""Whole files: verdicts, formats, limits, counts, and what cannot be read."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import shlex
import tracemalloc
from pathlib import Path

import pytest

from ftproviders import data
from ftproviders.errors import ConfigurationError, DatasetError
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Severity, ValidationReport
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.data_cases import ANSWER, CALL, GOOD, RESULT, USER, assistant, row

PUBLISHED = Path(__file__).parents[2] / "data"
CONVERT = "ftproviders data convert {file}"
TEN = DataProfile(minimum_training_rows=10)
ONE = DataProfile()


def written(tmp_path: Path, content: bytes | str, name: str = "rows.jsonl") -> Path:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def report_of(tmp_path: Path, content: bytes | str, **profiles: DataProfile) -> ValidationReport:
    return data.validate(written(tmp_path, content), profiles=profiles or {"one": ONE})[1]


def loud(report: ValidationReport) -> list[str]:
    return [i.rule for i in report.issues if i.severity is not Severity.INFO]


@pytest.mark.parametrize(
    ("name", "rows", "messages", "enough"),
    [
        ("openai_cookbook/toy_chat_fine_tuning.jsonl", 5, 19, False),
        ("azure_openai_clippy/sft_training_set.jsonl", 10, 30, True),
        ("azure_openai_clippy/sft_validation_set.jsonl", 10, 30, True),
        ("genai_elements/training-data.jsonl", 10, 30, True),
        ("genai_elements/validation-data.jsonl", 5, 15, False),
        ("support_intents/train.jsonl", 200, 400, True),
    ],
)
def test_published_files_get_their_documented_verdict(
    name: str, rows: int, messages: int, enough: bool
) -> None:
    file = PUBLISHED / name
    dataset, report = data.validate(file, profiles={"ten": TEN, "one": ONE})
    assert report.verdicts["one"].ok
    assert report.verdicts["ten"].ok is enough
    assert loud(report) == ([] if enough else ["file.rows"])
    assert (report.rows, report.statistics.messages) == (rows, messages)
    content = file.read_bytes()
    assert dataset.sha256 == report.sha256 == hashlib.sha256(content).hexdigest()
    assert dataset.bytes == report.bytes == len(content)
    assert dataset.path == file
    if not enough:
        issue = next(i for i in report.issues if i.rule == "file.rows")
        assert issue.providers == ("ten",)
        assert "5 rows" in issue.message
    assert data.validate(file, profiles={"ten": TEN}, purpose="validation")[1].ok("ten")


def test_questions_are_not_a_training_file() -> None:
    _, report = data.validate(PUBLISHED / "support_intents/test.jsonl", profiles={"one": ONE})
    assert report.verdicts["one"].errors == 10
    assert {issue.rule for issue in report.issues} == {"row.messages"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(row(USER, USER, ANSWER), id="two-users"),
        pytest.param(row(USER, ANSWER, ANSWER), id="two-assistants"),
        pytest.param(row(USER, assistant(f'"tool_calls": [{CALL}]')), id="content-absent"),
        pytest.param(row(USER, assistant(f'"content": null, "tool_calls": [{CALL}]')), id="null"),
        pytest.param(row(ANSWER), id="assistant-alone"),
        pytest.param(row('{"role": "developer", "content": "x"}', USER, ANSWER), id="developer"),
        pytest.param(
            row(USER, assistant(f'"tool_calls": [{CALL}]'), RESULT, ANSWER), id="answered-call"
        ),
        pytest.param(
            row(
                USER,
                assistant(f'"tool_calls": [{CALL}]'),
                RESULT,
                assistant(f'"tool_calls": [{CALL}]'),
                RESULT,
                ANSWER,
            ),
            id="an-id-used-again",
        ),
        pytest.param(
            row(USER, assistant('"content": [{"type": "text", "text": "a"}]')), id="parts"
        ),
        pytest.param(row('{"content": "order of keys", "role": "user"}', ANSWER), id="role-second"),
        pytest.param(row(USER, assistant('"content": "", "refusal": "I will not."')), id="refusal"),
        pytest.param(row('{"role": "user", "content": ""}', ANSWER), id="empty-question"),
        pytest.param(f"\t {GOOD} \t", id="white-space"),
    ],
)
def test_valid_but_often_refused_passes(text: str, tmp_path: Path) -> None:
    assert report_of(tmp_path, text + "\n").issues == ()


def test_functions_in_the_old_style_pass_with_a_hint(tmp_path: Path) -> None:
    text = row(
        USER,
        assistant('"content": null, "function_call": {"name": "f", "arguments": "{}"}'),
        '{"role": "function", "name": "f", "content": "3"}',
        ANSWER,
        extra=', "functions": [{"name": "f", "parameters": {"type": "object"}}]',
    )
    report = report_of(tmp_path, text + "\n")
    assert report.verdicts["one"].ok
    assert [issue.rule for issue in report.issues] == ["row.deprecated"] * 3


@pytest.mark.parametrize(
    ("content", "looks_like", "fix"),
    [
        (f"[{GOOD},\n{GOOD}]".encode(), "JSON array", CONVERT),
        (f"[\n  {GOOD}\n]\n".encode(), "JSON array", CONVERT),
        (b'[{"q": "hi", "a": "yo"}]', "JSON array", f"{CONVERT} --columns user=q,assistant=a"),
        (json.dumps(json.loads(GOOD), indent=2).encode(), "pretty-printed", CONVERT),
        (b'{"messages": [\n' + GOOD[14:].encode(), "pretty-printed", CONVERT),
        (b"prompt,completion\nhi,yo\n", "commas between columns (CSV)", CONVERT),
        (b'"prompt"\t"completion"\n"hi"\t"yo"\n', "tabs", CONVERT),
        (b"id;Answer;Question\n1;yo;hi\n", "semicolons",
         f"{CONVERT} --columns user=Question,assistant=Answer"),
        (gzip.compress(GOOD.encode(), mtime=0), "gzip", CONVERT),
        (bz2.compress(GOOD.encode()), "bzip2", CONVERT),
        (lzma.compress(GOOD.encode()), "xz", CONVERT),
        (b"\x28\xb5\x2f\xfd\x00", "Zstandard", "zstd -d {file}"),
        (GOOD.encode("utf-16"), "UTF-16 text", CONVERT),
        (GOOD.encode("utf-16-le"), "UTF-16LE", CONVERT),
        (GOOD.encode("utf-16-be"), "UTF-16BE", CONVERT),
        (GOOD.encode("utf-32"), "UTF-32", CONVERT),
        (b"PAR1\x15\x04\x15", "Parquet", CONVERT),
        (b"ARROW1\x00\x00", "Arrow", CONVERT),
        (b"\xff\xff\xff\xff\x80\x01\x00\x00", "Arrow", CONVERT),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS",
         "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "web page", "Download"),
        (bytes(range(256)) * 9, "binary data", "right file"),
        (f"[{GOOD}]".replace("Hi", "\u4f60\u597d" * 99).encode("utf-16-le")[::-1], "binary data",
         "--encoding NAME"),
        (b"PK\x03\x04\x14\x00", "ZIP", CONVERT),
        (b"PK\x03\x04\x14\x00 [Content_Types].xml", "Excel", "FILE.csv"),
        (b"%PDF-1.7", "PDF", "rows of messages"),
        (b"SQLite format 3\x00", "SQLite", "FILE.csv"),
    ],
)  # fmt: skip
def test_other_formats_are_named(content: bytes, looks_like: str, fix: str, tmp_path: Path) -> None:
    report = report_of(tmp_path, content)
    (issue,) = report.issues
    assert (issue.rule, issue.line, issue.column) == ("file.format", 0, None)
    assert looks_like in issue.message
    assert fix.format(file=shlex.quote(report.file)) in issue.fix
    assert ("--out " in issue.fix) == (f"--out {tmp_path}" in issue.fix), "beside the file"
    assert report.sha256 == hashlib.sha256(content).hexdigest()
    assert (report.rows, report.bytes) == (0, len(content))
    assert not report.verdicts["one"].ok


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \r\n", b"\xef\xbb\xbf"])
def test_empty_files(content: bytes, tmp_path: Path) -> None:
    report = report_of(tmp_path, content, ten=TEN)
    assert loud(report) == ["file.empty"]
    assert report.rows == 0


@pytest.mark.parametrize(
    ("line", "column", "message", "fix"),
    [
        ("{'messages': []}", 2, "single quote", "double quotes"),
        ('{"messages": [None]}', 15, "None", "null"),
        ('{"messages": [1,]}', 17, "']'", "comma"),
        ('{"messages": [1 2]}', 17, "expected ',' or ']'", ""),
        ('{"messages" [1]}', 13, "':'", ""),
        ('{"a": "x', 7, "not closed", "\\n"),
        ('{"a": "\\x"}', 8, "escape", "\\\\"),
        ('{"a": "é\tb"}', 9, "U+0009", "\\u0009"),
        (f"{GOOD}{GOOD}", len(GOOD) + 1, "more text", "line of its own"),
        (f"{GOOD},", len(GOOD) + 1, "more text", "line of its own"),
        (GOOD[:38], 32, "not closed", ""),
        (GOOD[:-1], len(GOOD), "the line ends", "one line"),
        ("\ufeff" + GOOD, 1, "byte order mark", "joined"),
        ("hello", 1, "'h'", "JSON library"),
        ('{"a": 01}', 8, "'1'", ""),
        (r'{"a": "b\x"}', 9, r"the escape \x does not", ""),
        ('{"a": .5}', 7, "'.'", ""),
        (r'{"a": "b\u12"}', 9, r"\u is not followed by four", "four digits"),
        ('{"a": "b\\', 7, "not closed", "Close it"),
        ('{"a": }', 7, "'}'", "JSON library"),
        ("}", 1, "'}'", "JSON library"),
    ],
)
def test_broken_json_says_where_and_what(
    line: str, column: int, message: str, fix: str, tmp_path: Path
) -> None:
    report = report_of(tmp_path, f"{GOOD}\n{line}\n{GOOD}\n")
    (issue,) = report.issues
    assert (issue.rule, issue.line, issue.column) == ("json.syntax", 2, column), issue
    assert message in issue.message
    assert fix in issue.fix


def test_a_row_that_holds_all_the_rows_is_told_so(tmp_path: Path) -> None:
    (issue,) = report_of(tmp_path, f'{{"version": 1, "data": [{GOOD}, {GOOD}]}}\n').issues
    assert (issue.rule, issue.path, issue.column) == ("row.messages", "data", 24)
    assert '"data" holds a list of rows' in issue.message


@pytest.mark.parametrize("nul", ["\0", "\0\0", "\1\2\3"])
def test_a_few_control_characters_are_faults_of_rows(nul: str, tmp_path: Path) -> None:
    report = report_of(tmp_path, f"{GOOD}\n{GOOD.replace('Hi', nul)}\n{GOOD}\n")
    assert [(issue.rule, issue.line) for issue in report.issues] == [("json.syntax", 2)]


def test_a_limit_of_one_provider_is_not_the_limit_of_the_model(tmp_path: Path) -> None:
    pytest.importorskip("quicktok", reason="the ranks of the encodings are an extra: tokens")
    file = written(tmp_path, GOOD.replace("Hi", "word " * 50) + "\n")
    model = data.find_base_model("gpt-4.1", exact=False, cache=tmp_path)
    short = DataProfile(maximum_row_tokens=20)
    for profiles, limit in (({"short": short}, 20), ({"short": short, "one": ONE}, None)):
        report = data.validate(file, profiles=profiles, model=model)[1]
        assert [issue.rule for issue in report.issues] == ["row.tokens"]
        assert report.tokens.limit == limit


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ('{"prompt": "a", "completion": "b"}', "prompt/completion"),
        ('{"instruction": "a", "input": "", "output": "b"}', "Alpaca"),
        ('{"conversations": []}', "ShareGPT"),
        ('{"text": "a"}', "plain text"),
        ('{"prompt": "p", "chosen": "a", "rejected": "b"}', "TRL"),
        ('{"input": {}, "preferred_output": [], "non_preferred_output": []}', "dpo"),
    ],
)
def test_rows_of_another_shape_are_named(line: str, shape: str, tmp_path: Path) -> None:
    (issue,) = report_of(tmp_path, line + "\n").issues
    assert issue.rule == "row.messages"
    assert shape in issue.message


@pytest.mark.parametrize(
    "content", [f"hello, world\n{GOOD}\n", "a, b\n", f"{GOOD[:20]}\n{GOOD}\n", f"x\n{GOOD}\n"]
)
def test_a_broken_first_line_is_no_other_format(content: str, tmp_path: Path) -> None:
    report = report_of(tmp_path, content)
    assert [(issue.rule, issue.line) for issue in report.issues] == [("json.syntax", 1)]


def test_a_misspelt_key_is_recognised(tmp_path: Path) -> None:
    (issue,) = report_of(tmp_path, GOOD.replace("messages", "mesages") + "\n").issues
    assert issue.fix == 'Rename "mesages" to messages.'


def test_windows_file_without_last_newline(tmp_path: Path) -> None:
    report = report_of(tmp_path, "\r\n".join(["\ufeff" + GOOD, "", GOOD, GOOD[:-1]]))
    assert report.rows == 3
    assert [(i.rule, i.line) for i in report.issues] == [
        ("file.bom", 0),
        ("file.last_newline", 0),
        ("file.crlf", 1),
        ("file.blank_lines", 2),
        ("json.syntax", 4),
    ]
    assert report.issues[-1].column == len(GOOD)
    assert report.statistics.messages == 4


def test_counts_are_never_capped_and_errors_are_kept_first(tmp_path: Path) -> None:
    strange = GOOD[:-1] + ', "id": 1}'
    report = report_of(tmp_path, f"{strange}\n" * 300 + "{}\n" * 40 + "nonsense\n" * 500)
    assert report.verdicts["one"].errors == 540
    assert report.verdicts["one"].warnings == 300
    assert len(report.issues) == 100
    assert report.issues_truncated == 740
    assert [i.line for i in report.issues] == list(range(301, 401))
    file = tmp_path / "rows.jsonl"
    for limit in (0, 1, 600):
        _, again = data.validate(file, profiles={"one": ONE}, max_issues=limit)
        assert again.verdicts == report.verdicts
        assert len(again.issues) == limit
        assert again.issues_truncated == 840 - limit


def test_what_concerns_the_whole_file_is_listed_beside_many_bad_rows(tmp_path: Path) -> None:
    file = written(tmp_path, '{"messages": []}\n' * 300 + '{"text": "a"}\n')
    picky = DataProfile(
        methods=frozenset({Method.DPO}), maximum_bytes=99, minimum_training_rows=999
    )
    text = DataProfile(row_shapes=frozenset({"messages", "text"}))
    profiles = {"one": ONE, "picky": picky, "text": text}
    wanted = {"file.method", "file.bytes", "file.rows", "file.mixed_shapes"}
    for workers in (1, 2):
        _, report = data.validate(file, profiles=profiles, max_issues=9, workers=workers)
        assert wanted <= {issue.rule for issue in report.issues}
        assert len(report.issues) == 9


def test_the_reasons_of_a_verdict_do_not_depend_on_what_is_listed(tmp_path: Path) -> None:
    file = written(tmp_path, '{"messages": []}\n' * 5 + "nonsense\n" + f'{GOOD[:-1]}, "id": 1}}\n')
    picky = DataProfile(minimum_training_rows=99, severities={"row.unknown_key": Severity.ERROR})
    for limit in (0, 1, 100):
        verdicts = data.validate(file, profiles={"one": ONE, "picky": picky}, max_issues=limit)[
            1
        ].verdicts
        assert verdicts["one"].reasons == ("json.syntax", "row.messages")
        assert verdicts["picky"].reasons == (
            "file.rows", "json.syntax", "row.messages", "row.unknown_key",
        )  # fmt: skip


def test_infos_do_not_crowd_out_warnings(tmp_path: Path) -> None:
    """Rows without a field for the grader are an info each."""
    graded = row(USER)
    odd = row('{"role": "user", "content": "Hi", "mood": 3}')
    file = written(tmp_path, f"{graded}\n" * 200 + f"{odd}\n")
    _, report = data.validate(file, profiles={"one": ONE}, method=Method.REINFORCEMENT)
    assert report.issues[-1].rule == "message.unknown_key"
    assert report.verdicts["one"].warnings == 1


@pytest.mark.slow
def test_a_hundred_thousand_bad_rows(tmp_path: Path) -> None:
    file = written(tmp_path, '{"messages": [}\n' * 50_000 + '{"messages": []}\n' * 50_000)
    _, report = data.validate(file, profiles={"one": ONE})
    assert report.verdicts["one"].errors == report.rows == 100_000
    assert len(report.issues) == 100


def test_providers_judge_differently(tmp_path: Path) -> None:
    strict = DataProfile(
        minimum_training_rows=10,
        maximum_bytes=100,
        severities={
            "row.consecutive_assistant": Severity.WARNING,
            "file.bom": None,
            "message.special_token": Severity.WARNING,
        },
    )
    text = (
        "\ufeff" + row(USER, ANSWER, ANSWER) + "\n" + row(USER, assistant('"content": "<|end|>"'))
    )
    report = report_of(tmp_path, text + "\n", strict=strict, one=ONE)
    by_rule = {issue.rule: issue for issue in report.issues}
    assert by_rule["file.bom"].providers == ("one",)
    assert by_rule["row.consecutive_assistant"].providers == ("strict",)
    assert by_rule["row.consecutive_assistant"].severity is Severity.WARNING
    assert by_rule["message.special_token"].providers == ("one",)
    assert by_rule["message.special_token"].severity is Severity.ERROR
    assert by_rule["file.rows"].providers == by_rule["file.bytes"].providers == ("strict",)
    assert (report.verdicts["strict"].errors, report.verdicts["strict"].warnings) == (2, 2)
    assert (report.verdicts["one"].errors, report.verdicts["one"].warnings) == (1, 1)
    assert not report.ok("one")


def test_a_profile_with_an_unknown_rule_is_noticed(tmp_path: Path) -> None:
    wrong = DataProfile(severities={"row.mesages": None})
    with pytest.raises(ConfigurationError, match=r"of mine names the rule 'row\.mesages'"):
        data.validate(written(tmp_path, GOOD), profiles={"mine": wrong})


def test_no_profile_still_lists_issues(tmp_path: Path) -> None:
    _, report = data.validate(written(tmp_path, "{}\n"), profiles={})
    assert report.verdicts == {}
    assert [issue.rule for issue in report.issues] == ["row.messages"]


def test_unreadable_files_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    cases: list[tuple[str | Path, str]] = [
        (tmp_path / "none.jsonl", "does not exist"),
        (tmp_path, "folder"),
        (fifo, "not a regular file"),
        ("-", "Standard input"),
        ("a\x00b", "cannot be read"),
        ("x" * 5000, "cannot be read"),
        ("\ud800", "cannot be read"),
    ]
    for file, words in cases:
        with pytest.raises(DatasetError, match=words) as caught:
            data.validate(file, profiles={})
        assert caught.value.hint
    file = written(tmp_path, GOOD)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DatasetError, match="may not be read") as caught:
        data.validate(file, profiles={})
    assert "chmod" in caught.value.hint
    assert isinstance(caught.value.__cause__, PermissionError)


def test_strange_names_are_fine(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff \n'.jsonl"))
    file.write_text(f"[{GOOD}]\n")
    dataset, report = data.validate(file, profiles={})
    assert dataset.path == file
    assert [issue.rule for issue in report.issues] == ["file.format"]
    assert json.loads(report.model_dump_json())["rows"] == 0


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    content = f"{GOOD}\n" * 30_000
    data.validate(
        written(tmp_path, content), profiles={}, on_progress=lambda *step: seen.append(step)
    )
    assert seen[-1] == (len(content), len(content))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert len(seen) > 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        file = tmp_path / f"{rows}.jsonl"
        bad = GOOD.replace("Hi", "Hi" * 500)[:-1]
        with file.open("w") as out:
            for index in range(rows):
                out.write(f"{bad}}}\n" if index % 50 else f"{bad}\n")
        tracemalloc.start()
        data.validate(file, profiles={"one": ONE})
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small, large = peak(8_000), peak(32_000)
    # Four times the file; where a block ends moves the peak by a buffer or two.
    assert large < small * 2
    assert large < 10 * 2**20


@pytest.mark.slow
def test_a_row_of_fifty_megabytes(tmp_path: Path) -> None:
    huge = "x" * 50_000_000
    good = row(USER, assistant(f'"content": "{huge}"'))
    bad = row(USER, assistant(f'"content": "{huge}", "weight": 2'))
    file = written(tmp_path, f"{good}\n{bad}\n{good[:-1]}\n")
    tracemalloc.start()
    _, report = data.validate(file, profiles={}, workers=1)  # threads have a row each
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(i.rule, i.line, i.column) for i in report.issues] == [
        ("message.weight", 2, bad.rindex("2") + 1),
        ("json.syntax", 3, len(good)),
    ]
    assert report.statistics.longest_row_bytes == len(bad)
    assert size < 6 * len(bad)


def test_statistics_are_exact_on_both_paths(tmp_path: Path) -> None:
    fast = row(
        '{"role": "system", "content": "Sé"}',
        '{"role": "user", "content": [{"type": "text", "text": "a€"}, '
        '{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}',
        assistant(f'"content": "ok", "tool_calls": [{CALL}]'),
        RESULT,
        ANSWER,
    )
    slow = fast[:-1] + ', "extra": 1}'
    report = report_of(tmp_path, f"{fast}\n{slow}\n")
    statistics = report.statistics
    assert statistics.messages_by_role == {"assistant": 4, "system": 2, "tool": 2, "user": 2}
    # Sé, a€, ok + look + {"q": 1}, 3, Yo
    assert statistics.characters == 2 * (2 + 2 + 2 + 4 + 8 + 1 + 2)
    assert statistics.assistant_characters == 2 * (2 + 4 + 8 + 2)
    assert statistics.text_bytes == 2 * (3 + 4 + 2 + 4 + 8 + 1 + 2)
    assert statistics.longest_row_bytes == len(slow.encode())
    assert report.tokens.total == statistics.text_bytes // 4
    assert not report.tokens.exact
    assert "estimate" in report.tokens.method


def test_long_keys_are_shortened(tmp_path: Path) -> None:
    key = f'"{"k" * 10_000}": 1'
    text = f"{GOOD[:-1]}, {key}, {key}}}"
    for issue in report_of(tmp_path, text + "\n").issues:
        assert len(issue.message) < 150
        assert len(issue.path) < 80


def test_long_values_are_shortened(tmp_path: Path) -> None:
    text = row(f'{{"role": "{"r" * 10_000}", "content": "x"}}', ANSWER)
    (issue,) = report_of(tmp_path, text + "\n").issues
    assert issue.rule == "message.role"
    assert len(issue.message) < 120


def test_read_rows_yields_lines_and_rows(tmp_path: Path) -> None:
    file = written(tmp_path, f"\ufeff{GOOD}\r\n\n{GOOD}")
    rows = list(data.read_rows(file))
    assert [number for number, _ in rows] == [1, 3]
    assert rows[0][1] == json.loads(GOOD)


def test_read_rows_stops_at_a_bad_row(tmp_path: Path) -> None:
    file = written(tmp_path, f"{GOOD}\n{row(USER)}\n")
    reader = data.read_rows(file)
    assert next(reader)[0] == 1
    with pytest.raises(DatasetError, match=r"line 2, column 14, messages: .*row\.no_assistant"):
        next(reader)
    lenient = DataProfile(severities={"row.no_assistant": None})
    assert len(list(data.read_rows(file, profile=lenient))) == 2
    with pytest.raises(DatasetError, match="does not exist"):
        next(data.read_rows(tmp_path / "none"))


@pytest.mark.parametrize(
    ("row", "fix"),
    [
        (
            '{"question": "a", "answer": "b"}',
            "ftproviders data convert {file} --columns user=question,assistant=answer --out ",
        ),
        ('{"a": "a", "b": "b"}', 'Write {"messages": [...]}.'),
        (GOOD[:-1] + ', "system": "Be kind."}', "Write it as the first message, of role system."),
    ],
)
def test_fixes_that_lose_nothing(tmp_path: Path, row: str, fix: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{row}\n", encoding="utf-8")
    report = data.validate(file, profiles={"all": DataProfile()})[1]
    (issue,) = [issue for issue in report.issues if issue.line]
    assert fix.replace("{file}", str(file)) in issue.fix
