"""``chat``: ask a tuned model or a deployment something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.client import Deployment, FineTuneJob

__all__ = ["chat"]

_Target: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="The job or deployment: provider:id or provider:account/id; the id alone where it is "
        "unique.",
        show_default=False,
    ),
]


@verb
def chat(
    session: Session,
    ref: _Target,
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
    """Ask a job's tuned model, or a deployment, and print its answer."""
    target: Deployment | FineTuneJob
    if session.client.names_deployment(ref):
        target = session.client.deployment(ref)
    else:
        target = session.client.job(ref)
    reply = target.chat(
        prompt,
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        on_progress=None if session.out.json_mode else session.out.note,
    )
    if session.out.json_mode:
        body = {"ref": str(target.ref), **reply.model_dump(mode="json")}
        session.out.document("chat", body)
    else:
        session.out.line(reply.text)
    return 0
