"""``validate``: is a data file fit, and for whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftproviders.cli import shapes
from ftproviders.cli.flags import MethodName
from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.cli.output import Output
    from ftproviders.schema.dataset import ValidationReport

__all__ = ["validate"]


@verb
def validate(
    session: Session,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Training file.", show_default=False)
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
    max_issues: Annotated[
        int, typer.Option("--max-issues", min=0, help="List at most so many issues.")
    ] = 100,
) -> int:
    """Check a data file and say which provider would take it.

    Without --provider every provider's verdict is shown, and the exit code is 1 only when none
    accepts the file; with --provider it is 1 when one of those named does not.
    """
    from ftproviders.cli.specs import parse_method
    from ftproviders.schema.hyperparameters import Method

    named = [name.replace("_", "-") for name in provider or ()]
    for name in named:
        session.client.provider(name)  # an unknown name is refused also where all are asked
    chosen = Method(parse_method(method or "supervised"))
    reports = {
        purpose: session.client.validate(
            path,
            providers=named if named and not show_all else None,
            method=chosen,
            purpose=purpose,
            max_issues=max_issues,
        )
        for purpose, path in (("training", file), ("validation", validation_file))
        if path is not None
    }
    if session.out.json_mode:
        body = shapes.validation(reports["training"])
        if "validation" in reports:
            body["validation_file"] = shapes.validation(reports["validation"])
        session.out.document("validation", body)
    else:
        for report in reports.values():
            _show(session.out, report)
    return 0 if _accepted(list(reports.values()), named) else 1


def _accepted(reports: list[ValidationReport], named: list[str]) -> bool:
    takers = [name for name in reports[0].verdicts if all(report.ok(name) for report in reports)]
    return set(named) <= set(takers) if named else bool(takers)


def _show(out: Output, report: ValidationReport) -> None:
    for issue in report.issues:
        out.line(shapes.issue_line(report.file, issue))
    if report.issues_truncated:
        out.line(f"... and {report.issues_truncated} issues more; --max-issues shows more of them.")
    if report.issues:
        out.line()
    statistics, tokens = report.statistics, report.tokens
    roles = ", ".join(f"{count} {role}" for role, count in statistics.messages_by_role.items())
    out.pairs(
        [
            ("file", report.file),
            ("rows", f"{report.rows:,} ({report.bytes:,} bytes)"),
            ("messages", f"{statistics.messages:,}" + (f" ({roles})" if roles else "")),
            (
                "characters",
                f"{statistics.characters:,} ({statistics.assistant_characters:,} of assistants)",
            ),
            ("tokens", f"{'' if tokens.exact else 'about '}{tokens.total:,} ({tokens.method})"),
        ]
    )
    out.line()
    rows = [
        (name, "accepts" if v.ok else "refuses", f"{v.errors:,}", f"{v.warnings:,}")
        for name, v in report.verdicts.items()
    ]
    out.table(("provider", "verdict", "errors", "warnings"), rows)
