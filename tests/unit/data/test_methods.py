"""Rules of every method: a row that breaks only one, one just inside; files and pairs of files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders import data, registry
from ftproviders.client import FineTuneClient
from ftproviders.data.engine import ExactEngine
from ftproviders.errors import ConfigurationError
from ftproviders.provider import DataProfile, ModelData
from ftproviders.schema.dataset import Issue, Severity
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.data_cases import ANSWER, GOOD, USER, image, row
from tests.unit.data.method_cases import GOOD_ROWS, METHOD_CASES, TRL, pair, png, seeing

ONE = DataProfile()


def talk(question: str, answer: str, extra: str = "") -> str:
    return row(
        json.dumps({"role": "user", "content": question}),
        json.dumps({"role": "assistant", "content": answer}),
        extra=extra,
    )


def written(tmp_path: Path, *rows: str, name: str = "rows.jsonl") -> Path:
    file = tmp_path / name
    file.write_text("".join(f"{one}\n" for one in rows), encoding="utf-8")
    return file


def across(tmp_path: Path, *rows: str, workers: int = 1, **profiles: DataProfile) -> list[Issue]:
    report = data.validate(
        written(tmp_path, *rows),
        profiles=profiles or {"one": ONE},
        across_rows=True,
        workers=workers,
    )[1]
    return list(report.issues)


@pytest.mark.parametrize("rule", METHOD_CASES)
def test_broken_row_breaks_only_its_rule(rule: str, tmp_path: Path) -> None:
    case = METHOD_CASES[rule]
    good = GOOD_ROWS[case.method] if case.profile is not TRL else case.inside
    file = written(tmp_path, good, case.row, good)
    report = data.validate(file, profiles={"one": case.profile}, method=case.method)[1]
    (issue,) = report.issues
    assert (issue.rule, issue.line, issue.path, issue.column) == (rule, 2, case.path, case.column)
    assert issue.severity == data.RULES[rule].severity
    assert issue.fix
    assert len(issue.message) < 300


@pytest.mark.parametrize("rule", METHOD_CASES)
def test_row_just_inside_is_accepted(rule: str, tmp_path: Path) -> None:
    case = METHOD_CASES[rule]
    file = written(tmp_path, case.inside)
    report = data.validate(file, profiles={"one": case.profile}, method=case.method)[1]
    assert report.issues == ()
    assert report.rows == 1


def test_shapes_are_an_issue_only_for_those_that_do_not_take_them(tmp_path: Path) -> None:
    file = written(tmp_path, '{"text": "a"}', '{"text": "b"}')
    report = data.validate(file, profiles={"chat": ONE, "trl": TRL})[1]
    assert [(i.rule, i.providers) for i in report.issues] == [("row.messages", ("chat",))] * 2
    assert report.verdicts["trl"].ok
    assert report.verdicts["chat"].errors == 2
    columns = written(tmp_path, '{"prompt": "p", "chosen": "a", "rejected": "b"}')
    both = {"openai": ONE, "trl": TRL}
    report = data.validate(columns, profiles=both, method=Method.DPO)[1]
    (issue,) = report.issues
    assert (issue.rule, issue.providers) == ("pair.shape", ("openai",))
    assert "convert" in issue.fix
    report = data.validate(written(tmp_path, pair()), profiles=both, method=Method.DPO)[1]
    assert [(i.rule, i.providers) for i in report.issues] == [("pair.shape", ("trl",))]


def test_calls_of_the_input_are_looked_at_once(tmp_path: Path) -> None:
    call = '{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}'
    asked = f'{USER}, {{"role": "assistant", "tool_calls": [{call}]}}, {USER}'
    file = written(tmp_path, pair(asked))
    report = data.validate(file, profiles={"one": ONE}, method=Method.DPO)[1]
    assert [issue.rule for issue in report.issues] == ["tool_call.unanswered"]


def test_mixed_shapes(tmp_path: Path) -> None:
    issues = across(tmp_path, GOOD, '{"text": "b"}', trl=TRL)
    assert [(i.rule, i.line) for i in issues] == [("file.mixed_shapes", 2)]
    assert across(tmp_path, '{"text": "a"}', '{"text": "b"}', trl=TRL) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_that_stand_twice_and_prompts_with_two_answers(tmp_path: Path, workers: int) -> None:
    other_order = '{"messages":[{"content":"q","role":"user"},{"content":"a","role":"assistant"}]}'
    escaped = talk("q", "a").replace('"a"', '"\\u0061"')
    rows = [talk("q", "a"), talk("p", "b"), other_order, talk("p", "c"), escaped, talk("Q", "a")]
    issues = across(tmp_path, *rows, workers=workers)
    assert [(i.rule, i.line) for i in issues] == [
        ("rows.duplicate", 3),
        ("rows.conflict", 4),
        ("rows.duplicate", 5),
    ]
    assert ["line 1" in issues[0].message, "line 2" in issues[1].message] == [True, True]
    assert all(issue.severity is Severity.WARNING for issue in issues)


def test_equal_texts_are_not_yet_equal_rows(tmp_path: Path) -> None:
    rows = [
        talk("q", "a"),
        talk("q", "a", ', "tools": []'),
        row('{"role": "system", "content": "q"}', '{"role": "assistant", "content": "a"}'),
        talk("ab", "c"),
        row('{"role": "user", "content": "a"}', '{"role": "user", "content": "b"}',
            '{"role": "assistant", "content": "c"}'),
    ]  # fmt: skip
    assert across(tmp_path, *rows) == []


def test_pairs_the_other_way_round_contradict(tmp_path: Path) -> None:
    answers = [f'{{"role": "assistant", "content": "{word}"}}' for word in ("a", "b", "c")]
    file = written(
        tmp_path,
        pair(better=answers[0], worse=answers[1]),
        pair(better=answers[0], worse=answers[2]),
        pair(better=answers[1], worse=answers[0]),
    )
    report = data.validate(file, profiles={"one": ONE}, method=Method.DPO, across_rows=True)[1]
    assert [(i.rule, i.line) for i in report.issues] == [("rows.conflict", 3)]


def test_overlap_of_training_and_validation(tmp_path: Path) -> None:
    train = written(tmp_path, talk("q", "a"), talk("p", "b"), talk("r", "c"))
    held = written(tmp_path, talk("new", "x"), talk("p", "b"), talk("q", "no"), name="held.jsonl")
    one, two = data.validate_pair(train, held, data.Wishes(profiles={"one": ONE}))
    assert one.issues == ()
    assert [(i.rule, i.line) for i in two.issues] == [("rows.overlap", 2), ("rows.overlap", 3)]
    assert "line 2" in two.issues[0].message
    assert "another answer" in two.issues[1].message
    assert two.verdicts["one"].warnings == 2


def many(tmp_path: Path) -> Path:
    rows = [talk(f"question {i} é", f"answer {i}") for i in range(4_000)]
    rows[700] = talk("question 1 é", "answer 1")
    rows[2500] = talk("question 3 é", "another")
    rows[3900] = "{broken"
    rows[3000] = ""
    rows[1000] = row(seeing(2), ANSWER)
    rows[3500] = talk("x", "y", ', "id": 1')
    return written(tmp_path, *rows)


@pytest.mark.slow
def test_reports_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    file = many(tmp_path)
    found = [
        data.validate(
            file, profiles={"one": ONE}, across_rows=True, workers=count, max_issues=limit
        )
        for limit in (100, 2)
        for count in (1, 2, 3)
    ]
    assert found[0] == found[1] == found[2]
    assert found[3] == found[4] == found[5]
    report = found[0][1]
    assert [(i.rule, i.line) for i in report.issues] == [
        ("rows.duplicate", 701),
        ("rows.conflict", 2501),
        ("file.blank_lines", 3001),
        ("row.unknown_key", 3501),
        ("json.syntax", 3901),
    ]
    exact = data.validate(file, profiles={"one": ONE}, engine=ExactEngine())[1]
    assert exact.statistics == report.statistics


@pytest.mark.slow
def test_keys_on_disk_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = many(tmp_path)
    before = data.validate(file, profiles={"one": ONE}, across_rows=True)
    monkeypatch.setattr("ftproviders.data.validation._BUCKET_BYTES", 32 * 1024)
    monkeypatch.setattr("ftproviders.data.keys._MOST_IN_MEMORY", 500)
    monkeypatch.setattr("ftproviders.data.repeats._MOST_AT_ONCE", 50)
    assert data.validate(file, profiles={"one": ONE}, across_rows=True) == before
    assert data.validate(file, profiles={"one": ONE}, across_rows=True, workers=2) == before


def test_standard_input_is_read_like_a_file(tmp_path: Path) -> None:
    file = many(tmp_path)
    _, expected = data.validate(file, profiles={"one": ONE}, across_rows=True)
    _, report = data.validate(
        "-", profiles={"one": ONE}, across_rows=True, source=io.BytesIO(file.read_bytes())
    )
    assert report == expected.model_copy(update={"file": "-"})


def test_limits_for_the_whole_file(tmp_path: Path) -> None:
    small = DataProfile(maximum_plain_bytes=100, maximum_bytes=10_000)
    file = written(tmp_path, row(seeing(1), ANSWER), GOOD)
    blind = DataProfile(maximum_image_rows=0)
    report = data.validate(file, profiles={"small": small, "blind": blind, "any": ONE})[1]
    assert sorted((i.rule, i.providers) for i in report.issues) == [
        ("file.images", ("blind",)),
        ("file.upload", ("small",)),
    ]
    inside = DataProfile(maximum_image_rows=1, maximum_plain_bytes=file.stat().st_size)
    assert data.validate(file, profiles={"inside": inside})[1].issues == ()


def test_methods_and_validation_files(tmp_path: Path) -> None:
    strict = DataProfile(
        methods=frozenset({Method.REINFORCEMENT}),
        needs_validation_file=frozenset({Method.REINFORCEMENT}),
    )

    def rules(method: Method, has_one: bool | None) -> list[str]:
        file = written(tmp_path, GOOD_ROWS[method])
        report = data.validate(
            file, profiles={"one": strict}, method=method, has_validation_file=has_one
        )[1]
        return [issue.rule for issue in report.issues]

    assert rules(Method.REINFORCEMENT, False) == ["file.validation"]
    assert rules(Method.REINFORCEMENT, True) == []
    assert rules(Method.REINFORCEMENT, None) == ["file.validation"]
    assert rules(Method.SUPERVISED, False) == ["file.method"]


def test_a_validation_file_that_nobody_spoke_of_is_an_info(tmp_path: Path) -> None:
    needing = DataProfile(needs_validation_file=frozenset({Method.SUPERVISED}))
    file = written(tmp_path, GOOD)
    found = {
        said: data.validate(
            file, profiles={"one": ONE, "needing": needing}, has_validation_file=said
        )[1]
        for said in (None, False)
    }
    (info,), (error,) = found[None].issues, found[False].issues
    assert (info.severity, info.providers) == (Severity.INFO, ("needing",))
    assert (error.severity, error.providers) == (Severity.ERROR, ("needing",))
    assert found[None].verdicts["needing"].ok
    assert found[False].verdicts["needing"].reasons == ("file.validation",)
    assert data.validate(file, profiles={"needing": needing}, purpose="validation")[1].issues == ()


@pytest.mark.parametrize("method", list(Method))
def test_methods_may_be_named_in_words(method: Method, tmp_path: Path) -> None:
    rows = (GOOD_ROWS[m] for m in (Method.SUPERVISED, Method.DPO, Method.REINFORCEMENT))
    file = written(tmp_path, *rows)
    expected = data.validate(file, profiles={"one": ONE}, method=method)
    assert expected[1].issues
    assert data.validate(file, profiles={"one": ONE}, method=method.value) == expected
    wishes = data.Wishes(profiles={"one": ONE}, method=data.parse_method(method.value))
    assert data.validate_pair(file, file, wishes)[0].verdicts == expected[1].verdicts
    assert FineTuneClient().validate(file, method=method.value) == FineTuneClient().validate(
        file, method=method
    )


def test_words_that_are_no_method_and_no_level_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    with pytest.raises(ConfigurationError, match="no method 'tuning'"):
        data.validate(file, profiles={"one": ONE}, method="tuning")
    level: Any = "errors"
    with pytest.raises(ConfigurationError, match="no level 'errors'"):
        data.validate(file, profiles={"one": ONE}, secrets=level)


def test_rows_with_too_many_tokens_are_counted_exactly(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD, talk("long " * 30, "a"), talk("wide" * 30, "a"))
    counted: list[object] = []

    def count(value: object) -> int:
        counted.append(value)
        return json.dumps(value).count(" ")

    profile = DataProfile(maximum_row_tokens=100)
    _, report = data.validate(file, profiles={"one": profile}, count_tokens=count)
    assert report.issues == ()
    assert len(counted) == 2
    short = DataProfile(maximum_row_tokens=20)
    _, report = data.validate(
        file, profiles={"one": profile, "short": short}, count_tokens=count, workers=2
    )
    assert [(i.rule, i.line, i.providers) for i in report.issues] == [("row.tokens", 2, ("short",))]


def test_a_model_changes_the_profile() -> None:
    profile = DataProfile(
        methods=frozenset({Method.SUPERVISED, Method.DPO}),
        models=(
            ModelData(pattern="small-*", methods=frozenset({Method.SUPERVISED}), row_tokens=9),
            ModelData(pattern="*", images=False),
        ),
    )
    small = profile.for_model("Small-1")
    assert small.methods == {Method.SUPERVISED}
    assert small.maximum_row_tokens == 9
    assert profile.for_model("big").maximum_image_rows == 0
    assert profile.for_model(None) is profile


@pytest.mark.parametrize("name", registry.names())
def test_built_in_profiles_know_only_rules_that_exist(name: str, tmp_path: Path) -> None:
    info = registry.info(name)
    file = written(tmp_path, *(talk(f"q{i}", f"a{i}") for i in range(10)))
    _, report = data.validate(
        file, profiles={name: info.data_profile()}, has_validation_file=True, across_rows=True
    )
    assert report.verdicts[name].ok, report.issues
    assert info.data.source or name == "local"


def test_image_bytes_tell_the_format(tmp_path: Path) -> None:
    url = f"data:image/webp;base64,{png(2)}"
    text = image(f'"url": "{url}"')
    (issue,) = data.validate(written(tmp_path, text), profiles={"one": ONE})[1].issues
    assert issue.rule == "image.format"
    assert "PNG" in issue.message


def test_calls_and_tools_in_trls_columns(tmp_path: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "c", "content": "1"}
    said = {"role": "assistant", "content": "a"}
    shape = {"type": "object", "properties": {"x": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": shape}}]
    good = {
        "prompt": [{"role": "user", "content": "q"}, calling, answer],
        "chosen": [said],
        "rejected": [calling],
        "tools": tools,
        "source": None,
    }

    def found(**changes: object) -> list[tuple[str, str]]:
        file = written(tmp_path, json.dumps({**good, **changes}))
        report = data.validate(file, profiles={"trl": TRL}, method=Method.DPO)[1]
        return [(issue.rule, issue.path) for issue in report.issues]

    assert found() == []
    assert found(tools=json.dumps(tools)) == []
    wrong = {**call, "function": {"name": "f", "arguments": '{"x": "one"}'}}
    place = "tool_calls[0].function.arguments"
    assert found(rejected=[{**calling, "tool_calls": [wrong]}]) == [
        ("tool_call.schema", f"rejected[0].{place}")
    ]
    assert found(chosen=[{**answer, "tool_call_id": "d"}, said]) == [
        ("tool.answer", "chosen[0].tool_call_id")
    ]
    assert found(prompt=[*good["prompt"][:2]]) == [
        ("tool_call.unanswered", "prompt[1].tool_calls[0]"),
        ("tool_call.duplicate_id", "rejected[0].tool_calls[0].id"),
    ]
    assert found(tools=[{"type": "function"}]) == [
        ("tool_call.undeclared", "prompt[1].tool_calls[0].function.name"),
        ("tool_call.undeclared", "rejected[0].tool_calls[0].function.name"),
        ("tool.shape", "tools[0]"),
    ]
