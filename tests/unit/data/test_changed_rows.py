"""Rows that are changed as values, for every method and command: nothing is lost or raises."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ftproviders import data, registry
from ftproviders.data.conversion import RowMapping, convert
from ftproviders.data.conversion.reading import parse_json
from ftproviders.data.repair import repair
from ftproviders.data.shapes import Shape
from ftproviders.data.splitting import split
from ftproviders.data.template import ChatTemplate, TemplateTokenizer
from ftproviders.errors import ConfigurationError, DatasetError, FineTuneError
from ftproviders.provider import DataProfile
from ftproviders.schema.hyperparameters import Method
from tests.data_properties.changed import ChangedRows
from tests.unit.data.method_cases import METHOD_CASES
from tests.unit.data.test_any_rows import ROWS
from tests.unit.data.test_template import CHATML, look, save_model

LINES = [
    *(json.dumps(row).encode() for row in ROWS),
    *(case.row.encode() for case in METHOD_CASES.values() if len(case.row) < 5_000),
]
PROFILES = {name: registry.info(name).data_profile(None) for name in registry.built_in()}
ASKED = {"role": "user", "content": "q"}
SAID = {"role": "assistant", "content": "a"}
TALK = {"messages": [ASKED, SAID]}


def changed(chance: random.Random, count: int) -> list[bytes]:
    """Return lines of UTF-8; a file that is UTF-8 in part only is refused as a whole."""
    made = ChangedRows(chance, LINES)
    lines = (made.line() for _ in range(count))
    return [line for line in lines if line == line.decode("utf-8", "replace").encode()]


@pytest.mark.parametrize("method", Method)
def test_any_row_has_a_verdict_for_any_method(tmp_path: Path, method: Method) -> None:
    chance = random.Random(method.value)
    file, fixed = tmp_path / "rows.jsonl", tmp_path / "fixed.jsonl"
    for _ in range(4):
        file.write_bytes(b"\n".join([*changed(chance, 60), *LINES[:3]]))
        wishes = data.Wishes(profiles=PROFILES, method=method, max_issues=10_000)
        before = data.look_at(file, wishes)
        assert len(before.issues) > 60
        done = repair(file, fixed, overwrite=True)
        after = data.look_at(fixed, wishes)
        assert done.rows == before.rows == after.rows
        errors = [sum(one.errors for one in report.verdicts.values()) for report in (before, after)]
        assert errors[1] <= errors[0] or done.counts.get("json.syntax")
        content = fixed.read_bytes()
        assert repair(fixed, tmp_path / "again.jsonl", overwrite=True).repairs == ()
        assert (tmp_path / "again.jsonl").read_bytes() == content


def test_each_changed_row_is_in_one_part_byte_for_byte(tmp_path: Path) -> None:
    chance = random.Random(5)
    lines = [line.strip() for line in changed(chance, 300) if _is_json(line)]
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\r\n\n".join([*lines, *lines[:30]]))
    for validation, test, group in ((0.3, 0, None), (9, 1, None), (0.1, 0.5, "prompt")):
        report = split(file, validation=validation, test=test, group_by=group, overwrite=True)
        parts = [part.file.read_bytes().split(b"\n")[:-1] for part in report.parts]
        assert [len(part) for part in parts] == [part.rows for part in report.parts]
        assert Counter(row for part in parts for row in part) == Counter([*lines, *lines[:30]])


def _is_json(line: bytes) -> bool:
    try:
        parse_json(line.decode())
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("shape", [shape for shape in Shape if shape is not Shape.COLUMNS])
def test_rows_that_have_not_the_shape_that_is_stated(tmp_path: Path, shape: Shape) -> None:
    mapping, out = RowMapping(source_shape=shape), tmp_path / "out.jsonl"
    with pytest.raises(DatasetError, match=f"row has no '.*', so it is not of shape {shape}"):
        convert([{"x": 1}], out, mapping=mapping)
    for line in changed(random.Random(shape), 100):
        if _is_json(line):
            try:
                convert([json.loads(line)], out, mapping=mapping, overwrite=True)
            except FineTuneError:
                continue
            assert json.loads(out.read_bytes())


def test_columns_are_a_shape_only_where_they_are_named() -> None:
    with pytest.raises(ConfigurationError, match="not which column is which"):
        RowMapping(source_shape=Shape.COLUMNS)


def test_a_field_called_input_makes_no_preference(tmp_path: Path) -> None:
    def run(row: dict[str, Any], **wishes: Any) -> Any:
        convert([row], tmp_path / "o.jsonl", mapping=RowMapping(**wishes), overwrite=True)
        return json.loads((tmp_path / "o.jsonl").read_bytes())

    graded = {**TALK, "input": "x", "preferred_output": 1}
    assert run(graded) == graded
    assert run(graded, system="s")["messages"][0] == {"role": "system", "content": "s"}
    alpaca = {"instruction": "q", "input": "", "output": "a"}
    assert run(alpaca, keep=("input",)) == {**TALK, "input": ""}
    columns = {"user": "instruction", "assistant": "output"}
    assert run(alpaca, keep=("input",), columns=columns) == {**TALK, "input": ""}
    with pytest.raises(DatasetError, match="'messages' cannot be kept"):
        run({**alpaca, "messages": 3}, keep=("messages",), columns=columns)
    pair = {"input": TALK, "preferred_output": [SAID], "non_preferred_output": [SAID]}
    with pytest.raises(DatasetError, match="not clear which one is meant"):
        run({**pair, **TALK}, source_shape=Shape.PREFERENCE)


def test_what_a_shape_has_no_place_for_is_listed(tmp_path: Path) -> None:
    def left_out(row: dict[str, Any], target: Shape, **wishes: Any) -> tuple[str, ...]:
        mapping = RowMapping(**wishes)
        out = tmp_path / "o.jsonl"
        return convert([row], out, target=target, mapping=mapping, overwrite=True).left_out

    graded = {**TALK, "answer": "4", "parallel_tool_calls": False}
    assert left_out(graded, Shape.ALPACA) == ("answer", "parallel_tool_calls")
    assert left_out(graded, Shape.MESSAGES) == ()
    asked = {"prompt": "q", "completion": "a", "answer": "4"}
    assert left_out(asked, Shape.SHAREGPT, keep=("answer",)) == ("answer",)
    assert left_out(asked, Shape.MESSAGES, keep=("answer",)) == ()
    given = {"messages": [ASKED], "parallel_tool_calls": True}
    worse = [{**SAID, "content": "b"}]
    pair = {"input": given, "preferred_output": [SAID], "non_preferred_output": worse, "id": 1}
    assert left_out(pair, Shape.CHOSEN_REJECTED) == ("id", "input.parallel_tool_calls")
    assert left_out(pair, Shape.MESSAGES) == ("id",)
    assert left_out(pair, Shape.PREFERENCE) == ()


@pytest.mark.parametrize("encoding", ["hex", "rot13", "undefined", "utf-16", "a\0b"])
def test_encodings_that_are_none_of_the_file(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "q", "completion": "a"}\n' * 2)
    with pytest.raises(DatasetError, match=r"There is no encoding|is not .*: "):
        convert(file, tmp_path / "out.jsonl", encoding=encoding)


@pytest.mark.parametrize("value", [b"x", {1}, {"a": b"x"}, float("inf"), 1j])
def test_values_that_json_has_not(tmp_path: Path, value: object) -> None:
    rows = [{"prompt": value, "completion": "a"}, {"prompt": "q", "completion": "a"}]
    for templates in ({}, {"user": "{prompt}", "assistant": "{completion}"}):
        mapping, out = RowMapping(templates=templates), tmp_path / "out.jsonl"
        report = convert(rows, out, mapping=mapping, skip_bad=True, overwrite=True)
        assert (report.rows, [row.line for row in report.bad]) == (1, [1])
        assert "cannot be written as JSON" in report.bad[0].message


def test_a_pair_whose_outputs_begin_with_an_answer_of_a_tool_keeps_its_input(
    tmp_path: Path,
) -> None:
    answered = {"role": "tool", "tool_call_id": "c", "content": "r"}
    pair = {
        "input": {"messages": [ASKED]},
        "preferred_output": [answered, SAID],
        "non_preferred_output": [answered, {**SAID, "content": "b"}],
    }
    table, out = tmp_path / "pairs.csv", tmp_path / "pairs.jsonl"
    convert([pair], table, target=Shape.CHOSEN_REJECTED)
    convert(table, out)
    assert json.loads(out.read_bytes()) == pair


@pytest.mark.parametrize("row", ['{"text": "t"}', '{"prompt": "p", "completion": "c"}'])
def test_who_takes_rows_to_imitate_takes_none_of_them_for_a_grader(
    tmp_path: Path, row: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(row + "\n")
    shapes = frozenset({"messages", "prompt-completion", "text"})
    profiles = {"one": DataProfile(row_shapes=shapes)}
    for method, rules in ((Method.SUPERVISED, []), (Method.REINFORCEMENT, ["row.messages"])):
        report = data.look_at(file, data.Wishes(profiles=profiles, method=method))
        assert [issue.rule for issue in report.issues] == rules
        assert report.ok("one") is (not rules)


def test_prompt_and_completion_of_messages_are_read_as_one_conversation(tmp_path: Path) -> None:
    row = {"prompt": [ASKED, SAID, ASKED], "completion": [SAID]}
    tokenizer = TemplateTokenizer(ChatTemplate(save_model(tmp_path / "m", CHATML)), model="tiny")
    silent = {**SAID, "weight": 0}
    assert tokenizer.row(row) == tokenizer.row({"messages": [ASKED, silent, ASKED, SAID]})
    assert tokenizer.row(row).total > tokenizer.row(row).assistant > 0
    report, issues = look(tmp_path, CHATML, row)
    assert (report.rows, report.masked, issues) == (1, 0, ())
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    _, (issue,) = look(tmp_path, CHATML, {"prompt": [ASKED, image], "completion": [SAID]})
    assert (issue.rule, issue.path) == ("template.refused", "prompt[1].content")
    for odd in ({"prompt": [3], "completion": [SAID]}, {"prompt": [ASKED], "completion": [3]}):
        assert tokenizer.row(odd).total == 0
