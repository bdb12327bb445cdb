"""``validate``, ``data stats``, ``data tokens``: what is in a data file, and who takes it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ftproviders.cli import shapes
from ftproviders.cli.flags import MethodName
from ftproviders.cli.progress import reading
from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftproviders.cli.output import Output
    from ftproviders.schema.conversion import RepairReport
    from ftproviders.schema.dataset import Distribution, TokenCount, ValidationReport
    from ftproviders.schema.hyperparameters import Method
    from ftproviders.schema.template import TemplateReport

__all__ = ["stats", "tokens", "validate"]

_RENDERED_LINES = 12


class SecretsLevel(StrEnum):
    """What becomes of rows with secrets."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


_File: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Data file, JSON Lines; - is standard input.", show_default=False
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Base model: its limits, its tokenizer."),
]
ExactTokens: TypeAlias = Annotated[
    bool, typer.Option("--exact-tokens", help="Count every row, however large the file is.")
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="Processes that look at rows. Default: the cores, if it pays."
    ),
]


@verb
def validate(
    session: Session,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Training file; - is standard input.", show_default=False
        ),
    ],
    validation_file: Annotated[
        Path | None,
        typer.Option(
            "--validation-file", "--validation", metavar="FILE", help="Validation file, too."
        ),
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option("--provider", metavar="NAME", help="For whom (repeatable). Default: all."),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show every provider's verdict, also of those not named.")
    ] = False,
    method: MethodName = None,
    model: Model = None,
    max_issues: Annotated[
        int, typer.Option("--max-issues", min=0, help="List at most so many issues.")
    ] = 100,
    exact_tokens: ExactTokens = False,
    secrets: Annotated[
        SecretsLevel | None,
        typer.Option(
            "--secrets",
            help="How bad keys, tokens and passwords in rows are. Default: warning.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix",
            metavar="OUT",
            help="Write a repaired file and check that one. Only repairs for which there is one "
            "way; each is listed, no row is dropped, FILE stays as it is.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --fix: replace OUT when it is there already.")
    ] = False,
) -> int:
    """Check a data file and say which provider would take it.

    Without --provider every provider's verdict is shown, and the exit code is 1 only when none
    accepts the file; with --provider it is 1 when one of those named does not.
    """
    named = [name.replace("_", "-") for name in provider or ()]
    for name in named:
        session.client.provider(name)  # an unknown name is refused also where all are asked
    repaired = None if fix is None else _repair(session, file, fix, overwrite=overwrite)
    reports = _reports(
        session,
        fix or file,
        validation_file,
        providers=named if named and not show_all else None,
        method=_method(method),
        model=model,
        max_issues=max_issues,
        exact_tokens=exact_tokens,
        secrets="warning" if secrets is None else secrets.value,
        workers=workers,
    )
    if session.out.json_mode:
        session.out.document("validation", _body(reports, repaired))
    else:
        if repaired is not None:
            _show_repairs(session.out, repaired)
        for name, report in reports.items():
            if name == "validation":
                session.out.line()
            _show(session.out, report)
        if hint := reports["training"].tokens.hint:
            session.out.note(hint)
    return 0 if _accepted(list(reports.values()), named) else 1


def _reports(
    session: Session, file: Path, validation_file: Path | None, **wishes: Any
) -> dict[str, ValidationReport]:
    """Validate one file, or two and what stands in both."""
    told = reading(session.out, "checking")
    if validation_file is None:
        return {"training": _report(session, file, on_progress=told, **wishes)}
    training, validation = session.client.validate_pair(
        file, validation_file, on_progress=told, **wishes
    )
    return {"training": training, "validation": validation}


def _report(session: Session, file: Path, **wishes: Any) -> ValidationReport:
    """Validate one file; ``-`` is standard input."""
    source = sys.stdin.buffer if str(file) == "-" else None
    return session.client.validate(file, source=source, **wishes)


def _countable(session: Session, file: Path, **wishes: Any) -> ValidationReport:
    """Validate a file whose rows are to be counted, and say which of them cannot be.

    Raises:
        DatasetError: It is no JSON Lines: nothing in it would be counted.
    """
    from ftproviders.errors import DatasetError

    report = _report(session, file, **wishes)
    foreign = next((one for one in report.issues if one.rule == "file.format"), None)
    if foreign is not None:
        raise DatasetError(f"{report.file}: {foreign.message}.", operation="read", hint=foreign.fix)
    spread = report.statistics.characters_per_row
    silent = report.rows - (spread.count if spread else 0)
    if silent:
        session.out.note(
            f"{silent:,} of {report.rows:,} rows have no text that could be counted; "
            f"ftproviders validate {report.file} says why."
        )
    return report


def _method(name: str | None) -> Method:
    from ftproviders.cli.specs import parse_method
    from ftproviders.schema.hyperparameters import Method

    return Method(parse_method(name or "supervised"))


def _repair(session: Session, file: Path, fix: Path, *, overwrite: bool) -> RepairReport:
    from ftproviders.data.repair import repair

    told = reading(session.out, f"repairing {file}")
    return repair(file, fix, overwrite=overwrite, on_progress=told)


def _body(reports: Mapping[str, ValidationReport], repaired: RepairReport | None) -> dict[str, Any]:
    body = shapes.validation(reports["training"])
    if "validation" in reports:
        body["validation_file"] = shapes.validation(reports["validation"])
    if repaired is not None:
        body["repair"] = repaired.model_dump(mode="json")
    return body


def _accepted(reports: list[ValidationReport], named: list[str]) -> bool:
    takers = [name for name in reports[0].verdicts if all(report.ok(name) for report in reports)]
    return set(named) <= set(takers) if named else bool(takers)


def _show_repairs(out: Output, done: RepairReport) -> None:
    for one in done.repairs:
        place = f"{done.source}:{one.line}" if one.line else done.source
        path = f" ({one.path})" if one.path else ""
        out.line(f"{place}: fixed {one.rule}{path}: {one.what}.")
    if done.repairs_truncated:
        out.line(f"... and {done.repairs_truncated:,} repairs more")
    total = sum(done.counts.values())
    out.line(
        f"{total:,} {'repair' if total == 1 else 'repairs'}; {done.out} has all "
        f"{done.rows:,} rows, {done.changed_rows:,} of them rewritten."
    )
    out.line()


def _show(out: Output, report: ValidationReport) -> None:
    for issue in report.issues:
        out.line(shapes.issue_line(report.file, issue))
    if report.issues_truncated:
        more = report.issues_truncated
        out.line(
            f"... and {more:,} {'issue' if more == 1 else 'issues'} more; --max-issues shows more "
            "of them."
        )
    if report.issues:
        out.line()
    statistics = report.statistics
    out.pairs(
        [
            *_facts(report),
            (
                "characters",
                f"{statistics.characters:,} ({statistics.assistant_characters:,} of assistants)",
            ),
            *_token_facts(report.tokens),
            *_template_facts(report.template),
        ]
    )
    out.line()
    rows = [
        (
            name, "accepts" if v.ok else "refuses", f"{v.errors:,}", f"{v.warnings:,}",
            ", ".join(v.reasons),
        )
        for name, v in report.verdicts.items()
    ]  # fmt: skip
    out.table(("provider", "verdict", "errors", "warnings", "why"), rows)


def _template_facts(found: TemplateReport | None) -> list[tuple[str, str]]:
    """Say what the base model's chat template does, and show the first row as it writes it."""
    if found is None:
        return []
    lost = {kind: does for kind, does in found.treatments.items() if does != "kept"}
    says = ", ".join(f"{kind} {does}" for kind, does in lost.items()) or "keeps every role"
    facts = [("template", f"{found.template}: {says}")]
    for first in [row for row in found.first_rows if row.line == found.first_rows[0].line]:
        name = f"first row, {first.answer} answer" if first.answer else "first row"
        facts.append((name, f"{first.tokens:,} tokens, {first.learned_tokens:,} learned"))
        facts += [("", line) for line in first.text.splitlines()[:_RENDERED_LINES]]
    return facts


def _facts(report: ValidationReport) -> list[tuple[str, str]]:
    statistics = report.statistics
    roles = ", ".join(f"{count:,} {role}" for role, count in statistics.messages_by_role.items())
    return [
        ("file", report.file),
        ("rows", f"{report.rows:,} ({report.bytes:,} bytes)"),
        ("messages", f"{statistics.messages:,}" + (f" ({roles})" if roles else "")),
    ]


def _count(found: TokenCount) -> str:
    return f"{'' if found.exact else 'about '}{found.total:,} ({found.method})"


@verb
def stats(session: Session, file: _File, method: MethodName = None, workers: Workers = None) -> int:
    """Say what the rows of a file look like: roles, lengths, and how they are spread."""
    told = reading(session.out, f"reading {file}")
    report = _countable(
        session, file, method=_method(method), max_issues=1, workers=workers, on_progress=told
    )
    if session.out.json_mode:
        body = {"file": report.file, "rows": report.rows, "bytes": report.bytes}
        counted = report.statistics.model_dump(mode="json")
        session.out.document("statistics", body | {"statistics": counted})
        return 0
    statistics = report.statistics
    session.out.pairs(
        [
            *_facts(report),
            ("no system", f"{statistics.rows_without_system:,} rows"),
            ("no user", f"{statistics.rows_without_user:,} rows"),
            ("longest row", f"{statistics.longest_row_bytes:,} bytes"),
        ]
    )
    spread = {
        "messages a row": statistics.messages_per_row,
        "characters a row": statistics.characters_per_row,
        **{f"characters, {role}": d for role, d in statistics.characters_by_role.items()},
    }
    _show_spread(session.out, spread)
    return 0


def _show_spread(out: Output, spread: Mapping[str, Distribution | None]) -> None:
    rows = [
        (
            name, f"{d.minimum:,}", f"{d.q10:,.1f}", f"{d.median:,.1f}", f"{d.mean:,.1f}",
            f"{d.q90:,.1f}", f"{d.maximum:,}",
        )
        for name, d in spread.items()
        if d is not None
    ]  # fmt: skip
    if rows:
        out.line()
        out.table(("", "min", "10 %", "median", "mean", "90 %", "max"), rows)


@verb
def tokens(
    session: Session,
    file: _File,
    method: MethodName = None,
    model: Model = None,
    exact_tokens: ExactTokens = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Count rows with more tokens, and what they cost."),
    ] = None,
) -> int:
    """Count the tokens of a file, with the encoding of a model where one is named.

    Large files are sampled, with an interval in which the total lies in 95 of 100 cases;
    --exact-tokens counts every row.
    """
    report = _countable(
        session,
        file,
        method=_method(method),
        model=model,
        exact_tokens=exact_tokens,
        row_tokens=limit,
        max_issues=1,
        on_progress=reading(session.out, f"reading {file}"),
    )
    counted = report.tokens
    if limit is not None and counted.limit is None:
        session.out.note("Rows are not held to --limit: that takes the tokenizer of --model NAME.")
    if session.out.json_mode:
        body = {"file": report.file, "rows": report.rows, "bytes": report.bytes}
        session.out.document("tokens", body | {"tokens": counted.model_dump(mode="json")})
        return 0
    session.out.pairs([*_facts(report), *_token_facts(counted)])
    spread = {"tokens a row": counted.per_row, "tokens, assistant": counted.assistant_per_row}
    _show_spread(session.out, spread)
    if counted.hint:
        session.out.note(counted.hint)
    return 0


def _token_facts(counted: TokenCount) -> list[tuple[str, str]]:
    facts = [("tokens", _count(counted))]
    if counted.low is not None and counted.high is not None:
        facts.append(("95 % interval", f"{counted.low:,} to {counted.high:,}"))
    if counted.assistant is not None:
        facts.append(("assistant", f"{counted.assistant:,}"))
    if counted.rows_over_limit is not None:
        facts.append(("over the limit", f"{counted.rows_over_limit:,} rows of {counted.limit:,}"))
        facts.append(("billable", f"{counted.billable:,} in one epoch"))
    return facts
