"""``report``: a page about a job, to keep and to send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftproviders.cli.flags import Ref
from ftproviders.cli.session import Session, verb
from ftproviders.errors import ConfigurationError

__all__ = ["report"]


@verb
def report(
    session: Session,
    ref: Ref,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="FILE",
            help="HTML file to write; - is standard output.",
            show_default=False,
        ),
    ],
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            metavar="FILE",
            help="Chat JSONL: base and tuned model are asked its rows. Default: the first of the "
            "validation file, where it is still there and asking costs nothing.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows",
            min=0,
            help="How many rows to ask; 0 asks nobody. Default: 3, or 20 of --questions.",
        ),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help="Longest answer in tokens.")
    ] = 120,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE when it is there already.")
    ] = False,
) -> int:
    """Write a self-contained HTML page about a job.

    Curves, settings, data files, versions, events, answers of base and tuned model to the same
    questions, and how to reproduce it. What is not known is said.
    """
    to_stdout = str(output) == "-"
    if to_stdout and session.out.json_mode:
        raise ConfigurationError(
            "--json and the page cannot both go to standard output.", hint="Name a file."
        )
    job = session.client.job(ref)
    job.report(
        output,
        questions=questions,
        rows=rows,
        max_tokens=max_tokens,
        overwrite=overwrite,
        on_progress=session.out.note,
    )
    if session.out.json_mode:
        body = {"ref": str(job.ref), "file": str(output), "bytes": output.stat().st_size}
        session.out.document("report", body)
    elif not to_stdout:
        session.out.line(str(output))
    return 0
