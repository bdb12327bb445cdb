"""``export``: write the tuned model to files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftproviders.cli.ending import cleared_up
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
            help="Number format of the weights: bf16 or fp32 for merged; bf16, f16 or q8_0 for "
            "gguf. Default: as trained.",
        ),
    ] = None,
) -> int:
    """Write the tuned model to a folder and check that it answers as it did.

    Exit 3 and no folder when what was written answers otherwise.
    """
    from ftproviders.runtime.exporting import check_wish

    check_wish(form, folder=to, weights=weights)
    job = session.client.job(ref)
    if form != "adapter":
        session.out.note("Writing the model and comparing it with the tuned one ...")
    with cleared_up(session.out):
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
            *(("check", line) for line in _checked(found.verification)),
        ]
    )


def _checked(found: Mapping[str, Any]) -> list[str]:
    """Return what the check found, in lines for people; `--json` has every number.

    Every provider checks in its own way, so what is not known here is left to `--json`.
    """
    if "kl_nats" not in found:
        equal = found.get("equal")
        told = str(found.get("method", "compared with the tuned model"))
        return [told if equal is None else f"{told}: {'yes' if equal else 'no'}"]
    bounds = found.get("bounds", {})
    top1 = f"{found['top1_agreement']:.1%} of {found['positions']} positions"
    same = "the same" if found.get("greedy_answer_equal") else "another, within the bounds"
    lines = [
        f"greedy answer to the probe: {same}",
        f"mean KL divergence: {found['kl_nats']:.2g} nats (at most {bounds.get('kl_nats', 0):g})",
        f"first choices equal: {top1} (at least {bounds.get('top1_agreement', 0):.0%})",
    ]
    if found.get("weights"):
        lines.insert(0, f"weights: {found['weights']}")
    return lines
