"""The part of the contract about jobs: status, snapshots, events, cancel, lists."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial

from pydantic import ValidationError

from ftproviders.errors import ConflictError, InvalidRequestError
from ftproviders.provider import Feature
from ftproviders.schema.job import JobEvent, JobSnapshot, JobStatus
from ftproviders.testing.checks import as_runtime, raised, require
from ftproviders.testing.rig import Rig

__all__ = ["EventContract", "JobContract", "ListContract"]

_CANCEL_STATUSES = (JobStatus.CANCELLING, JobStatus.CANCELLED)


class JobContract:
    """A snapshot is a job at one moment, and nothing terminal ever comes back to life."""

    def test_every_status_word_is_known(self, rig: Rig) -> None:
        """Each word of the provider's becomes the right status, and is kept as it is."""
        for word, status in rig.statuses.items():
            snapshot = rig.snapshot_with_word(word)
            require(
                snapshot.status is status, f"{word!r} must be {status.value}: {snapshot.status}"
            )
            require(snapshot.raw_status == word, f"raw_status must be {word!r}")

    def test_unknown_word_is_unknown(self, rig: Rig) -> None:
        """A word of tomorrow is `unknown`: neither an exception nor a failure."""
        snapshot = rig.snapshot_with_word(rig.unknown_word)
        require(
            snapshot.status is JobStatus.UNKNOWN,
            f"{rig.unknown_word!r} must be unknown, not {snapshot.status.value}",
        )
        require(snapshot.raw_status == rig.unknown_word, "raw_status must keep the word")

    def test_finished_job_has_its_model(self, rig: Rig) -> None:
        """Success leaves a model of the declared kind, and times."""
        last = rig.finished.last
        require(last.model is not None, "a job that succeeded names its model")
        if last.model is not None:
            require(last.model.source is rig.info.produces, f"produces {rig.info.produces.value}")
            require(last.model.provider == rig.info.name, "the model's provider")
        require(last.error is None, f"a job that succeeded has no error: {last.error}")
        require(last.created_at is not None, "created_at")
        require(
            last.finished_at is None
            or last.created_at is None
            or last.finished_at >= last.created_at,
            "a job ends after it was made",
        )

    def test_unfinished_job_has_no_model(self, rig: Rig) -> None:
        """Before success there is neither a model nor an end."""
        for snapshot in rig.finished.snapshots:
            if not snapshot.status.terminal:
                require(snapshot.model is None, f"{snapshot.status.value} and already a model")
                require(snapshot.finished_at is None, f"{snapshot.status.value} and an end")

    def test_snapshots_never_change(self, rig: Rig) -> None:
        """Each read gives a new object; one that was read before stays as it was."""
        finished = rig.finished
        for snapshot, copy in zip(finished.snapshots, finished.copies, strict=True):
            now = snapshot.model_dump(mode="json")
            require(now == copy, f"a snapshot changed in place from {copy} to {now}")
        ids = {id(snapshot) for snapshot in finished.snapshots}
        require(len(ids) == len(finished.snapshots), "each read must give a new snapshot")
        # Whoever sets a field of a frozen value must be told so.
        raised(
            ValidationError,
            lambda: setattr(finished.last, "status", JobStatus.FAILED),
            when="setting a field of a snapshot",
        )

    def test_terminal_stays_terminal(self, rig: Rig) -> None:
        """Reading a finished job again, with another adapter, tells the same."""
        finished = rig.finished
        again = rig.adapter().retrieve(finished.ref)
        require(again.status is finished.last.status, f"was succeeded, is {again.status.value}")
        require(again.model == finished.last.model, "the model of a finished job stays")
        require(again is not finished.last, "a refresh makes a new snapshot")

    def test_cancel_ends_the_job(self, rig: Rig) -> None:
        """A job that is cancelled becomes cancelled and stays so."""
        if Feature.CANCEL not in rig.info.features:
            return
        adapter = rig.adapter()
        ref = rig.submit(adapter).ref
        told = adapter.cancel(ref)
        require(told.ref == ref, "cancel returns the job")
        require(told.status in _CANCEL_STATUSES, f"cancelled, and told {told.status.value}")
        last = rig.last(adapter, ref)
        require(last.status is JobStatus.CANCELLED, f"cancelled, and ended {last.status.value}")
        require(last.model is None, "a cancelled job has no model")

    def test_cancel_does_not_touch_what_has_ended(self, rig: Rig) -> None:
        """Cancelling a finished job is told or refused as wrong; it stays finished."""
        if Feature.CANCEL not in rig.info.features:
            return
        adapter = rig.adapter()
        finished = rig.finished
        with contextlib.suppress(InvalidRequestError, ConflictError):
            told = as_runtime(adapter, "cancel", partial(adapter.cancel, finished.ref))
            require(told.status is finished.last.status, f"cancel told {told.status.value}")
        again = adapter.retrieve(finished.ref)
        require(
            again.status is finished.last.status,
            f"a finished job became {again.status.value} by a cancel",
        )

    def test_pause_and_resume(self, rig: Rig) -> None:
        """A paused job says that it can go on, and does."""
        if not {Feature.PAUSE, Feature.RESUME} <= rig.info.features:
            return
        adapter = rig.adapter()
        ref = rig.submit(adapter).ref
        adapter.pause(ref)
        # A provider may need a while for it, as for a cancel.
        paused = adapter.retrieve(ref)
        for paused in rig.read_to_the_end(adapter, ref):
            if paused.status is JobStatus.PAUSED:
                break
        require(paused.status is JobStatus.PAUSED, f"paused, and ended {paused.status.value}")
        require(paused.resumable, "a job that was paused can be resumed")
        require(paused.model is None, "a paused job has no model yet")
        adapter.resume(ref)
        last = rig.last(adapter, ref)
        require(last.status is JobStatus.SUCCEEDED, f"resumed, and ended {last.status.value}")

    def test_paused_job_can_be_cancelled(self, rig: Rig) -> None:
        """Nobody has to resume a job to be rid of it."""
        if not {Feature.PAUSE, Feature.CANCEL} <= rig.info.features:
            return
        adapter = rig.adapter()
        ref = rig.submit(adapter).ref
        adapter.pause(ref)
        adapter.cancel(ref)
        last = rig.last(adapter, ref)
        require(last.status is JobStatus.CANCELLED, f"cancelled, and ended {last.status.value}")

    def test_what_has_ended_is_neither_paused_nor_resumed(self, rig: Rig) -> None:
        """Such a request is refused as wrong, and the job stays finished."""
        adapter = rig.adapter()
        finished = rig.finished
        acts = {Feature.PAUSE: adapter.pause, Feature.RESUME: adapter.resume}
        for feature, act in acts.items():
            if feature not in rig.info.features:
                continue
            with contextlib.suppress(InvalidRequestError, ConflictError):
                told = as_runtime(adapter, feature.value, partial(act, finished.ref))
                require(told.status.terminal, f"{feature.value} told {told.status.value}")
            again = adapter.retrieve(finished.ref).status
            require(again is finished.last.status, f"{feature.value} made it {again.value}")


class EventContract:
    """Events tell the story in order, once, and can be picked up anywhere."""

    def test_events_come_oldest_first(self, rig: Rig) -> None:
        """Times never go back, and steps neither."""
        if Feature.EVENTS not in rig.info.features:
            return
        events = _events(rig)
        times = [event.created_at for event in events]
        require(times == sorted(times), f"events must come oldest first: {times}")
        steps = [event.step for event in events if event.step is not None]
        require(steps == sorted(steps), f"steps must go up: {steps}")
        require(len(set(steps)) > 1 or len(set(times)) > 1, "the rig's job must take some time")

    def test_events_are_told_once(self, rig: Rig) -> None:
        """Ids are unique, and every event says something."""
        if Feature.EVENTS not in rig.info.features:
            return
        events = _events(rig)
        ids = [event.id for event in events]
        require(len(set(ids)) == len(ids), f"event ids must be unique: {ids}")
        for event in events:
            require(event.message or event.metrics, f"event {event.id} says nothing")
            require((event.kind == "metrics") == bool(event.metrics), f"kind of {event.id}")

    def test_events_go_on_after_a_cursor(self, rig: Rig) -> None:
        """`after` gives exactly the events behind that one."""
        if Feature.EVENTS not in rig.info.features:
            return
        adapter = rig.adapter()
        ids = [event.id for event in _events(rig)]
        for place in sorted({0, len(ids) // 2, len(ids) - 1}):
            rest = [e.id for e in adapter.events(rig.finished.ref, after=ids[place])]
            require(rest == ids[place + 1 :], f"after event {place + 1} of {len(ids)}: {rest}")

    def test_metrics_are_numbers_with_steps(self, rig: Rig) -> None:
        """A finished job has a loss curve."""
        if Feature.EVENTS not in rig.info.features:
            return
        metrics = [event for event in _events(rig) if event.kind == "metrics"]
        require(metrics, "a finished job must have metrics events")
        for event in metrics:
            require(event.step is not None, f"metrics of {event.id} belong to a step")
        require(any("train_loss" in e.metrics for e in metrics), "one metric is train_loss")

    def test_checkpoints_come_oldest_first(self, rig: Rig) -> None:
        """Checkpoints go up in steps; each is a model of its own."""
        if Feature.CHECKPOINTS not in rig.info.features:
            return
        checkpoints = rig.adapter().checkpoints(rig.finished.ref)
        steps = [c.step for c in checkpoints if c.step is not None]
        require(checkpoints, "a finished job must have checkpoints where they are declared")
        require(steps == sorted(steps), f"checkpoints must come oldest first: {steps}")
        require(len({c.id for c in checkpoints}) == len(checkpoints), "checkpoint ids are unique")
        names = {c.model.name for c in checkpoints}
        require(len(names) == len(checkpoints), "each checkpoint is a model of its own")


class ListContract:
    """Lists end, newest first."""

    def test_jobs_come_newest_first_and_end(self, rig: Rig) -> None:
        """All pages together hold every job once."""
        if Feature.JOBS not in rig.info.features:
            return
        adapter = rig.adapter()
        older = rig.finished.ref
        newer = rig.submit(adapter).ref
        listed = _all_jobs(rig)
        rig.discard(adapter, newer)
        refs = [snapshot.ref for snapshot in listed]
        require(len(set(map(str, refs))) == len(refs), f"a job is listed twice: {refs}")
        require(older in refs and newer in refs, f"{older} and {newer} must be listed: {refs}")
        require(refs.index(newer) < refs.index(older), "jobs must come newest first")
        times = [s.created_at for s in listed if s.created_at is not None]
        require(times == sorted(times, reverse=True), "jobs must come newest first")

    def test_listed_jobs_are_as_when_read(self, rig: Rig) -> None:
        """A list tells the same of a finished job as reading it."""
        if Feature.JOBS not in rig.info.features:
            return
        finished = rig.finished
        listed = {snapshot.ref: snapshot for snapshot in _all_jobs(rig)}
        same = listed[finished.ref]
        require(same.status is finished.last.status, f"listed as {same.status.value}")
        require(same.submission_id == finished.last.submission_id, "the list carries the marker")

    def test_models_hold_the_base_model(self, rig: Rig) -> None:
        """Every model is named once, and the rig's base model is among them."""
        if Feature.MODELS not in rig.info.features:
            return
        models = rig.adapter().models()
        names = [model.name for model in models]
        require(len(set(names)) == len(names), f"a model is listed twice: {names}")
        require(rig.listed_model in names, f"{rig.listed_model} must be among {names}")
        require({m.provider for m in models} == {rig.info.name}, "the models' provider")


def _events(rig: Rig) -> Sequence[JobEvent]:
    events = rig.adapter().events(rig.finished.ref)
    require(len(events) > 1, f"a finished job must have events: {events}")
    return events


def _all_jobs(rig: Rig) -> Sequence[JobSnapshot]:
    adapter = rig.adapter()
    listed: list[JobSnapshot] = []
    cursors: set[str] = set()
    cursor: str | None = None
    while True:
        page = adapter.jobs(cursor=cursor)
        listed.extend(page.jobs)
        cursor = page.cursor
        if cursor is None:
            return listed
        require(cursor not in cursors, f"the job list never ends: cursor {cursor} came again")
        cursors.add(cursor)
