"""Staying with a job until it ends: a status line, its events, and what Ctrl-C leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ftproviders.cli.failures import Interrupted, WaitLeftError
from ftproviders.cli.output import when
from ftproviders.cli.streams import ReaderGoneError

if TYPE_CHECKING:
    from ftproviders.cli.output import Output
    from ftproviders.cli.session import Session
    from ftproviders.client import FineTuneJob
    from ftproviders.schema.job import JobEvent, JobSnapshot

__all__ = ["Progress", "duration", "left_alone", "shown_or_left", "stay"]


def stay(session: Session, job: FineTuneJob, *, timeout_seconds: float | None) -> JobSnapshot:
    """Wait for `job` and show how it goes.

    Args:
        session: Where progress is shown.
        job: The job.
        timeout_seconds: Stop waiting after so long; None = never.

    Returns:
        The successful job.

    Raises:
        JobError: It failed, was cancelled, is paused, stalled, or the time is over.
        Interrupted: Ctrl-C; the job goes on.
        WaitLeftError: Nobody reads the progress any more; the job goes on.
    """
    with left_alone(job), shown_or_left(job):
        return job.wait(timeout_seconds=timeout_seconds, on_update=Progress(session.out).update)


@contextmanager
def left_alone(job: FineTuneJob) -> Iterator[None]:
    """Turn Ctrl-C into a sentence that says how to come back; the job is not touched."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"Stopped watching. The job {job.ref} goes on.",
            ref=job.ref,
            provider=job.ref.provider,
            operation="watch",
            hint=f"Come back with: ftproviders watch {job.ref}",
        ) from error


@contextmanager
def shown_or_left(job: FineTuneJob) -> Iterator[None]:
    """Before a job has ended, turn a reader that goes away into the end of the wait."""
    try:
        yield
    except ReaderGoneError as error:
        raise WaitLeftError(
            f"Stopped waiting, because the reader of the output has gone away. "
            f"The job {job.ref} goes on.",
            ref=job.ref,
            provider=job.ref.provider,
            operation="watch",
            hint=f"Come back with: ftproviders watch {job.ref}",
        ) from error


class Progress:
    """One line that is rewritten on a terminal; a line for each tenth of the way elsewhere."""

    def __init__(self, output: Output) -> None:
        self._out = output
        self._status = ""
        self._tenth = -1
        self._loss: float | None = None
        self._loss_name = "loss"
        self._step: int | None = None
        self._first: tuple[float, int] | None = None

    def update(self, snapshot: JobSnapshot, events: Sequence[JobEvent]) -> None:
        """Show what is new."""
        for event in events:
            self._take(event)
        if snapshot.step is not None:
            self._step = max(self._step or 0, snapshot.step)
        if self._step is not None and self._first is None:
            self._first = (time.monotonic(), self._step)
        text = self._text(snapshot)
        if self._out.live_possible and not snapshot.status.terminal:
            self._out.live(text)
        elif self._worth_a_line(snapshot):
            self._out.note(text)

    def _take(self, event: JobEvent) -> None:
        if event.step is not None:
            self._step = max(self._step or 0, event.step)
        if event.kind == "message":
            self._out.note(f"{when(event.created_at)}  {event.message}")
            return
        for name in sorted(event.metrics, key=lambda name: ("train" not in name, name)):
            if "loss" in name:
                self._loss_name, self._loss = name, event.metrics[name]
                return

    def _worth_a_line(self, snapshot: JobSnapshot) -> bool:
        tenth = -1
        if self._step is not None and snapshot.total_steps:
            tenth = 10 * self._step // snapshot.total_steps
        new = snapshot.status.value != self._status or tenth > self._tenth
        self._status, self._tenth = snapshot.status.value, max(tenth, self._tenth)
        return new

    def _text(self, snapshot: JobSnapshot) -> str:
        parts = [f"{snapshot.ref}  {snapshot.status.value}"]
        if self._step is not None:
            of = f"/{snapshot.total_steps}" if snapshot.total_steps else ""
            parts.append(f"step {self._step}{of}")
        if self._loss is not None:
            parts.append(f"{self._loss_name} {self._loss:.4g}")
        left = self._seconds_left(snapshot)
        if left is not None:
            parts.append(f"about {duration(left)} left")
        return "  ".join(parts)

    def _seconds_left(self, snapshot: JobSnapshot) -> float | None:
        if self._first is None or self._step is None or not snapshot.total_steps:
            return None
        since, start = self._first
        done = self._step - start
        if done <= 0 or snapshot.status.value != "running":
            return None
        return (time.monotonic() - since) / done * (snapshot.total_steps - self._step)


def duration(seconds: float) -> str:
    """Write a duration for people: ``45 s``, ``3 min 10 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
