"""Bringing journal and providers together: unknown outcomes, lost jobs, adoption."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial

from ftproviders import registry
from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    InvalidRequestError,
    JournalError,
    NotFoundError,
    UnexpectedResponseError,
)
from ftproviders.journal import SubmissionRow
from ftproviders.provider import Feature, TrainingAdapter
from ftproviders.runtime.lock import submission_lock
from ftproviders.runtime.session import Session
from ftproviders.runtime.settle import find, new_similar, seconds_left
from ftproviders.schema.job import Absent, Found, JobRef, JobSnapshot, SubmissionQuery
from ftproviders.schema.submission import (
    JobRecord,
    ReconcileReport,
    SubmissionState,
    Unresolved,
)

__all__ = ["adopt", "list_jobs", "reconcile", "resolve_ref"]


def resolve_ref(session: Session, text: str) -> JobRef:
    """Read a full ref, or a short form that journal or configuration makes unique.

    What stands after the provider may be a beginning, too. It is a whole id where the journal or
    the provider has a job of just that id: a beginning never hides it.

    Raises:
        ConfigurationError: The text names no job, or more than one.
    """
    if ":" in text:
        try:
            ref = JobRef.parse(text)
        except ValueError as error:
            raise ConfigurationError(f"{error}.", hint="`ftproviders jobs` lists refs.") from error
        registry.info(ref.provider)
        found = _known(session, ref)
        return ref if not found or _there(session, ref) else _only(found, text)
    found = session.journal.matching(text) if text.strip() else ()
    if found:
        return _only(found, text)
    if session.config.provider and text.strip():
        return JobRef(provider=session.config.provider.replace("_", "-"), id=text.strip())
    raise ConfigurationError(
        f"No job {text!r} is known here.",
        hint="Write provider:id, for instance openai:ftjob-abc123, or the beginning of an id that "
        "the journal has, for instance ftjob-ab; `ftproviders jobs` lists refs.",
    )


def _known(session: Session, ref: JobRef) -> Sequence[JobRef]:
    """Return the journal's jobs whose ids begin as this one; none where it has just this one."""
    try:
        found = session.journal.matching(ref.id, within=ref)
    except JournalError:
        return ()  # a whole ref needs no journal
    return () if any(known.id == ref.id for known in found) else found


def _there(session: Session, ref: JobRef) -> bool:
    """Ask the provider whether it has a job of just this id."""
    try:
        session.retrieve(ref)
    except (NotFoundError, InvalidRequestError):
        return False
    return True


def _only(found: Sequence[JobRef], text: str) -> JobRef:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(str(ref) for ref in found[:5])
    raise ConfigurationError(
        f"{text!r} fits more than one job: {listed}.", hint="Write the whole ref."
    )


def list_jobs(session: Session, adapter: TrainingAdapter) -> Iterator[JobSnapshot]:
    """Yield every job of the account, newest first, page by page.

    Raises:
        UnexpectedResponseError: The list has no end.
    """
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        page = session.call(adapter, "jobs", partial(adapter.jobs, cursor=cursor))
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return
        if cursor in seen:
            raise UnexpectedResponseError(
                f"The list of jobs at {adapter.info.name} has no end: {cursor} came again.",
                provider=adapter.info.name,
                operation="jobs",
                hint="Check that the address is the right API; name jobs by their ids meanwhile.",
            )
        seen.add(cursor)


def adopt(session: Session, ref: JobRef) -> JobSnapshot:
    """Take a job into the journal, whoever made it.

    A job that carries the mark of a submission of ours settles that submission.

    Raises:
        NotFoundError: The provider has no such job in this account.
    """
    adapter = session.adapter_for(ref)
    snapshot = session.call(adapter, "retrieve", lambda: adapter.retrieve(ref))
    _attach(session, adapter, snapshot)
    return snapshot


def reconcile(
    session: Session,
    *,
    adopt_ref: JobRef | None = None,
    assume_absent: bool = False,
    submission: str | None = None,
) -> ReconcileReport:
    """Settle what is unknown, and bring jobs with our mark back into the journal.

    Args:
        session: Settings, journal, adapters.
        adopt_ref: The job that an unresolved submission really has.
        assume_absent: Declare that the unresolved submissions have no job; each may then be sent
            again. Only after the settle window, and never against what the provider shows.
        submission: Id of the one submission to settle; default all.

    Raises:
        ConfigurationError: `adopt_ref` fits none, or more than one, of the unresolved submissions.
    """
    resolved: list[JobRecord] = []
    unresolved: list[Unresolved] = []
    problems: list[str] = []
    if adopt_ref is not None:
        resolved.append(_adopt_for_submission(session, adopt_ref, submission))
    for row in session.journal.unresolved():
        if submission not in (None, row.submission_id):
            continue
        try:
            with submission_lock(session.config, row.series_id, on_progress=lambda _text: None):
                open_row = _resolve(session, row.submission_id, assume_absent=assume_absent)
        except FineTuneError as error:
            record = _record(session, row.submission_id)
            unresolved.append(Unresolved(record=record, detail=str(error)))
            continue
        if open_row is None:
            resolved.append(_record(session, row.submission_id))
        else:
            unresolved.append(open_row)
    imported = _import(session, problems)
    return ReconcileReport(
        resolved=tuple(resolved),
        unresolved=tuple(unresolved),
        imported=imported,
        problems=tuple(problems),
    )


def _resolve(session: Session, submission_id: str, *, assume_absent: bool) -> Unresolved | None:
    """Look once; None when the outcome is known now."""
    row = session.journal.submission(submission_id)
    if row is None or not row.maybe_sent:
        return None  # a submit has settled it while we waited for its lock
    adapter = session.training(row.provider)
    _same_account(adapter, row)
    result = find(session, adapter, _query(row))
    if isinstance(result, Found):
        session.journal.created(row, result.snapshot, at=session.clock.now())
        return None
    if isinstance(result, Absent):
        session.journal.refused(row.submission_id, reason="the provider has no such job")
        return None
    left = seconds_left(session, row)
    if assume_absent and left <= 0:
        session.journal.refused(row.submission_id, reason="assumed absent by the user")
        return None
    similar = new_similar(session, row, result)
    if left > 0:
        detail = f"not listed yet; the settle window ends in {left:.0f} seconds - run it again then"
    elif similar:
        detail = (
            "not listed, but jobs without our mark look like it; if one is yours: --adopt REF, if "
            "none is: --assume-absent"
        )
    else:
        detail = (
            "not listed; run it again later, or --assume-absent when the provider's own page shows "
            "no such job"
        )
    return Unresolved(record=_record(session, row.submission_id), similar=similar, detail=detail)


def _adopt_for_submission(session: Session, ref: JobRef, submission: str | None) -> JobRecord:
    """Settle an unresolved submission with a job that the user names."""
    adapter = session.adapter_for(ref)
    snapshot = session.call(adapter, "retrieve", lambda: adapter.retrieve(ref))
    owner = session.journal.owner(ref)
    if owner is not None:
        raise _fits_none(
            ref, f"{ref} is the job of submission {owner}; it fits no unresolved submission."
        )
    rows = [
        row
        for row in session.journal.unresolved()
        if row.provider == ref.provider and submission in (None, row.submission_id)
    ]
    fitting = [row for row in rows if _may_be(row, snapshot)]
    if not fitting:
        raise _fits_none(ref, f"{ref} fits no unresolved submission.")
    if len(fitting) > 1:
        listed = ", ".join(row.submission_id for row in fitting)
        raise ConfigurationError(
            f"{ref} fits more than one unresolved submission: {listed}.",
            provider=ref.provider,
            operation="reconcile",
            hint=f"Say which: ftproviders reconcile {fitting[0].submission_id} --adopt {ref}",
            ref=ref,
        )
    row = fitting[0]
    _same_account(adapter, row)
    with submission_lock(session.config, row.series_id, on_progress=lambda _text: None):
        present = session.journal.submission(row.submission_id)
        if present is not None and present.maybe_sent:
            session.journal.created(row, snapshot, at=session.clock.now())
    return _record(session, row.submission_id)


def _may_be(row: SubmissionRow, snapshot: JobSnapshot) -> bool:
    """Say whether a job may be a submission's: by its mark, else by model and files."""
    if snapshot.submission_id is not None:
        return snapshot.submission_id == row.submission_id
    if snapshot.base_model not in (None, row.base_model):
        return False
    query = _query(row)
    files = snapshot.training_files
    return not files or any(query.names_file(name) for name in files)


def _query(row: SubmissionRow) -> SubmissionQuery:
    return SubmissionQuery(
        submission_id=row.submission_id,
        base_model=row.base_model,
        file_ids=row.files,
        file_digests=(str(json.loads(row.identity)["training_file"])[:16],),
    )


def _fits_none(ref: JobRef, message: str) -> ConfigurationError:
    return ConfigurationError(
        message,
        provider=ref.provider,
        operation="reconcile",
        hint=f"To follow it without a submission: ftproviders adopt {ref}",
        ref=ref,
    )


def _import(session: Session, problems: list[str]) -> tuple[JobRecord, ...]:
    """Take over jobs that carry our mark and that the journal does not have."""
    found: list[JobRecord] = []
    for name in registry.names():
        try:
            if registry.info(name).training is None:
                continue
            adapter = session.training(name)
        except FineTuneError:
            continue  # not set up here, so it cannot have lost anything from here
        if not session.has(adapter, Feature.JOBS):
            continue
        try:
            for snapshot in list_jobs(session, adapter):
                if snapshot.submission_id is None or session.journal.job(snapshot.ref) is not None:
                    continue
                _attach(session, adapter, snapshot)
                record = session.journal.job(snapshot.ref)
                if record is not None:
                    found.append(record)
        except FineTuneError as error:
            problems.append(f"{name}: {error}")
    return tuple(found)


def _attach(session: Session, adapter: TrainingAdapter, snapshot: JobSnapshot) -> None:
    now = session.clock.now()
    mark = snapshot.submission_id
    row = session.journal.submission(mark) if mark is not None else None
    if row is not None and row.state is not SubmissionState.CREATED:
        session.journal.created(row, snapshot, at=now)
        return
    session.journal.seen(snapshot, account=adapter.account(), at=now, submission_id=mark)


def _same_account(adapter: TrainingAdapter, row: SubmissionRow) -> None:
    if adapter.account() == row.account:
        return
    raise ConfigurationError(
        f"Submission {row.submission_id} was made in {row.account}; {row.provider} is now "
        f"{adapter.account()}.",
        provider=row.provider,
        operation="reconcile",
        hint="Use the profile or key with which it was made.",
    )


def _record(session: Session, submission_id: str) -> JobRecord:
    row = session.journal.submission(submission_id)
    own = [r for r in session.journal.records() if r.submission_id == submission_id]
    return next((r for r in own if row is not None and r.ref == row.ref), own[0])
