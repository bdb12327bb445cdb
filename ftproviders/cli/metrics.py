"""``metrics``: losses and other numbers of a job, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ftproviders.cli import shapes
from ftproviders.cli.flags import Ref
from ftproviders.cli.session import Session, verb
from ftproviders.errors import ConfigurationError

if TYPE_CHECKING:
    from ftproviders.schema.job import JobEvent

__all__ = ["metrics"]

_WIDEST = 120
"""Columns of a plot in a very wide terminal: a curve is not read better in more."""


@verb
def metrics(
    session: Session,
    ref: Ref,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV with a header line.")] = False,
    drawn: Annotated[
        bool, typer.Option("--plot", help="Draw loss, accuracy and learning rate.")
    ] = False,
) -> int:
    """Show losses and other numbers, step by step.

    A resumed job does some steps again; the last value of a step counts.
    """
    forms = {"--csv": csv, "--plot": drawn, "--json": session.out.json_mode}
    wanted = [flag for flag, given in forms.items() if given]
    if len(wanted) > 1:
        raise ConfigurationError(
            f"{' and '.join(wanted)} are forms of the same.", hint="Leave one of them."
        )
    job = session.client.job(ref)
    found = job.metrics()
    if session.out.json_mode:
        body = {"ref": str(job.ref), "metrics": [shapes.metrics_point(one) for one in found]}
        session.out.document("metrics", body)
        return 0
    names = list(dict.fromkeys(name for one in found for name in one.metrics))
    if csv:
        _csv(session, names, found)
    elif not found:
        session.out.note("No metrics yet.")
    elif drawn:
        _plot(session, found, units=job.snapshot.facts.get("units"))
    else:
        rows = [
            (
                "" if one.step is None else str(one.step),
                *(f"{one.metrics[n]:.6g}" if n in one.metrics else "" for n in names),
            )
            for one in found
        ]
        session.out.table(("step", *names), rows)
    return 0


def _plot(session: Session, found: Sequence[JobEvent], *, units: object) -> None:
    import os
    import shutil
    import sys

    from ftproviders import reports

    told = {name: str(unit) for name, unit in units.items()} if isinstance(units, dict) else {}
    panels = reports.panels(found, units=told)
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    text = reports.plot(
        [panel for panel in panels if panel.main] or panels,
        width=min(shutil.get_terminal_size().columns, _WIDEST),
        color=terminal and not os.environ.get("NO_COLOR"),
        encoding=sys.stdout.encoding or "ascii",
    )
    session.out.drawing(text)


def _csv(session: Session, names: list[str], found: Sequence[JobEvent]) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("step", "created_at", *names))
    for one in found:
        numbers = (repr(one.metrics[n]) if n in one.metrics else "" for n in names)
        step = "" if one.step is None else one.step
        writer.writerow((step, shapes.moment(one.created_at), *numbers))
    session.out.line(text.getvalue().rstrip("\n"))
