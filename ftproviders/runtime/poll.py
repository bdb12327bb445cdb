"""Waiting for a job, through passing faults, without hammering anybody."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence

from ftproviders.errors import (
    FineTuneError,
    JobCancelledError,
    JobFailedError,
    JobPausedError,
    StalledError,
    WaitTimeoutError,
)
from ftproviders.provider import Feature, TrainingAdapter
from ftproviders.runtime.complained import with_rows
from ftproviders.runtime.session import Session, asked_pause, passing
from ftproviders.schema.job import JobEvent, JobRef, JobSnapshot, JobStatus

__all__ = ["OnUpdate", "finished_well", "how_to_go_on", "pause_seconds", "wait"]

OnUpdate = Callable[[JobSnapshot, Sequence[JobEvent]], None]

_LONGEST_OUTAGE_SECONDS = 1800.0
_SLOWEST_POLL_FACTOR = 24.0  # 5 s becomes at most 120 s
_STALL_SECONDS = 1800.0
_STALL_FACTOR = 5.0
_MAY_STALL = (JobStatus.VALIDATING, JobStatus.RUNNING, JobStatus.CANCELLING, JobStatus.UNKNOWN)


def wait(
    session: Session,
    ref: JobRef,
    *,
    timeout_seconds: float | None = None,
    on_update: OnUpdate | None = None,
) -> JobSnapshot:
    """Look at a job until it ends.

    Args:
        session: Settings, clock, adapters.
        ref: The job.
        timeout_seconds: How long to wait; None = as long as it takes. The job is never touched.
        on_update: Given each changed snapshot together with the events that are new.

    Returns:
        The snapshot of the succeeded job.

    Raises:
        JobFailedError: The job failed.
        JobCancelledError: It was cancelled.
        JobPausedError: It is paused, or was interrupted.
        StalledError: Nothing changed for max(30 minutes, 5 x the median gap between changes).
        WaitTimeoutError: The time is over; the job goes on.
        ProviderError: The provider refused, or could not be reached for half an hour.
    """
    watch = _Watch(session, ref, on_update or (lambda _snapshot, _events: None))
    started = session.clock.monotonic()
    while True:
        snapshot = watch.look()
        if snapshot is not None:
            if snapshot.at_rest:
                watch.last_words(snapshot)
                return finished_well(with_rows(session, snapshot))
            watch.refuse_stall(snapshot)
        elapsed = session.clock.monotonic() - started
        if timeout_seconds is not None and elapsed >= timeout_seconds:
            raise _timed_out(watch, ref, timeout_seconds)
        pause = max(pause_seconds(session, watch.adapter, elapsed), watch.asked_pause_seconds)
        if timeout_seconds is not None:
            pause = min(pause, timeout_seconds - elapsed)
        session.clock.sleep(max(pause, 0.0))


def finished_well(snapshot: JobSnapshot) -> JobSnapshot:
    """Return a succeeded job's snapshot; raise for every other end.

    Raises:
        JobFailedError, JobCancelledError, JobPausedError: As the status says.
    """
    if snapshot.status is JobStatus.SUCCEEDED:
        return snapshot
    reason = f": {snapshot.error.message}" if snapshot.error else "."
    if snapshot.status is JobStatus.FAILED:
        raise JobFailedError(
            f"{snapshot.ref} failed{reason}",
            snapshot=snapshot,
            operation="wait",
            hint=f"{_fix(snapshot)}See: ftproviders events {snapshot.ref} - then correct the "
            "cause and submit with --again.",
        )
    if snapshot.status is JobStatus.CANCELLED:
        raise JobCancelledError(
            f"{snapshot.ref} was cancelled{reason}",
            snapshot=snapshot,
            operation="wait",
            hint="To run it once more, submit with --again.",
        )
    raw = "" if snapshot.raw_status in ("", "paused") else f" ({snapshot.raw_status})"
    raise JobPausedError(
        f"{snapshot.ref} is paused{raw}{reason}",
        snapshot=snapshot,
        operation="wait",
        hint=how_to_go_on(snapshot),
    )


def _fix(snapshot: JobSnapshot) -> str:
    return f"{snapshot.error.hint} " if snapshot.error and snapshot.error.hint else ""


def how_to_go_on(snapshot: JobSnapshot) -> str:
    """Say what can be done about a paused or interrupted job."""
    if snapshot.changing:
        return f"It is {snapshot.raw_status}. Wait until it has: ftproviders watch {snapshot.ref}"
    if snapshot.resumable:
        return f"It can be resumed: ftproviders resume {snapshot.ref}"
    return "It cannot be resumed; submit with --again for a new attempt."


def pause_seconds(session: Session, adapter: TrainingAdapter, elapsed_seconds: float) -> float:
    """Return the time to the next look: by how long we have waited so far, with jitter."""
    if session.config.poll_seconds is not None:
        return session.config.poll_seconds
    shortest = adapter.info.poll_seconds
    pause = min(max(elapsed_seconds / 20, shortest), shortest * _SLOWEST_POLL_FACTOR)
    return pause * random.uniform(0.9, 1.1)  # noqa: S311 - jitter is no secret


def _timed_out(watch: _Watch, ref: JobRef, timeout_seconds: float) -> WaitTimeoutError:
    seen = watch.last or JobSnapshot(ref=ref, status=JobStatus.UNKNOWN, raw_status="")
    state = f"It is {seen.status.value}." if watch.last else "It could not be read."
    return WaitTimeoutError(
        f"{ref} did not end within {timeout_seconds:g} seconds. {state}",
        snapshot=seen,
        operation="wait",
        hint=f"The job goes on. Come back with: ftproviders watch {ref}",
    )


class _Watch:
    """What was seen of one job while waiting for it."""

    def __init__(self, session: Session, ref: JobRef, on_update: OnUpdate) -> None:
        self.session = session
        self.ref = ref
        self.adapter: TrainingAdapter = session.adapter_for(ref)
        self.last: JobSnapshot | None = None
        self._on_update = on_update
        self._cursor: str | None = None
        self._told: set[str] = set()
        self._unreachable_since: float | None = None
        self._changed_at = session.clock.monotonic()
        self._gaps: list[float] = []
        self.asked_pause_seconds = 0.0
        """For how long the provider asked to be left alone at the last look."""
        self._step: int | None = None
        self._total: int | None = None

    def look(self) -> JobSnapshot | None:
        """Read job and new events; None when the provider cannot be reached just now."""
        try:
            snapshot = self.session.retrieve(self.ref)
            events = self._new_events()
        except FineTuneError as error:
            if not passing(error) or self._outage_seconds() > _LONGEST_OUTAGE_SECONDS:
                raise
            self.asked_pause_seconds = asked_pause(error)
            return None
        self._unreachable_since, self.asked_pause_seconds = None, 0.0
        snapshot = self._with_steps(snapshot, events)
        if snapshot != self.last or events:
            now = self.session.clock.monotonic()
            if self.last is not None:  # the first look is no change
                self._gaps.append(now - self._changed_at)
            self._changed_at = now
            self.last = snapshot
            self._on_update(snapshot, events)
        return snapshot

    def last_words(self, snapshot: JobSnapshot) -> None:
        """Read the events that a provider shows only after it has told that the job ended."""
        left = self.adapter.info.late_event_looks if snapshot.status.terminal else 0
        while left > 0:
            left -= 1
            self.session.clock.sleep(pause_seconds(self.session, self.adapter, 0.0))
            try:
                # Once more from the beginning: what came late may have an earlier time.
                events = self._new_events(everything=left == 0)
            except FineTuneError as error:
                if not passing(error):
                    raise
                continue  # how it ended is known; events can be read at any time
            if events:
                self._on_update(snapshot, events)
                left = self.adapter.info.late_event_looks

    def _with_steps(self, snapshot: JobSnapshot, events: Sequence[JobEvent]) -> JobSnapshot:
        """Fill in how far the job is, where only its events tell that."""
        for event in events:
            self._step = event.step if event.step is not None else self._step
            self._total = event.total_steps or self._total
        told = {"step": self._step, "total_steps": self._total}
        missing = {n: v for n, v in told.items() if v is not None and getattr(snapshot, n) is None}
        return snapshot.model_copy(update=missing) if missing else snapshot

    def refuse_stall(self, snapshot: JobSnapshot) -> None:
        """Raise when a job that should move has not moved for far too long."""
        if snapshot.status not in _MAY_STALL and not snapshot.changing:
            return
        still = self.session.clock.monotonic() - self._changed_at
        usual = statistics.median(self._gaps) if self._gaps else 0.0
        if still <= max(_STALL_SECONDS, _STALL_FACTOR * usual):
            return
        raise StalledError(
            f"{self.ref} is {snapshot.status.value} but has not changed for {still / 60:.0f} "
            "minutes.",
            snapshot=snapshot,
            operation="wait",
            hint=f"Look at the provider, then `ftproviders watch {self.ref}` or cancel it.",
        )

    def _new_events(self, *, everything: bool = False) -> Sequence[JobEvent]:
        """Return the events that were not told yet."""
        if not self.session.has(self.adapter, Feature.EVENTS):
            return ()
        after = None if everything else self._cursor
        events = self.session.call(
            self.adapter, "events", lambda: self.adapter.events(self.ref, after=after)
        )
        if events:
            self._cursor = events[-1].id
        new = [event for event in events if event.id not in self._told]
        self._told.update(event.id for event in new)
        return new

    def _outage_seconds(self) -> float:
        now = self.session.clock.monotonic()
        if self._unreachable_since is None:
            self._unreachable_since = now
        return now - self._unreachable_since
