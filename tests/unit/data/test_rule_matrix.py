"""Every rule for every method, shape and provider: one row that breaks only it, one just inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftproviders import registry
from ftproviders.data import RULES, validate
from ftproviders.data.rule import PAIRS
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.data_cases import ROW_CASES
from tests.unit.data.matrix_cases import Case, cases_of, good_row, shapes_of
from tests.unit.data.method_cases import METHOD_CASES

EVERY_SHAPE = DataProfile(
    severities={"row.consecutive_assistant": Severity.WARNING},
    row_shapes=frozenset(
        {"messages", "preference", "chosen-rejected", "prompt-completion", "text"}
    ),
    maximum_row_images=11,
)
"""Not a provider: every rule switched on, every shape taken."""
PROFILES = {name: registry.info(name).data_profile() for name in registry.names()}


EVERY = {"every": EVERY_SHAPE, **PROFILES}


def combinations() -> Iterator[tuple[str, Method, str]]:
    """Yield every provider with the methods and shapes that it takes."""
    for name, profile in EVERY.items():
        for method in Method:
            if profile.methods is None or method in profile.methods:
                for shape in shapes_of(method, profile):
                    yield name, method, shape


def cases(method: Method, shape: str, profile: DataProfile) -> dict[str, Case]:
    """Return the cases of all rules that rows of a shape can break."""
    found = {
        rule: case
        for rule in RULES
        if method in RULES[rule].methods
        and rule != "image.bytes"  # its rows have 14 MB; it has a test of its own
        and (case := cases_of(rule, method, shape))
    }
    if profile is not EVERY_SHAPE:
        found.pop("image.count", None)  # one limit is as good as another
    return found


Found = list[tuple[str, str, int | None, Severity]]


def issues_of(
    rows: Iterable[str], shape: str, method: Method, profile: DataProfile, folder: Path
) -> Iterator[Found]:
    """Yield what is found in each row of a file in which every other row is good."""
    lines = [line for n, row in enumerate(rows) for line in (good_row(shape, n), row)]
    file = folder / "rows.jsonl"
    file.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    kept = "messages" if shape == "graded" else shape  # others are no matter of single rows
    profile = replace(profile, row_shapes=frozenset({kept}), minimum_training_rows=1)
    report = validate(file, profiles={"one": profile}, method=method, max_issues=10_000)[1]
    by_line: dict[int, Found] = {}
    for issue in report.issues:
        found = (issue.rule, issue.path, issue.column, issue.severity)
        by_line.setdefault(issue.line, []).append(found)
    yield from (by_line.pop(line, []) for line in range(2, len(lines) + 1, 2))
    by_line.pop(0, None)  # a broken row may look like one of another shape
    assert by_line == {}, "good rows have issues"


@pytest.mark.parametrize(
    ("name", "method", "shape"),
    [pytest.param(*one, id="-".join(one)) for one in combinations()],
)
def test_each_broken_row_breaks_only_its_rule(
    name: str, method: Method, shape: str, tmp_path: Path
) -> None:
    profile = EVERY[name]
    wanted = cases(method, shape, profile)
    rows = [case.row for case in wanted.values()]
    wrong = []
    for (rule, case), found in zip(
        wanted.items(), issues_of(rows, shape, method, profile, tmp_path), strict=True
    ):
        severity = profile.severity(rule, method, RULES[rule].severity)
        expected = [(rule, case.path, case.column, severity)] if severity else []
        found = [one for one in found if one[0] == rule or one[0] not in beside(rule, method)]
        if found != expected:
            wrong.append(f"{rule}: {found}, not {expected}: {case.row[:300]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "method", "shape"),
    [pytest.param(*one, id="-".join(one)) for one in combinations()],
)
def test_rows_just_inside_are_accepted(
    name: str, method: Method, shape: str, tmp_path: Path
) -> None:
    profile = EVERY[name]
    wanted = cases(method, shape, profile)
    rows = [case.inside for case in wanted.values()]
    wrong = []
    for (rule, case), found in zip(
        wanted.items(), issues_of(rows, shape, method, profile, tmp_path), strict=True
    ):
        found = [one for one in found if one[0] not in beside(rule, method)]
        if found:
            wrong.append(f"{rule}: {found}: {case.inside[:300]}")
    assert not wrong, "\n".join(wrong)


def beside(rule: str, method: Method) -> set[str]:
    """Return what a case of a rule breaks by itself: images in a pair are one warning more."""
    shows = rule.startswith("image.") or rule == "content.part"
    return {"image.in_pair"} if shows and method in PAIRS else set()


def test_every_rule_for_rows_has_cases_for_each_of_its_methods() -> None:
    """Rules of files, secrets, templates and of several rows do not depend on the method."""
    for_rows = {*ROW_CASES, *METHOD_CASES}
    missing = [
        (rule, method.value)
        for rule in RULES
        if rule in for_rows
        for method in RULES[rule].methods
        if not any(cases_of(rule, method, shape) for shape in shapes_of(method, EVERY_SHAPE))
    ]
    assert missing == []
