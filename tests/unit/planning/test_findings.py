"""What was found in the data stands in the plan, and tokens beyond a limit are not paid for."""

from __future__ import annotations

from pathlib import Path

from ftproviders.data import find_base_model
from ftproviders.planning import make_plan
from ftproviders.planning.findings import data_notes, data_warnings
from ftproviders.schema.dataset import Issue, Severity, TokenCount, ValidationReport
from ftproviders.schema.template import TemplateReport
from tests.unit.planning.test_plan import given

REPORT = given().report


def issue(rule: str, line: int, severity: Severity = Severity.WARNING) -> Issue:
    return Issue(line=line, rule=rule, severity=severity, message=f"found {rule}", fix="-")


def with_issues(*issues: Issue, truncated: int = 0) -> ValidationReport:
    return REPORT.model_copy(update={"issues": issues, "issues_truncated": truncated})


def test_one_line_for_each_kind_with_the_first_place() -> None:
    report = with_issues(
        issue("message.empty", 1),
        issue("secret.token", 4),
        issue("secret.jwt", 9),
        issue("template.dropped", 2),
        issue("row.tokens", 7),
        issue("row.tokens", 8, Severity.INFO),
    )
    assert list(data_warnings(report, None)) == [
        "t has 2 possible secrets. Line 4: found secret.token.",
        (
            "t has a row that the model's chat template does not write as it stands. Line 2: "
            "found template.dropped."
        ),
        "t has a row longer than the model takes. Line 7: found row.tokens.",
    ]
    assert list(data_warnings(REPORT, REPORT)) == []


def test_what_was_not_listed_is_not_denied() -> None:
    report = with_issues(issue("secret.token", 4), truncated=3)
    assert list(data_warnings(report)) == [
        "t has at least 1 possible secrets. Line 4: found secret.token."
    ]


def test_warnings_and_notes_stand_in_the_plan() -> None:
    counted = TokenCount(
        total=100_000,
        billable=90_000,
        exact=False,
        method="estimate from 1,000 rows",
        tokenizer="o200k_base",
        low=99_000,
        high=101_000,
    )
    report = with_issues(issue("secret.token", 4)).model_copy(update={"tokens": counted})
    own = given()
    changed = {field: getattr(own, field) for field in own.__dataclass_fields__}
    plan = make_plan(type(own)(**{**changed, "report": report, "validation_report": report}))
    assert len([line for line in plan.warnings if "possible secret" in line]) == 2
    assert "95 % interval 99,000 to 101,000" in plan.notes[0]
    assert plan.trained_tokens == 180_000


def test_estimates_by_size_say_what_would_help() -> None:
    counted = TokenCount(total=1, exact=False, method="m", hint="Install it: pip install x")
    notes = list(data_notes(REPORT.model_copy(update={"tokens": counted})))
    assert notes == ["Tokens are estimated by size. Install it: pip install x"]
    assert list(data_notes(REPORT)) == []


def test_an_estimate_is_said_once() -> None:
    known = find_base_model("somebody/nobody-has-this", exact=False, cache=Path("none"))
    assert known is not None
    counted = TokenCount(total=1, exact=False, method="m", hint=known.hint)
    (note,) = data_notes(REPORT.model_copy(update={"tokens": counted}))
    assert note.count("estimated by size") == 1


def test_a_template_without_an_end_or_a_beginning_of_answers_is_a_warning() -> None:
    sound = TemplateReport(
        model="m", template="your file t.jinja", marked=False, treatments={}, rows=1, complete=True
    )
    report = REPORT.model_copy(update={"template": sound})
    assert list(data_warnings(report, report)) == []
    endless = sound.model_copy(update={"ends_answers": False, "opens_answers": False})
    report = REPORT.model_copy(update={"template": endless})
    end, beginning = data_warnings(report, report)
    assert "your file t.jinja" in end
    assert "would not learn to stop" in end
    assert "add_generation_prompt" in beginning


def test_roles_that_the_template_does_not_write() -> None:
    template = TemplateReport(
        model="m",
        template="chat_template.jinja",
        marked=False,
        treatments={
            "system": "refused",
            "tools": "dropped",
            "developer": "dropped",
            "tool answers": "dropped",
        },
        kinds=("system", "tools", "developer", "user twice"),
        rows=1,
        complete=True,
    )
    assert list(data_notes(REPORT.model_copy(update={"template": template}))) == [
        "Chat template (chat_template.jinja): dropped are tools, developer.",
        "Chat template (chat_template.jinja): refused are system.",
    ]
