"""Data files at a provider: whose they are, what needs them, and deleting those that nothing needs.

Only a file that the journal here shows to be ours is ever deleted. Somebody else's may be named in
the same way, and no provider says who sent a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ftproviders.errors import FineTuneError, NotFoundError
from ftproviders.journal import SubmissionRow
from ftproviders.provider import Feature, TrainingAdapter
from ftproviders.runtime.lock import is_locked
from ftproviders.runtime.reconcile import list_jobs
from ftproviders.runtime.session import Session
from ftproviders.schema.file import DataFile, DeletedFiles, KeptFile
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot

__all__ = ["delete_unused", "listed"]

_OUR_NAME = re.compile(r"\.[0-9a-f]{16}\.[^.]+$")
"""``<stem>.<16 digits of the digest>.jsonl``, as files are sent."""


@dataclass(frozen=True, kw_only=True)
class _Needs:
    """What may still want a file of one account."""

    jobs: Sequence[JobSnapshot]
    unsettled: Sequence[SubmissionRow]
    under_way: bool
    """True while a process here is submitting to that account."""


def listed(session: Session, provider: str) -> list[KeptFile]:
    """Return every data file in the account, newest first, with who needs it.

    Raises:
        UnsupportedFeatureError: The provider cannot list files.
        ProviderError: Files or jobs cannot be listed: what is not known to be unused counts.
    """
    adapter = session.training(provider)
    # Files first: one that is sent after this is not looked at.
    there = session.call(adapter, "files", adapter.files)
    account = adapter.account()
    sent = {file.id: file for file in session.journal.files(adapter.info.name, account=account)}
    lost = session.journal.lost_uploads(adapter.info.name, account=account)
    needs = _needs(session, adapter)
    found = [_kept(file, sent, lost, needs) for file in there]
    return sorted(found, key=lambda one: _age_key(one.file), reverse=True)


def delete_unused(
    session: Session,
    provider: str,
    *,
    agree: Callable[[Sequence[KeptFile]], None] | None = None,
) -> DeletedFiles:
    """Delete our files that nothing needs; listed anew between the agreement and the deletion.

    Args:
        session: Settings, clock, adapters.
        provider: Whose files.
        agree: Given what is about to be deleted, when that is anything; raises to stop.
    """
    adapter = session.training(provider)
    wanted = [one for one in listed(session, provider) if one.unused]
    if not wanted:
        return DeletedFiles()
    if agree is not None:
        agree(wanted)
    # Whoever was asked may have taken hours, and a job may have begun meanwhile.
    now = {one.file.id: one for one in listed(session, provider)}
    deleted: list[KeptFile] = []
    spared: list[KeptFile] = []
    problems: list[str] = []
    for one in wanted:
        fresh = now.get(one.file.id, one)
        if not fresh.unused:
            spared.append(fresh)
            continue
        try:
            _delete(session, adapter, one.file)
        except FineTuneError as error:
            problems.append(f"{one.file.id}: {error}")
            continue
        deleted.append(one)
    return DeletedFiles(deleted=tuple(deleted), spared=tuple(spared), problems=tuple(problems))


def _delete(session: Session, adapter: TrainingAdapter, file: DataFile) -> None:
    account = adapter.account()
    known = {one.id: one for one in session.journal.files(adapter.info.name, account=account)}
    ref = known.get(file.id) or FileRef(
        provider=file.provider,
        id=file.id,
        name=file.name,
        sha256="",  # the answer that would have told it was lost
        bytes=file.bytes or 0,
    )
    try:
        session.call(adapter, "delete_file", lambda: adapter.delete_file(ref))
    except NotFoundError:
        return  # deleted meanwhile, or by a request whose answer was lost


def _kept(
    file: DataFile, sent: Mapping[str, FileRef], lost: frozenset[str], needs: _Needs
) -> KeptFile:
    jobs = [job for job in needs.jobs if _uses(job, file)]
    named = _OUR_NAME.search(file.name) is not None
    ours = named and (_journaled(file, sent) or (file.id not in sent and file.name in lost))
    return KeptFile(
        file=file,
        ours=ours,
        jobs=tuple(job.ref for job in jobs),
        needed=_foreign(named=named) if not ours else _needed(file, jobs, needs),
    )


def _journaled(file: DataFile, sent: Mapping[str, FileRef]) -> bool:
    known = sent.get(file.id)
    return known is not None and file.bytes in (None, known.bytes)


def _foreign(*, named: bool) -> str:
    if named:
        return "named as ours, but not sent by this journal: from elsewhere, or somebody else's"
    return "not sent by ftproviders"


def _needed(file: DataFile, jobs: Sequence[JobSnapshot], needs: _Needs) -> str:
    for job in jobs:
        if not job.status.terminal:
            return f"{job.ref} is {job.status.value}"
    for job in needs.jobs:
        if not job.status.terminal and not _names(job):
            return f"{job.ref} is {job.status.value} and does not say which files it has"
    for row in needs.unsettled:
        if row.maybe_sent and (file.id in row.files or not row.files):
            return f"submission {row.submission_id} has no known outcome: ftproviders reconcile"
    if needs.under_way:
        return "a submission is under way and may be about to use it"
    return ""


def _needs(session: Session, adapter: TrainingAdapter) -> _Needs:
    name, account = adapter.info.name, adapter.account()
    unsettled = session.journal.unsettled(name, account=account)
    # Locks before jobs: what is submitted in between has ended with a job that is listed.
    under_way = any(is_locked(session.config, row.series_id) for row in unsettled)
    return _Needs(jobs=list(_jobs(session, adapter)), unsettled=unsettled, under_way=under_way)


def _jobs(session: Session, adapter: TrainingAdapter) -> Iterator[JobSnapshot]:
    """Yield the jobs that the provider lists, and those of the journal that it does not."""
    seen: set[JobRef] = set()
    if Feature.JOBS in adapter.info.features:
        for snapshot in list_jobs(session, adapter):
            seen.add(snapshot.ref)
            yield snapshot
    for row in session.journal.records():
        if (row.provider, row.account) != (adapter.info.name, adapter.account()):
            continue
        if row.ref is None or row.ref in seen:
            continue
        seen.add(row.ref)
        known = row.snapshot
        if known is None or not known.status.terminal:
            known = _fresh(session, adapter, row.ref)
        if known is not None:
            yield known


def _fresh(session: Session, adapter: TrainingAdapter, ref: JobRef) -> JobSnapshot | None:
    try:
        return session.call(adapter, "retrieve", partial(adapter.retrieve, ref), ref=ref)
    except NotFoundError:
        return None  # deleted there: it needs nothing any more


def _uses(job: JobSnapshot, file: DataFile) -> bool:
    names = _names(job)
    return file.id in names or (_OUR_NAME.search(file.name) is not None and file.name in names)


def _names(job: JobSnapshot) -> set[str]:
    """Return ids and names of a job's data files, as far as the provider tells them."""
    told = job.facts.get("files")
    listed_there = told if isinstance(told, list | tuple) else ()
    entries = [entry for entry in listed_there if isinstance(entry, Mapping)]
    keys = (entry.get(key) for entry in entries for key in ("id", "name"))
    return {*job.training_files, *(str(key) for key in keys if key)}


def _age_key(file: DataFile) -> tuple[float, str]:
    return (file.created_at.timestamp() if file.created_at else 0.0, file.id)
