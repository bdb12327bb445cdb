"""``checkpoints``, ``pause``, ``resume``: a job that stops in between and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftproviders.cli import shapes
from ftproviders.cli.flags import Ref
from ftproviders.cli.jobs import show
from ftproviders.cli.output import when
from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.client import FineTuneJob
    from ftproviders.schema.job import JobSnapshot

__all__ = ["checkpoints", "pause", "resume"]


@verb
def checkpoints(session: Session, ref: Ref) -> int:
    """List the checkpoints of a job, oldest first. Each is a model of its own."""
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
            when(one.created_at),
            *(f"{one.metrics[n]:.6g}" if n in one.metrics else "" for n in names),
            one.model.name,
        )
        for one in found
    ]
    session.out.table(("id", "step", "created", *names, "model"), rows)
    session.out.note(_next(session, job, found[-1].id))
    return 0


def _next(session: Session, job: FineTuneJob, checkpoint: str) -> str:
    """Say how to use a checkpoint: where models answer at once there is nothing to deploy."""
    info = session.client.provider(job.ref.provider)
    if info.hosting is not None and not info.hosting_features:
        return f'Next: ftproviders chat {job.ref} "..." --checkpoint {checkpoint}'
    return f"Next: ftproviders deploy {job.ref} --checkpoint {checkpoint}"


@verb
def pause(session: Session, ref: Ref) -> int:
    """Let a job write a checkpoint and stop. On a paid provider this is agreed to first."""
    job = session.client.job(ref)
    _agreed(session, job, verb_name="pause", what="pauses")
    before = job.snapshot
    seen = job.pause()
    show(session, job)
    if before.status.value == "paused":
        session.out.note(f"It was {before.raw_status or 'paused'} already.")
    if seen.status.value != "paused":
        session.out.note(f"{_when_it_stops(seen)}: ftproviders status {job.ref}")
    session.out.note(f"Go on then with: ftproviders resume {job.ref}")
    return 0


def _when_it_stops(seen: JobSnapshot) -> str:
    if seen.step is not None and seen.step > 0:
        return "It stops when its checkpoint is written"
    if seen.status.value in ("pending", "validating", "queued") or seen.step == 0:
        return "It has done no step yet, so there is no checkpoint; it stops as soon as it can"
    return "It stops as soon as it can"


@verb
def resume(session: Session, ref: Ref) -> int:
    """Let a paused or interrupted job go on. On a paid provider this is agreed to first."""
    job = session.client.job(ref)
    _agreed(session, job, verb_name="resume", what="resumes")
    before = job.snapshot
    step = job.resume().facts.get("resumed_from_step")
    show(session, job)
    if before.status.value != "paused":
        session.out.note(f"It was not paused: it was {before.status.value}.")
    elif isinstance(step, int):
        session.out.note(_beginning(step))
    session.out.note(f"Next: ftproviders watch {job.ref}")
    return 0


def _beginning(step: int) -> str:
    if step == 0:
        return "It starts over: no checkpoint had been written. The result is the same."
    return f"It goes on from the checkpoint of step {step}."


def _agreed(session: Session, job: FineTuneJob, *, verb_name: str, what: str) -> None:
    seen = job.refresh()
    if seen.status.terminal or not job.needs_consent():
        return  # what has ended is told so, and nothing is sent
    from ftproviders.cli.consent import ask

    ask(
        session,
        what=f"This {what} job {job.ref}, which is {seen.status.value}.",
        facts=[f"base model  {seen.base_model or 'unknown'}"],
        verb=verb_name,
        provider=job.ref.provider,
    )
