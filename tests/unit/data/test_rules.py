"""Every rule of the table: one row that breaks only it, one just inside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftproviders.data import RULES, stream, validate
from ftproviders.data import engine as engine_module
from ftproviders.data.rules import rules_for
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Issue, Severity, ValidationReport
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.across_cases import ACROSS, HELD, rules_of
from tests.unit.data.data_cases import GOOD, ROW_CASES, RowCase
from tests.unit.data.method_cases import METHOD_CASES

PROFILES = {
    "any": DataProfile(severities={"row.consecutive_assistant": Severity.WARNING}),
}


def check(tmp_path: Path, content: bytes, **profiles: DataProfile) -> ValidationReport:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    return validate(file, profiles=profiles or PROFILES)[1]


def only_issue(report: ValidationReport) -> Issue:
    assert len(report.issues) == 1, report.issues
    assert report.issues_truncated == 0
    return report.issues[0]


@pytest.mark.parametrize("rule", ROW_CASES)
def test_broken_row_breaks_only_its_rule(rule: str, tmp_path: Path) -> None:
    case: RowCase = ROW_CASES[rule]
    issue = only_issue(check(tmp_path, f"{GOOD}\n{case.row}\n{GOOD}\n".encode()))
    assert (issue.rule, issue.line, issue.column, issue.path) == (
        rule,
        2,
        case.column,
        case.path,
    ), issue
    assert issue.severity == (RULES[rule].severity or Severity.WARNING)
    assert issue.message
    assert issue.fix
    assert len(issue.message) < 300


@pytest.mark.parametrize("rule", ROW_CASES)
def test_row_just_inside_is_accepted(rule: str, tmp_path: Path) -> None:
    report = check(tmp_path, f"{GOOD}\n{ROW_CASES[rule].inside}\n{GOOD}\n".encode())
    assert report.issues == ()
    assert report.rows == 3


FILE_CASES: dict[str, tuple[bytes, int, int | None, bytes]] = {
    "file.empty": (b"\n \n", 0, None, f"{GOOD}\n".encode()),
    "file.format": (f"[{GOOD}]\n".encode(), 0, None, f" {GOOD}\n".encode()),
    "file.bom": (f"\ufeff{GOOD}\n".encode(), 0, None, f"{GOOD}\n".encode()),
    "file.blank_lines": (f"{GOOD}\n\n{GOOD}\n".encode(), 2, None, f"{GOOD}\n{GOOD}\n".encode()),
    "file.crlf": (f"{GOOD}\r\n".encode(), 1, None, f"\r{GOOD}\n".encode()),
    "file.last_newline": (GOOD.encode(), 0, None, f"{GOOD}\n".encode()),
    "file.rows": (f"{GOOD}\n".encode(), 0, None, f"{GOOD}\n{GOOD}\n".encode()),
    "file.bytes": (f"{GOOD}    \n".encode(), 0, None, f"{GOOD}   \n".encode()),
    "json.encoding": (
        GOOD.replace("Hi", "é \xef").encode("latin-1"),
        1,
        GOOD.index("Hi") + 1,
        GOOD.replace("Hi", "é \xef").encode(),
    ),
    "json.length": (f"{GOOD}{' ' * (300 - len(GOOD))} \n".encode(), 1, 1,
                    f"{GOOD}{' ' * (300 - len(GOOD))}\n".encode()),
}  # fmt: skip
"""Rule id -> file that breaks it, line, column, file that does not."""

LIMITS = {
    "file.rows": DataProfile(minimum_training_rows=2),
    "file.bytes": DataProfile(maximum_bytes=len(GOOD) + 4),
}


def file_report(
    rule: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Issue]:
    monkeypatch.setattr(stream, "MAX_ROW_BYTES", 300)
    monkeypatch.setattr(engine_module, "MAX_ROW_BYTES", 300)
    report = check(tmp_path, content, any=LIMITS.get(rule, DataProfile()))
    noise = {"file.last_newline", "file.blank_lines"} - {rule}
    return [issue for issue in report.issues if issue.rule not in noise]


@pytest.mark.parametrize("rule", FILE_CASES)
def test_broken_file_breaks_only_its_rule(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, line, column, _ = FILE_CASES[rule]
    (issue,) = file_report(rule, content, tmp_path, monkeypatch)
    assert (issue.rule, issue.line, issue.column) == (rule, line, column)
    assert issue.severity == RULES[rule].severity
    assert issue.fix


@pytest.mark.parametrize("rule", FILE_CASES)
def test_file_just_inside_is_accepted(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert file_report(rule, FILE_CASES[rule][3], tmp_path, monkeypatch) == []


@pytest.mark.parametrize("rule", ACROSS)
def test_what_only_several_rows_or_files_show(rule: str, tmp_path: Path) -> None:
    case = ACROSS[rule]
    found = rules_of(case, case.broken, tmp_path)
    assert [(one.rule, one.line) for one in found] == [(rule, case.line)]
    assert found[0].severity == RULES[rule].severity
    assert found[0].fix
    assert rules_of(case, case.inside, tmp_path) == []


def test_held_rows_are_good_by_themselves(tmp_path: Path) -> None:
    assert check(tmp_path, "".join(f"{one}\n" for one in HELD).encode()).issues == ()


def test_every_rule_has_its_cases() -> None:
    elsewhere = {rule for rule in RULES if rule.startswith(("secret.", "template."))}
    assert (
        set(ROW_CASES) | set(FILE_CASES) | set(METHOD_CASES) | set(ACROSS) == set(RULES) - elsewhere
    )
    assert not set(ROW_CASES) & set(FILE_CASES)
    assert not set(ACROSS) & {*ROW_CASES, *FILE_CASES, *METHOD_CASES}


def test_table_is_complete_and_says_its_sources() -> None:
    for rule_id, rule in RULES.items():
        assert rule.id == rule_id
        assert rule.source_class in {"S", "D", "J"}
        assert rule.source
        assert rule.why.endswith(".")
        assert rule.title.endswith(".")
    assert "row.messages" in {rule.id for rule in rules_for(Method.SUPERVISED)}
    assert "row.messages" not in {rule.id for rule in rules_for(Method.DPO)}


@pytest.mark.parametrize("case", ROW_CASES.values(), ids=ROW_CASES)
def test_inside_rows_are_json(case: RowCase) -> None:
    assert json.loads(case.inside)
