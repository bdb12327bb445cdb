"""The page: one HTML file without script and without anything from elsewhere."""

from __future__ import annotations

from ftproviders.reports import record, sections
from ftproviders.reports.content import JobReport
from ftproviders.reports.markup import Markup, joined, tag
from ftproviders.reports.style import STYLE

__all__ = ["render_page"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""A second lock: even if an escape were forgotten, a browser would run and fetch nothing."""


def render_page(report: JobReport) -> str:
    """Return the report as an HTML document.

    Every text from outside is escaped, secrets in it are masked, and what is not known is said.

    Args:
        report: What has been gathered.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"Fine-tuning report {report.snapshot.ref}"),
        tag("style", Markup(STYLE)),
    )
    main = tag(
        "main",
        sections.header(report),
        sections.curves(report),
        sections.answers(report),
        record.settings(report),
        record.files(report),
        record.environment(report),
        sections.events(report),
        record.reproduction(report),
        sections.values(report),
        _footer(report),
    )
    return joined([Markup("<!DOCTYPE html>\n"), tag("html", head, tag("body", main), lang="en")])


def _footer(report: JobReport) -> Markup:
    who = f"ftproviders {report.version}" if report.version else "ftproviders"
    words = [f"Written by {who} on {report.written_at:%Y-%m-%d %H:%M} UTC."]
    if report.account:
        words.append(f"Account: {report.account}.")
    if report.submission_id:
        number = f", attempt {report.attempt}" if report.attempt else ""
        words.append(f"Submission {report.submission_id}{number}.")
    return tag("footer", tag("p", " ".join(words)))
