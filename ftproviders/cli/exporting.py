"""``export``: write the tuned model to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftproviders.cli.flags import Ref
from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.schema.export import ExportedModel

__all__ = ["export"]


@verb
def export(
    session: Session,
    ref: Ref,
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="FOLDER", help="Where to write: a folder that is absent or empty."
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="adapter|merged|gguf",
            help="What was learned alone, a whole model, or one file for llama.cpp.",
        ),
    ] = "adapter",
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="ID", help="This checkpoint, not the final model."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="NAME",
            help="Number format of a GGUF file: bf16, f16 or q8_0; default as trained.",
        ),
    ] = None,
) -> int:
    """Write the tuned model to a folder and check that it answers as it did.

    Exit 3 and no folder when what was written answers otherwise.
    """
    job = session.client.job(ref)
    if form != "adapter":
        session.out.note("Writing the model and comparing it with the tuned one ...")
    found = job.export(to, format=form, checkpoint=checkpoint, weights=weights)
    if session.out.json_mode:
        session.out.document("export", {"ref": str(job.ref), **found.model_dump(mode="json")})
    else:
        _show(session, str(job.ref), found)
    return 0


def _show(session: Session, ref: str, found: ExportedModel) -> None:
    session.out.pairs(
        [
            ("ref", ref),
            ("format", found.format.value),
            ("base model", found.base_model or ""),
            ("folder", str(found.folder)),
            *((name, f"{size:,} bytes") for name, size in sorted(found.files.items())),
            *((f"check: {name}", _plain(value)) for name, value in found.verification.items()),
        ]
    )


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
