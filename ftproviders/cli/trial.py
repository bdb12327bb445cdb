"""``demo``: show a model being tuned, and what it learned."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.cli.output import Output
    from ftproviders.client import FineTuneJob
    from ftproviders.demo import DemoResult

__all__ = ["demo", "finish"]


@verb
def demo(
    session: Session,
    epochs: Annotated[
        int, typer.Option("--epochs", min=0, help="Passes over the 200 support chats.")
    ] = 2,
) -> int:
    """Tune a small model, deploy it, and ask it before and after.

    It runs on this machine: 200 support chats to learn from, ten held-out questions, no account.
    The state folder is a fresh one each time; downloads and the converted base model are kept in
    the cache. Exit 1 when the score does not rise.
    """
    from ftproviders.cli.failures import Interrupted
    from ftproviders.cli.watching import Progress
    from ftproviders.client import FineTuneClient
    from ftproviders.config import Config
    from ftproviders.demo import Listener, fresh_home, run_demo

    config = Config.load(profile=session.profile)
    home = fresh_home(config.cache)
    begun: list[FineTuneJob] = []
    listener = Listener(
        on_progress=session.out.note,
        on_count=session.out.live if session.out.live_possible else session.out.note,
        on_job=begun.append,
        on_update=Progress(session.out).update,
    )
    try:
        with FineTuneClient(config.model_copy(update={"home": home})) as client:
            result = run_demo(client, epochs=epochs, listener=listener)
    except KeyboardInterrupt as error:
        raise Interrupted(
            "The demo was stopped." + (f" Job {begun[0].ref} goes on." if begun else ""),
            ref=begun[0].ref if begun else None,
            hint=f"Come back with: {_here(home)} watch {begun[0].ref}"
            if begun
            else "Run it again: it starts afresh.",
        ) from error
    return finish(session.out, result)


def _here(home: Path) -> str:
    """Write the start of a command that sees the demo's state folder."""
    return f"FTPROVIDERS_HOME={shlex.quote(str(home))} {_program()}"


def _program() -> str:
    """Write the running program so that a shell finds it, also where it is not on the PATH."""
    own = Path(sys.argv[0])
    if own.name == "__main__.py" and own.parent.name == "ftproviders":
        return f"{shlex.quote(sys.executable)} -m ftproviders"
    found = shutil.which("ftproviders")
    if own.stem != "ftproviders" or (found is not None and Path(found).samefile(own)):
        return "ftproviders"
    return shlex.quote(str(own.absolute()))


def finish(out: Output, result: DemoResult) -> int:
    """Show what the walk found; return the exit code: 1 when the score did not rise."""
    if out.json_mode:
        out.document("demo", _body(result))
    else:
        _show(out, result)
    return 0 if result.after > result.before else 1


def _body(result: DemoResult) -> dict[str, object]:
    return {
        "ref": str(result.ref),
        "model": result.model,
        "home": str(result.home),
        "before": result.before,
        "after": result.after,
        "total": len(result.answers),
        "answers": [
            {
                "prompt": a.question.prompt,
                "intent": a.question.intent,
                "before": a.before,
                "after": a.after,
                "right_before": a.question.right(a.before),
                "right_after": a.question.right(a.after),
            }
            for a in result.answers
        ],
        "losses": [{"step": step, "train_loss": loss} for step, loss in result.losses],
        "seconds": {part: round(seconds, 1) for part, seconds in result.seconds.items()},
    }


def _show(out: Output, result: DemoResult) -> None:
    for answer in result.answers:
        mark = "right" if answer.question.right(answer.after) else "wrong"
        out.line(f"{answer.question.prompt}  (expected: {answer.question.intent})")
        out.line(f"  before: {_short(answer.before)}")
        out.line(f"  after:  {_short(answer.after)}  [{mark}]")
    out.line()
    if result.losses:
        first, last = result.losses[0], result.losses[-1]
        out.line(f"loss    {first[1]:.3f} at step {first[0]}, {last[1]:.3f} at step {last[0]}")
    spent = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in result.seconds.items())
    out.line(f"time    {spent}")
    out.line(f"job     {result.ref}")
    out.line(f"model   {result.model}")
    if result.served_at:
        out.line(f"served  at {result.served_at} while it was asked; deleted again")
    out.line()
    out.line("Try next:")
    for command in (
        f'chat {result.ref} "My kettle leaks"',
        f"metrics {result.ref}",
        f"deploy {result.ref} --ttl 1h",
        "jobs",
    ):
        out.line(f"  {_here(result.home)} {command}")
    out.line(f"All of this demo's state is in {result.home}; delete it whenever you like.")
    out.line()
    total = len(result.answers)
    out.line(f"score: {result.before}/{total} before, {result.after}/{total} after")


def _short(text: str, *, limit: int = 90) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= limit else one_line[: limit - 3] + "..."
