"""Finding out whether a submission has a job, although its answer was lost."""

from __future__ import annotations

from ftproviders.errors import JournalError, OutcomeUnknownError, ProviderError
from ftproviders.journal import SubmissionRow
from ftproviders.provider import TrainingAdapter
from ftproviders.runtime.session import Session, passing
from ftproviders.schema.job import FindResult, JobSnapshot, NotSeen, SubmissionQuery

__all__ = ["find", "look", "new_similar", "outcome_unknown", "seconds_left"]


def find(session: Session, adapter: TrainingAdapter, query: SubmissionQuery) -> FindResult:
    """Ask the provider once (with retries of passing faults)."""
    return session.call(adapter, "find", lambda: adapter.find(query))


def look(
    session: Session, adapter: TrainingAdapter, query: SubmissionQuery, *, seconds: float
) -> FindResult:
    """Ask the provider again and again for `seconds`, and once more at the end.

    Raises:
        ProviderError: The provider could not be asked at the end of the time, so nothing is known.
    """
    clock = session.clock
    deadline = clock.monotonic() + seconds
    pause = min(max(seconds / 20, 0.05), 5.0)
    while True:
        left = deadline - clock.monotonic()
        try:
            result = find(session, adapter, query)
        except ProviderError as error:
            if left <= 0 or not passing(error):
                raise
        else:
            if left <= 0 or not isinstance(result, NotSeen):
                return result
        clock.sleep(min(pause, max(left, 0.001)))


def seconds_left(session: Session, row: SubmissionRow) -> float:
    """Return how much of the settle window is left since the create request went out.

    A wall clock that was set back since counts as no time at all having passed.
    """
    window = session.config.settle_seconds
    if row.sent_at is None:
        return 0.0
    passed = max((session.clock.now() - row.sent_at).total_seconds(), 0.0)
    return max(window - passed, 0.0)


def new_similar(
    session: Session, row: SubmissionRow, result: FindResult
) -> tuple[JobSnapshot, ...]:
    """Return look-alikes that were not there before the request and are no other submission's.

    A look-alike that was only adopted stays one: following a job settles no submission.
    """
    if not isinstance(result, NotSeen):
        return ()
    return tuple(
        job
        for job in result.similar
        if str(job.ref) not in row.similar and session.journal.owner(job.ref) is None
    )


def outcome_unknown(
    session: Session, row: SubmissionRow, similar: tuple[JobSnapshot, ...]
) -> OutcomeUnknownError:
    """Write down that the user is being told, and return what to tell."""
    window = session.config.settle_seconds
    unwritten = ""
    try:
        session.journal.unknown(row.submission_id, reason="the answer to create was lost")
    except JournalError as error:
        # The intent is written; without this the user is told once more, which does no harm.
        unwritten = f" ({error.message})"
    if similar:
        listed = ", ".join(str(job.ref) for job in similar)
        hint = (
            f"These jobs have the same file and model but not our mark: {listed}. If one is yours, "
            f"run: ftproviders reconcile --adopt {similar[0].ref} - if none is, run: "
            "ftproviders reconcile --assume-absent"
        )
    else:
        hint = (
            "Run: ftproviders reconcile - it takes the job over as soon as the provider lists it. "
            "If the provider still has none then, the same submit sends it once more."
        )
    return OutcomeUnknownError(
        f"The request to create submission {row.submission_id} was sent to {row.provider}, its "
        f"answer was lost, and no job of it was listed within {window:g} seconds. It was not sent "
        f"again, because it may have been carried out.{unwritten}",
        submission_id=row.submission_id,
        similar=similar,
        provider=row.provider,
        hint=hint,
    )
