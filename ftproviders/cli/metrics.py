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


@verb
def metrics(
    session: Session,
    ref: Ref,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV with a header line.")] = False,
) -> int:
    """Show losses and other numbers, step by step."""
    if csv and session.out.json_mode:
        raise ConfigurationError("--csv and --json are two forms of the same.", hint="Leave one.")
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
