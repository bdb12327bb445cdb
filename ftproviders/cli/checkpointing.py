"""``checkpoints``, ``pause``, ``resume``: a job that stops in between and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftproviders.cli import shapes
from ftproviders.cli.flags import Ref
from ftproviders.cli.jobs import show
from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.client import FineTuneJob

__all__ = ["checkpoints", "pause", "resume"]


@verb
def checkpoints(session: Session, ref: Ref) -> int:
    """List the checkpoints of a job, oldest first. Each can be deployed."""
    job = session.client.job(ref)
    found = job.checkpoints()
    if session.out.json_mode:
        body = {"ref": str(job.ref), "checkpoints": [shapes.checkpoint(one) for one in found]}
        session.out.document("checkpoints", body)
        return 0
    if not found:
        ended = job.refresh().status.terminal
        session.out.note("The job kept no checkpoints." if ended else "No checkpoints yet.")
        return 0
    names = list(dict.fromkeys(name for one in found for name in one.metrics))
    rows = [
        (
            one.id,
            "" if one.step is None else str(one.step),
            (shapes.moment(one.created_at) or "")[:19],
            *(f"{one.metrics[n]:.6g}" if n in one.metrics else "" for n in names),
            one.model.name,
        )
        for one in found
    ]
    session.out.table(("id", "step", "created (UTC)", *names, "model"), rows)
    session.out.note(f"Next: ftproviders deploy {job.ref} --checkpoint {found[-1].id}")
    return 0


@verb
def pause(session: Session, ref: Ref) -> int:
    """Let a job write a checkpoint and stop. On a paid provider this is agreed to first."""
    job = session.client.job(ref)
    _agreed(session, job, verb_name="pause", what="pauses")
    stopped = job.pause().status.value == "paused"
    show(session, job)
    if not stopped:
        session.out.note(f"It stops when its checkpoint is written: ftproviders status {job.ref}")
    session.out.note(f"Go on then with: ftproviders resume {job.ref}")
    return 0


@verb
def resume(session: Session, ref: Ref) -> int:
    """Let a paused or interrupted job go on. On a paid provider this is agreed to first."""
    job = session.client.job(ref)
    _agreed(session, job, verb_name="resume", what="resumes")
    step = job.resume().facts.get("resumed_from_step")
    show(session, job)
    if isinstance(step, int):
        session.out.note(_beginning(step))
    session.out.note(f"Next: ftproviders watch {job.ref}")
    return 0


def _beginning(step: int) -> str:
    if step == 0:
        return "It starts over: no checkpoint had been written. The result is the same."
    return f"It goes on from the checkpoint of step {step}."


def _agreed(session: Session, job: FineTuneJob, *, verb_name: str, what: str) -> None:
    if not job.needs_consent():
        return
    from ftproviders.cli.consent import ask

    seen = job.refresh()
    ask(
        session,
        what=f"This {what} job {job.ref}, which is {seen.status.value}.",
        facts=[f"base model  {seen.base_model or 'unknown'}"],
        verb=verb_name,
        provider=job.ref.provider,
    )
