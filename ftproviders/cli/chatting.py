"""``chat``: ask the tuned model something."""

from __future__ import annotations

from typing import Annotated

import typer

from ftproviders.cli.flags import Ref
from ftproviders.cli.session import Session, verb

__all__ = ["chat"]


@verb
def chat(
    session: Session,
    ref: Ref,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="What to say to the model.", show_default=False)
    ],
    system: Annotated[str | None, typer.Option("--system", help="System message.")] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0, help="Randomness; 0 takes the likeliest words."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Longest answer in tokens.")
    ] = None,
) -> int:
    """Ask the tuned model and print its answer."""
    job = session.client.job(ref)
    reply = job.chat(prompt, system=system, temperature=temperature, max_tokens=max_tokens)
    if session.out.json_mode:
        body = {"ref": str(job.ref), **reply.model_dump(mode="json")}
        session.out.document("chat", body)
    else:
        session.out.line(reply.text)
    return 0
