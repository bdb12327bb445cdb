"""``chat``: ask a tuned model or a deployment something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.client import Deployment, FineTuneJob
    from ftproviders.runtime.streaming import ChatStream
    from ftproviders.schema.deployment import ChatReply

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
    stream: Annotated[
        bool, typer.Option("--stream", help="Show the answer as it comes; JSON is one object.")
    ] = False,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Longest answer in tokens.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", metavar="ID", help="Ask this checkpoint of a job, not its last model."
        ),
    ] = None,
) -> int:
    """Ask a job's tuned model, or a deployment, and print its answer."""
    target: Deployment | FineTuneJob
    more: dict[str, Any] = {}
    if checkpoint is None and session.client.names_deployment(ref):
        target = session.client.deployment(ref)
    else:
        target = session.client.job(ref)
        more["checkpoint"] = checkpoint
    more |= {
        "system": system,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "on_progress": None if session.out.json_mode else session.out.note,
    }
    if stream:
        reply = _read(session, target.chat_stream(prompt, **more))
    else:
        reply = target.chat(prompt, **more)
    if session.out.json_mode:
        body = {"ref": str(target.ref), **reply.model_dump(mode="json")}
        session.out.document("chat", body)
    elif not stream:
        session.out.line(reply.text)
    return 0


def _read(session: Session, answer: ChatStream) -> ChatReply:
    """Show an answer as it comes; with ``--json`` it is shown at its end."""
    with answer:
        if not session.out.json_mode:
            try:
                for piece in answer:
                    session.out.piece(piece)
            finally:
                # Also where it broke off: what came stays, and the error begins a line.
                session.out.line()
        return answer.reply
