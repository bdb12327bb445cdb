"""The parts of a page about the training itself: header, curves, answers, events, values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ftproviders.reports.chart import COLOURS, chart
from ftproviders.reports.content import JobReport, SampleAnswer
from ftproviders.reports.curves import Curve, Panel, panels
from ftproviders.reports.markup import Markup, joined, tag
from ftproviders.reports.ticks import short
from ftproviders.schema.chat import ChatMessage, TextPart
from ftproviders.schema.job import EventLevel, JobEvent

__all__ = ["answers", "curves", "events", "header", "missing", "section", "table", "values"]

_MOST_ROWS = 500
"""Rows of the table of values; more are thinned, which the page says."""


def section(title: str, *parts: object) -> Markup:
    """Return a part of the page under its heading."""
    return tag("section", tag("h2", title), *parts)


def missing(words: str) -> Markup:
    """Say that something is not known, and why."""
    return tag("p", words, class_="missing")


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[int] = (),
    kind: str | None = None,
) -> Markup:
    """Return a table.

    Args:
        heads: Words over the columns.
        rows: Cells, as text or markup.
        numbers: Columns that stand to the right.
        kind: Class of the table.
    """

    def cell(name: str, content: object, column: int) -> Markup:
        return tag(name, content, class_="number" if column in numbers else None)

    head = tag("tr", *(cell("th", word, column) for column, word in enumerate(heads)))
    body = [
        tag("tr", *(cell("td", content, column) for column, content in enumerate(row)))
        for row in rows
    ]
    whole = tag("table", tag("thead", head), tag("tbody", *body), class_=kind)
    return tag("div", whole, class_="scroll")


# --- header ---------------------------------------------------------------------------------------


def header(report: JobReport) -> Markup:
    """Return what the job is and how it ended."""
    seen = report.snapshot
    status = tag("span", seen.status.value, class_=f"status {seen.status.value}")
    base = seen.base_model or "a base model that is not told"
    lines: list[object] = [
        tag("h1", "Fine-tuning report ", status),
        tag("p", tag("code", str(seen.ref)), ", tuned from ", tag("code", base)),
    ]
    if seen.model is not None:
        lines.append(tag("p", "Tuned model: ", tag("code", str(seen.model)), class_="quiet"))
    if seen.error is not None:
        code = f" ({seen.error.code})" if seen.error.code else ""
        lines.append(tag("p", tag("strong", "Error: "), seen.error.message, code))
    tiles = [tag("div", tag("dt", name), tag("dd", value)) for name, value in _tiles(report)]
    return tag("header", *lines, tag("dl", *tiles, class_="tiles"), class_="top")


def _tiles(report: JobReport) -> list[tuple[str, object]]:
    seen = report.snapshot
    found: list[tuple[str, object]] = []
    for panel in panels(report.metrics)[:1]:
        for curve in panel.curves if panel.title == "Loss" else ():
            drawn = curve.drawn
            if drawn:
                was = f" from {short(drawn[0][1])}" if len(drawn) > 1 else ""
                value = joined([short(drawn[-1][1]), tag("small", was)])
                found.append((f"{curve.title} loss", value))
    if seen.step is not None:
        total = f" of {seen.total_steps:,}" if seen.total_steps else ""
        found.append(("steps", joined([f"{seen.step:,}", tag("small", total)])))
    if seen.trained_tokens is not None:
        found.append(("trained tokens", f"{seen.trained_tokens:,}"))
    if seen.created_at is not None and seen.finished_at is not None:
        found.append(("from creation to end", _duration(seen.finished_at - seen.created_at)))
    moments = (("created", seen.created_at), ("finished", seen.finished_at))
    found += [(name, _day(moment)) for name, moment in moments if moment is not None]
    return found


def _duration(length: timedelta) -> str:
    seconds = max(0, round(length.total_seconds()))
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _day(moment: datetime) -> Markup:
    clock = tag("small", f" {moment:%H:%M} UTC")
    return tag("span", f"{moment:%Y-%m-%d}", clock, class_="when")


# --- curves ---------------------------------------------------------------------------------------


def curves(report: JobReport) -> Markup:
    """Return the curves: the loss over the full width, the others beside each other."""
    found = panels(report.metrics, units=report.units)
    if not found:
        return section("Curves", missing("The job has reported no numbers, so there is no curve."))
    first, *others = found
    rest = tag("div", *(_figure(panel, large=False) for panel in others), class_="pair")
    untold = [panel.title.lower() for panel in found if panel.main and not panel.unit]
    untold = [title for title in untold if title == "loss"]
    note = missing("The provider does not tell the unit of the loss.") if untold else ""
    return section("Curves", _figure(first, large=True), rest if others else "", note)


def _figure(panel: Panel, *, large: bool) -> Markup:
    legend = [
        tag("li", tag("i"), tag("span", _named(c)), class_=f"c{index % COLOURS}")
        for index, c in enumerate(panel.curves)
    ]
    named = len(panel.curves) > 1 or panel.title == "Loss"
    wide = chart(panel, width=840, height=330, kind="wide") if large else None
    pictures = [wide or chart(panel, width=410, height=240, kind="wide")]
    pictures.append(chart(panel, width=350, height=240, kind="narrow"))
    notes = [
        f"{len(c.lost)} value{'s' * (len(c.lost) > 1)} of {c.name} not drawn, being no finite "
        f"number: at {panel.place} {_places(c.lost)}."
        for c in panel.curves
        if c.lost
    ]
    return tag(
        "figure",
        tag("h3", panel.title),
        tag("ul", *legend, class_="legend") if named else "",
        *pictures,
        tag("figcaption", " ".join(notes)) if notes else "",
    )


def _named(curve: Curve) -> str:
    """Return what a person calls a curve, and its own name where that is another."""
    plain = curve.name.replace("_", " ")
    return plain if curve.title == plain else f"{curve.title} ({curve.name})"


def _places(places: Sequence[float], *, most: int = 5) -> str:
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(f"{place:g}" for place in places[:most]) + more


def values(report: JobReport) -> Markup:
    """Return every number that the curves were drawn from, as a table."""
    found = report.metrics
    if not found:
        return Markup("")
    names = list(dict.fromkeys(name for event in found for name in event.metrics))
    step = -(-len(found) // _MOST_ROWS)
    shown = [event for index, event in enumerate(found) if index % step == 0]
    if shown[-1] is not found[-1]:
        shown.append(found[-1])
    rows = [
        (
            "" if event.step is None else event.step,
            f"{event.created_at:%Y-%m-%d %H:%M:%S}",
            *(short(event.metrics[name]) if name in event.metrics else "" for name in names),
        )
        for event in shown
    ]
    all_of_them = tag("code", f"ftproviders metrics {report.snapshot.ref} --csv")
    told = [f"{len(shown)} of {len(found)} lines are shown. " if step > 1 else "", "All of them: "]
    listed = table(("step", "time (UTC)", *names), rows, numbers=(0, *range(2, len(names) + 2)))
    return section(
        "Values",
        tag("p", *told, all_of_them, class_="quiet"),
        tag("details", tag("summary", f"{len(shown)} lines"), listed),
    )


# --- answers --------------------------------------------------------------------------------------


def answers(report: JobReport) -> Markup:
    """Return what base and tuned model said to the sample questions."""
    notes = [missing(note) for note in report.answers_notes]
    if not report.answers:
        words = [] if notes else [missing("No question was asked.")]
        return section("Sample answers", *notes, *words)
    return section("Sample answers", *(_answer(one) for one in report.answers), *notes)


def _answer(one: SampleAnswer) -> Markup:
    turns = [
        piece
        for message in one.messages
        for piece in (tag("dt", message.role.value), tag("dd", _said(_content(message))))
    ]
    answers = (("before (base model)", one.before), ("after (tuned model)", one.after))
    boxes = [_box(name, words, one.expected) for name, words in answers if words is not None]
    if one.expected is not None:
        boxes.append(_box("expected (the row's own answer)", one.expected))
    talk = tag("dl", *turns, class_="turns")
    return tag("div", talk, tag("dl", *boxes, class_="three"), class_="answer")


def _box(name: str, words: str, expected: str | None = None) -> Markup:
    same = expected is not None and words.strip() == expected.strip()
    title = f"{name}, word for word as expected" if same else name
    return tag("div", tag("dt", title), tag("dd", _said(words)), class_="same" if same else None)


def _said(words: str) -> Markup:
    if words.strip():
        return tag("p", words, class_="said", dir="auto")
    return tag("p", "(an empty answer)", class_="quiet")


def _content(message: ChatMessage) -> str:
    if message.tool_calls:
        calls = [f"{c.function.name}({c.function.arguments})" for c in message.tool_calls]
        return "\n".join([str(message.content or ""), *calls]).strip()
    if isinstance(message.content, tuple):
        parts = [p.text if isinstance(p, TextPart) else f"[{p.type}]" for p in message.content]
        return "\n".join(parts)
    return message.content or ""


# --- events ---------------------------------------------------------------------------------------


def events(report: JobReport) -> Markup:
    """Return what happened: warnings and errors first, then everything that is no number."""
    if report.events_note:
        return section("Events", missing(report.events_note))
    told = [event for event in report.events if event.kind == "message"]
    bad = [event for event in told if event.level is not EventLevel.INFO]
    count = f"{len(bad)} of them warnings or errors" if bad else "no warning and no error"
    words = f"{len(told)} event{'s' * (len(told) != 1)} beside the numbers, {count}."
    parts: list[object] = [tag("p", words, class_="quiet")]
    if bad:
        parts.append(_event_table(bad))
    if len(told) > len(bad):
        parts.append(tag("details", tag("summary", "All events"), _event_table(told)))
    return section("Events and warnings", *parts)


def _event_table(found: Sequence[JobEvent]) -> Markup:
    rows = [
        tag(
            "tr",
            tag("td", f"{event.created_at:%Y-%m-%d %H:%M:%S}", class_="time"),
            tag("td", event.level.value),
            tag("td", event.message, class_="wide"),
            class_=event.level.value,
        )
        for event in found
    ]
    heads = tag("tr", *(tag("th", word) for word in ("time (UTC)", "level", "what")))
    return tag("div", tag("table", tag("thead", heads), tag("tbody", *rows)), class_="scroll")
