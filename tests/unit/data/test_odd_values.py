"""Values at the edge of what JSON allows, and rows that are made to be slow: one verdict each."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from ftproviders import data
from ftproviders.data import positions, stream
from ftproviders.data import rows as rows_module
from ftproviders.data.canonical import RowReader
from ftproviders.data.conversion import convert
from ftproviders.data.exact import read_document
from ftproviders.data.repair import repair
from ftproviders.data.repair.rowfix import repair_row
from ftproviders.data.splitting import split
from ftproviders.errors import ConfigurationError, DatasetError
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import ValidationReport
from tests.unit.data.data_cases import GOOD, row

LONG = "9" * 6_000
SECRET = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gHi"


def written(folder: Path, *rows: str, name: str = "rows.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(f"{one}\n" for one in rows), encoding="utf-8")
    return file


def looked_at(file: Path) -> ValidationReport:
    return data.validate(file, profiles={"one": DataProfile()}, across_rows=True)[1]


def test_numbers_of_any_length_are_read_and_told_apart(tmp_path: Path) -> None:
    rows = [f'{GOOD[:-1]}, "x": {number}}}' for number in (LONG, LONG + "1", LONG)]
    report = looked_at(written(tmp_path, *rows, GOOD))
    assert [(one.rule, one.line) for one in report.issues if one.rule != "row.unknown_key"] == [
        ("rows.duplicate", 3)
    ]
    assert report.rows == 4
    out = tmp_path / "fixed.jsonl"
    assert repair(written(tmp_path, *rows, GOOD), out).rows == 4
    assert out.read_text(encoding="utf-8").splitlines() == [*rows, GOOD]


def test_long_numbers_count_as_rows_with_too_many_tokens(tmp_path: Path) -> None:
    file = written(tmp_path, f'{GOOD[:-1]}, "x": {LONG}}}')
    profiles = {"one": DataProfile(maximum_row_tokens=50)}
    _, report = data.validate(file, profiles=profiles, count_tokens=lambda _: 51)
    assert {one.rule for one in report.issues} == {"row.unknown_key", "row.tokens"}


@pytest.mark.parametrize("skip_bad", [False, True])
def test_conversion_says_which_numbers_it_cannot_keep(tmp_path: Path, skip_bad: bool) -> None:
    out = tmp_path / "out.jsonl"
    for content in (
        f'{{"prompt": {LONG}, "completion": "a"}}\n{{"prompt": "p", "completion": "b"}}\n',
        f'[{{"prompt": {LONG}, "completion": "a"}},\n{{"prompt": "p", "completion": "b"}}]',
        f'{{\n"prompt": {LONG}, "completion": "a"}}\n{{"prompt": "p", "completion": "b"}}',
    ):
        file = tmp_path / "in.json"
        file.write_text(content, encoding="utf-8")
        if skip_bad:
            report = convert(file, out, skip_bad=True, overwrite=True)
            assert (report.rows, report.bad_rows) == (1, 1)
            assert "6,000 digits" in report.bad[0].message
        else:
            with pytest.raises(DatasetError, match="line 1: a number has 6,000 digits"):
                convert(file, out)


def test_an_array_with_a_long_number_is_still_an_array(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text(f'[{{"x": {LONG}}}, {{"x": 1}}]', encoding="utf-8")
    assert [one.rule for one in looked_at(file).issues] == ["file.format"]


@pytest.mark.parametrize("start", ['{"a": 1, "a": 2}', "NaN", LONG])
def test_values_nested_too_deep_after_a_fault_end_in_a_sentence(tmp_path: Path, start: str) -> None:
    file = tmp_path / "rows.json"
    deep = "[" * 5_000 + "]" * 5_000
    file.write_text(f'[\n{{"x": {start}, "y": {deep}}}]', encoding="utf-8")
    with pytest.raises(DatasetError, match="nested too deep"):
        convert(file, tmp_path / "out.jsonl", skip_bad=True)


def image_row(number: int, answer: str) -> str:
    part = json.dumps({"type": "image_url", "image_url": {"url": f"https://a.b/{number}.png"}})
    user = f'{{"role": "user", "content": [{{"type": "text", "text": "What is it?"}}, {part}]}}'
    return row(user, json.dumps({"role": "assistant", "content": answer}))


def test_equal_texts_about_other_images_cost_no_comparison_with_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = 0
    whole = RowReader.split

    def counted(self: RowReader, offset: int) -> object:
        nonlocal splits
        splits += 1
        return whole(self, offset)

    monkeypatch.setattr(RowReader, "split", counted)
    rows = [image_row(n, "cat" if n % 2 else "dog") for n in range(300)]
    report = looked_at(written(tmp_path, *rows, image_row(7, "cat"), image_row(9, "dog")))
    assert [(one.rule, one.line) for one in report.issues] == [
        ("rows.duplicate", 301),
        ("rows.conflict", 302),
    ]
    assert ["line 8" in report.issues[0].message, "line 10" in report.issues[1].message] == [
        True,
        True,
    ]
    assert splits < 4 * len(rows)


def test_overlaps_are_found_behind_rows_with_the_same_texts(tmp_path: Path) -> None:
    train = written(tmp_path, *(image_row(n, "cat") for n in range(20)))
    held = written(
        tmp_path, image_row(99, "cat"), image_row(7, "cat"), image_row(9, "dog"), name="held.jsonl"
    )
    two = data.validate_pair(train, held, data.Wishes(profiles={"one": DataProfile()}))[1]
    assert [(one.rule, one.line) for one in two.issues] == [
        ("rows.overlap", 2),
        ("rows.overlap", 3),
    ]
    assert "line 8" in two.issues[0].message
    assert "line 10" in two.issues[1].message


def test_strings_without_an_end_are_gone_through_once() -> None:
    # Each quote would be tried as a beginning: with so many, this would take an hour.
    text = '{"a": [' + "[]," * 101 + '"' + '\\"' * 1_000_000
    document = read_document(text.encode())
    assert [one.rule for one in document.findings] == ["json.syntax"]
    assert repair_row(text) == (text, [])
    assert repair_row('{"a": "b\\') == ('{"a": "b\\', [])


def test_repeated_keys_among_many(tmp_path: Path) -> None:
    many = ", ".join(f'"k{number}": {number}' for number in range(30_000))
    text = f'{{{many}, "k7": 7, "k5": 5, "k7": 7}}'
    repaired, repairs = repair_row(text)
    assert len(json.loads(repaired)) == 30_000
    assert [one.what for one in repairs] == [
        'removed the second "k5"; both said the same',
        'removed the second "k7"; both said the same',
    ]


def test_keys_that_are_secrets_are_masked_in_paths(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f'{GOOD[:-1]}, "{SECRET}": 1}}',
        f'{GOOD[:-1]}, "{SECRET}": 1, "{SECRET}": 2}}',
        f'{GOOD[:-1]}, "a_key_of_more_than_16_letters": 1}}',
    )
    report = looked_at(file)
    assert SECRET not in report.model_dump_json()
    assert {one.rule for one in report.issues} == {
        "row.unknown_key", "json.duplicate_key", "secret.token"
    }  # fmt: skip
    assert report.issues[-1].path == "a_key_of_more_than_16_letters"
    for line in ('{"S": 1, "S": 2}', '{"S": "a", "b": "c"}'):
        source = written(tmp_path, line.replace("S", SECRET))
        with pytest.raises(DatasetError) as caught:
            convert(source, tmp_path / "out.jsonl")
        assert SECRET not in f"{caught.value} {caught.value.hint}"
        assert "ghp_***" in str(caught.value)


def test_lines_that_are_too_long_are_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_ROW_BYTES", 300)
    file = written(tmp_path, f"{GOOD}{' ' * 300}", GOOD, GOOD)
    with pytest.raises(DatasetError, match="line 1: the line is longer than"):
        split(file, validation=1)
    with pytest.raises(DatasetError, match=r"line 1, .* the line is longer than"):
        list(rows_module.read_rows(file))


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -float("inf")])
def test_sizes_that_are_no_numbers(tmp_path: Path, size: float) -> None:
    file = written(tmp_path, GOOD, GOOD)
    with pytest.raises(ConfigurationError, match="is no size"):
        split(file, validation=size)
    with pytest.raises(ConfigurationError, match="is no size"):
        split(file, validation=1, test=size)


def test_a_row_with_many_faults_is_walked_over_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = 0
    whole = positions.walk

    def counted(text: str) -> object:
        nonlocal walks
        walks += 1
        return whole(text)

    monkeypatch.setattr(positions, "walk", counted)
    messages = ", ".join(['{"role": "usr", "content": "q"}'] * 500)
    report = looked_at(written(tmp_path, f'{{"messages": [{messages}]}}'))
    assert (len(report.issues), report.issues_truncated) == (100, 401)  # and that nobody answers
    assert [one.column for one in report.issues[:2]] == [24, 57]
    assert walks == 1


def test_what_is_said_of_latin_1_works(tmp_path: Path) -> None:
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(GOOD.replace("Hi", "caf\u00e9").encode("latin-1") + b"\n")
    (issue,) = looked_at(file).issues
    assert (issue.rule, issue.line) == ("json.encoding", 1)
    assert f"validate {shlex.quote(str(file))} --fix " in issue.fix
    assert "FILE" not in issue.fix
    repair(file, out)
    assert looked_at(out).issues == ()
