"""Submit exactly once.

Lock, look into the journal, look at the provider, write the intent, upload, create once, write the
outcome. Whatever happens in between - a lost answer, a kill, a second process, a deleted journal -
the same command finds its job again, and nothing that costs money is sent twice by itself.
``docs/reliability.md`` says what is guaranteed where.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from ftproviders import registry
from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    JobCancelledError,
    JobFailedError,
    JournalError,
    ModelRetiredError,
    ProviderError,
)
from ftproviders.journal import SubmissionRow
from ftproviders.planning import alternatives, submission_id
from ftproviders.provider import TrainingAdapter
from ftproviders.runtime.complained import quote_rows, with_rows
from ftproviders.runtime.lock import submission_lock
from ftproviders.runtime.session import Session
from ftproviders.runtime.settle import (
    find,
    look,
    new_similar,
    outcome_unknown,
    seconds_left,
)
from ftproviders.runtime.transfer import send_files
from ftproviders.schema.job import (
    Absent,
    FileRef,
    FindResult,
    Found,
    JobRef,
    JobSnapshot,
    JobStatus,
    NotSeen,
    SubmissionQuery,
)
from ftproviders.schema.plan import JobPlan
from ftproviders.schema.submission import SubmissionState

__all__ = ["Submitted", "submit"]

_DEAD = (JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """The job of a submission."""

    snapshot: JobSnapshot
    submission_id: str
    attempt: int
    reused: bool
    """True when the job was there before this command."""


def submit(
    session: Session,
    plan: JobPlan,
    *,
    again: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Submitted:
    """Return the job of a plan, creating it if, and only if, it is not there yet.

    Args:
        session: Settings, journal, adapters.
        plan: What `make_plan` returned; it may be submitted any number of times.
        again: Make a new attempt although the newest one was shown to the user.
        on_progress: Told in words what is being done.

    Raises:
        JobFailedError: The job of this submission failed before; the hint says ``--again``.
        JobCancelledError: Likewise, cancelled.
        OutcomeUnknownError: A create request was sent and nobody can say what came of it.
        ConfigurationError: The journal's job is not visible with the present credentials.
        ProviderError: The provider refused, or cannot be asked; nothing was created.
        JournalError: The journal cannot be written; nothing was sent.
    """
    run = _Run(session, plan, again=again, on_progress=on_progress or (lambda _text: None))
    with submission_lock(session.config, plan.submission_id, on_progress=run.on_progress):
        return run.go()


class _Run:
    """One submit command, under its lock."""

    def __init__(
        self,
        session: Session,
        plan: JobPlan,
        *,
        again: bool,
        on_progress: Callable[[str], None],
    ) -> None:
        self.session = session
        self.plan = plan
        self.again = again
        self.on_progress = on_progress
        self.adapter: TrainingAdapter = session.training(plan.provider)
        self.journal = session.journal
        self._earlier_unknown = False

    def go(self) -> Submitted:
        self._same_account()
        newest = self._newest_row()
        number = newest.attempt if newest else 1
        shown = newest is not None and newest.shown_at is not None
        if self.again and shown and newest is not None and newest.state is SubmissionState.CREATED:
            return self._next(number)
        snapshot, similar = self._existing(number, newest)
        if snapshot is None:
            return self._send(number, newest, similar)
        if newest is None or snapshot.status in _DEAD:
            # A lost journal, or another machine, may have left later attempts at the provider.
            number, snapshot = self._latest(number, snapshot)
        return self._give(number, snapshot)

    def _same_account(self) -> None:
        present = self.adapter.account()
        if present != self.plan.account:
            raise ConfigurationError(
                f"The plan was made for {self.plan.account}; {self.plan.provider} is now "
                f"{present}.",
                provider=self.plan.provider,
                operation="submit",
                hint="Make the plan again with the account that shall pay for it.",
            )

    def _newest_row(self) -> SubmissionRow | None:
        rows = list(self.journal.attempts(self.plan.submission_id))
        if not self.again:
            # A new attempt that was surely never made counts only for those who ask for it again.
            while len(rows) > 1 and not rows[-1].maybe_sent and rows[-1].ref is None:
                rows.pop()
        return rows[-1] if rows else None

    # --- what is there ------------------------------------------------------------------------

    def _existing(
        self, number: int, row: SubmissionRow | None
    ) -> tuple[JobSnapshot | None, tuple[str, ...]]:
        """Return the job of an attempt if there is one, and the refs of its look-alikes."""
        if row is not None and row.state is SubmissionState.CREATED and row.ref is not None:
            return self._verified(row.submission_id, row.ref), ()
        if row is not None and row.maybe_sent:
            return self._settle(row), row.similar
        result = find(self.session, self.adapter, self._query(number))
        return self._adopt(number, result), _similar_refs(result)

    def _verified(self, attempt_id: str, ref: JobRef) -> JobSnapshot:
        try:
            return self.session.verify(ref)
        except ConfigurationError:
            # The user is told the ref here, so that --again is not held up by it any more.
            self.journal.shown(attempt_id, at=self.session.clock.now())
            raise

    def _settle(self, row: SubmissionRow) -> JobSnapshot | None:
        """Resolve an attempt whose create request may have been carried out.

        None = it may be sent: the provider is sure that there is no job, or the user was told
        before that the outcome is unknown, has asked again, and the window has passed.
        """
        left = seconds_left(self.session, row)
        if left > 0:
            self.on_progress(f"an earlier answer was lost; looking for its job for {left:.0f} s")
        result = look(self.session, self.adapter, self._query(row.attempt, row.files), seconds=left)
        snapshot = self._adopt(row.attempt, result)
        if snapshot is not None:
            return snapshot
        if isinstance(result, Absent):
            self.journal.refused(row.submission_id, reason="the provider has no such job")
            return None
        similar = new_similar(self.session, row, result)
        if similar or row.state is SubmissionState.INTENT:
            raise outcome_unknown(self.session, row, similar)
        return None

    def _adopt(self, number: int, result: FindResult) -> JobSnapshot | None:
        if not isinstance(result, Found):
            return None
        self.on_progress(f"found {result.snapshot.ref}")
        self.journal.created(self._row(number), result.snapshot, at=self.session.clock.now())
        return result.snapshot

    def _next(self, number: int) -> Submitted:
        """Make the attempt after `number`, unless somebody else has made it already."""
        result = find(self.session, self.adapter, self._query(number + 1))
        snapshot = self._adopt(number + 1, result)
        if snapshot is None:
            return self._send(number + 1, None, _similar_refs(result))
        return self._give(*self._latest(number + 1, snapshot))

    def _latest(self, number: int, snapshot: JobSnapshot) -> tuple[int, JobSnapshot]:
        """Follow the attempts that the provider has beyond `number`."""
        while True:
            result = find(self.session, self.adapter, self._query(number + 1))
            later = self._adopt(number + 1, result)
            if later is None:
                return number, snapshot
            number, snapshot = number + 1, later

    def _give(self, number: int, snapshot: JobSnapshot) -> Submitted:
        """Return a job that was there before; a dead one only to say so."""
        attempt_id = self._id(number)
        if snapshot.status in _DEAD:
            self.journal.shown(attempt_id, at=self.session.clock.now())
            raise _dead(with_rows(self.session, snapshot))
        return Submitted(snapshot=snapshot, submission_id=attempt_id, attempt=number, reused=True)

    # --- sending ------------------------------------------------------------------------------

    def _send(self, number: int, row: SubmissionRow | None, similar: tuple[str, ...]) -> Submitted:
        attempt_id = self._id(number)
        self._earlier_unknown = row is not None and row.state is SubmissionState.UNKNOWN
        if not self._earlier_unknown:
            # An unknown attempt keeps its row as it is until its request goes out once more.
            self.journal.begin(replace(self._row(number), similar=similar))
        try:
            files = send_files(
                self.session,
                self.adapter,
                self.plan,
                submission_id=attempt_id,
                on_progress=self.on_progress,
            )
        except ProviderError as error:
            quote_rows(error, self.plan)
            raise
        self.on_progress(f"creating the job at {self.plan.provider}")
        ref = self._create(number, files)
        return self._written(number, ref)

    def _create(self, number: int, files: tuple[FileRef, ...]) -> JobRef:
        info = self.adapter.info
        spec = self.plan.spec.model_copy(update={"base_model": self.plan.base_model})
        options = registry.options(info, spec.options.get(info.name, {}))
        attempt_id, file_ids = self._id(number), [file.id for file in files]

        def create() -> JobRef:
            # Before every try, so that the settle window counts from the one that went out last.
            self.journal.sending(attempt_id, at=self.session.clock.now(), files=file_ids)
            return self.adapter.create(spec, options=options, files=files, submission_id=attempt_id)

        try:
            return self.session.call(
                self.adapter,
                "create",
                create,
                # Only what the provider surely did not carry out is ever sent again.
                retry=lambda error: (
                    isinstance(error, ProviderError)
                    and error.retryable
                    and not error.maybe_executed
                ),
            )
        except FineTuneError as error:
            if isinstance(error, ProviderError) and error.maybe_executed:
                return self._after_lost_answer(number, error)
            if isinstance(error, JournalError):
                raise  # nothing was sent
            if isinstance(error, ModelRetiredError):
                self._tell_alternatives(error)
            if isinstance(error, ProviderError):
                quote_rows(error, self.plan)
            if self._earlier_unknown:
                # The refusal closes this request only; an earlier one may still have made a job.
                self.journal.unknown(attempt_id, reason=error.message)
            else:
                self.journal.refused(attempt_id, reason=error.message)
            raise

    def _tell_alternatives(self, error: ModelRetiredError) -> None:
        today = self.session.clock.now().date()
        known = alternatives(self.plan.provider, self.plan.base_model, today=today)
        error.hint = f"{error.hint} {known}".strip()

    def _after_lost_answer(self, number: int, error: ProviderError) -> JobRef:
        window = self.session.config.settle_seconds
        self.on_progress(f"the answer was lost; looking for the job for up to {window:g} s")
        row = self.journal.submission(self._id(number))
        if row is None:
            raise error
        query = self._query(number, row.files)
        try:
            result = look(self.session, self.adapter, query, seconds=window)
        except ProviderError:
            raise outcome_unknown(self.session, row, ()) from error
        if isinstance(result, Found):
            return result.snapshot.ref
        if isinstance(result, Absent):
            self.journal.refused(row.submission_id, reason=error.message)
            raise error
        raise outcome_unknown(self.session, row, new_similar(self.session, row, result)) from error

    def _written(self, number: int, ref: JobRef) -> Submitted:
        """Write the outcome down first; only then read the job."""
        row = self._row(number)
        provisional = _placeholder(row, ref)
        try:
            self.journal.created(row, provisional, at=self.session.clock.now())
        except JournalError as error:
            raise JournalError(
                f"{ref} was created, but that could not be written down: {error.message}",
                operation="submit",
                hint="Write the ref down, free the disk, then run: "
                f"ftproviders reconcile --adopt {ref}",
                ref=ref,
            ) from error
        try:
            snapshot = self.session.retrieve(ref)
        except FineTuneError:
            snapshot = provisional  # the job is there; the next look will show it
        return Submitted(
            snapshot=snapshot, submission_id=row.submission_id, attempt=number, reused=False
        )

    # --- names --------------------------------------------------------------------------------

    def _id(self, number: int) -> str:
        return submission_id(self.plan.identity, attempt=number)

    def _query(self, number: int, file_ids: tuple[str, ...] = ()) -> SubmissionQuery:
        return SubmissionQuery(
            submission_id=self._id(number),
            base_model=self.plan.base_model,
            file_ids=file_ids,
            file_digests=(self.plan.training.sha256[:16],),
        )

    def _row(self, number: int) -> SubmissionRow:
        plan = self.plan
        return SubmissionRow(
            submission_id=self._id(number),
            series_id=plan.submission_id,
            attempt=number,
            provider=plan.provider,
            account=plan.account,
            base_model=plan.base_model,
            state=SubmissionState.INTENT,
            spec=plan.spec.model_dump_json(),
            identity=json.dumps(dict(plan.identity), sort_keys=True),
            created_at=self.session.clock.now(),
            note=plan.spec.note,
        )


def _similar_refs(result: FindResult) -> tuple[str, ...]:
    return tuple(str(job.ref) for job in result.similar) if isinstance(result, NotSeen) else ()


def _placeholder(row: SubmissionRow, ref: JobRef) -> JobSnapshot:
    return JobSnapshot(
        ref=ref,
        status=JobStatus.PENDING,
        raw_status="",
        base_model=row.base_model,
        created_at=row.created_at,
        submission_id=row.submission_id,
    )


def _dead(snapshot: JobSnapshot) -> JobFailedError | JobCancelledError:
    kind: type[JobFailedError | JobCancelledError] = JobCancelledError
    what = "was cancelled"
    if snapshot.status is JobStatus.FAILED:
        kind, what = JobFailedError, "failed"
    reason = f": {snapshot.error.message}" if snapshot.error else "."
    fix = f"{snapshot.error.hint} " if snapshot.error and snapshot.error.hint else ""
    return kind(
        f"This submission was made before as {snapshot.ref}, which {what}{reason}",
        snapshot=snapshot,
        operation="submit",
        hint=f"{fix}Nothing was sent. To make a new attempt, submit with --again.",
    )
