"""The parts of a page that say with what a job was done: settings, files, versions, how again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ftproviders.reports import reproduce
from ftproviders.reports.content import JobReport
from ftproviders.reports.markup import Markup, tag, withheld
from ftproviders.reports.sections import missing, section, table

__all__ = ["environment", "files", "reproduction", "settings"]

_HAVE_A_PLACE = ("settings", "versions", "hardware", "chat_template", "files", "spec", "units")
"""Facts that are shown in a part of their own; every other one is listed as it is."""


def settings(report: JobReport) -> Markup:
    """Return the settings in force, and who chose them."""
    in_force, stated = withheld(report.settings), withheld(report.stated)
    if in_force:
        rows = [
            (name, _plain(value), "you" if name in stated else "the provider's default")
            for name, value in in_force.items()
        ]
        extra = [(n, _plain(v), "you; see events") for n, v in stated.items() if n not in in_force]
        listed = table(("setting", "value", "chosen by"), rows + extra, kind="pairs")
        return section("Settings in force", listed)
    unknown = missing(
        "The provider does not tell which settings were in force; what was not stated, it chose "
        "by itself."
    )
    if stated:
        own = [(name, _plain(value)) for name, value in stated.items()]
        return section("Settings", unknown, table(("as stated", "value"), own, kind="pairs"))
    why = (
        "No setting was stated." if report.spec else "What was asked for is not known here either."
    )
    return section("Settings", unknown, missing(why))


def files(report: JobReport) -> Markup:
    """Return the data files."""
    if not report.files:
        return section("Data files", missing("Neither journal nor provider names the data files."))
    rows = [
        (
            file.purpose,
            tag("bdi", file.name),
            "not known" if file.rows is None else f"{file.rows:,}",
            "not known" if file.bytes is None else f"{file.bytes:,}",
            "not known" if file.sha256 is None else tag("code", file.sha256),
        )
        for file in report.files
    ]
    heads = ("purpose", "name", "rows", "bytes", "SHA-256 as submitted")
    notes = [missing(f"{file.name}: {file.note}") for file in report.files if file.note]
    return section("Data files", table(heads, rows, numbers=(2, 3)), *notes)


def environment(report: JobReport) -> Markup:
    """Return versions, hardware and whatever else the provider tells of its work."""
    facts = withheld(report.facts)
    parts: list[object] = []
    for name, title in (("versions", "Versions"), ("hardware", "Hardware")):
        told = facts.get(name)
        parts.append(tag("h3", title))
        if isinstance(told, Mapping) and told:
            rows = [(key, _plain(value)) for key, value in told.items()]
            parts.append(table(("what", "which"), rows, kind="pairs"))
        else:
            parts.append(missing(f"The provider does not tell its {title.lower()}."))
    others = {key: value for key, value in facts.items() if key not in _HAVE_A_PLACE}
    if others:
        parts.append(tag("h3", "Further facts"))
        rows = [(key, _plain(value)) for key, value in others.items()]
        parts.append(table(("what", "which"), rows, kind="pairs"))
    template = facts.get("chat_template")
    if isinstance(template, str) and template:
        summary = tag("summary", "Chat template that the training used")
        parts.append(tag("details", summary, tag("pre", template)))
    return section("Versions and hardware", *parts)


def _plain(value: Any) -> Markup:
    """Write a JSON value for a table."""
    if value is None:
        return tag("span", "none", class_="quiet")
    if isinstance(value, bool):
        return tag("code", str(value).lower())
    if isinstance(value, (dict, list)):
        return tag("code", json.dumps(value, ensure_ascii=False, default=str))
    return tag("code", value)


def reproduction(report: JobReport) -> Markup:
    """Return how to train the same once more."""
    spec = reproduce.again(report)
    if spec is None:
        return section(
            "How to reproduce",
            missing(
                "This job was not submitted from this journal, and the provider does not tell what "
                "was asked for: there is no exact command to give."
            ),
        )
    parts: list[object] = [tag("p", _about_seed(report))]
    versions = report.facts.get("versions")
    if isinstance(versions, Mapping) and versions:
        told = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        parts.append(tag("p", f"It was trained with {told}."))
    else:
        parts.append(missing("The versions that trained it are not told."))
    if report.version:
        parts.append(tag("p", f"This report was written with ftproviders {report.version}."))
    if reproduce.holds_back(spec):
        parts.append(missing("An option is not shown, its name saying that it is secret."))
    check = reproduce.digest_check(report, spec)
    if check:
        parts += [tag("h3", "Check the data files"), tag("pre", check)]
    parts += [tag("h3", "Command line"), tag("pre", reproduce.as_command(spec))]
    parts += [tag("h3", "Python"), tag("pre", reproduce.as_python(spec))]
    return section("How to reproduce", *parts)


def _about_seed(report: JobReport) -> str:
    if report.seed is None:
        return "No seed was stated, and the provider does not tell which one it used."
    if report.spec is not None and report.spec.seed is not None:
        return f"The seed was {report.seed}, as stated."
    return f"The seed was {report.seed}, the provider's default; the lines below write it out."
