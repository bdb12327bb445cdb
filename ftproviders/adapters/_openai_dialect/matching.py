"""Which of an account's jobs belongs to a submission, and which merely looks like it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ftproviders.schema.job import FindResult, Found, JobSnapshot, NotSeen, SubmissionQuery

__all__ = ["matched", "same_base"]


def matched(
    query: SubmissionQuery,
    jobs: Iterable[JobSnapshot],
    *,
    file_names: Callable[[], Mapping[str, str]],
    sent_as: Callable[[str], str] = str,
) -> FindResult:
    """Decide over every job of the account, newest first: only the mark proves anything.

    Args:
        query: The submission.
        jobs: All jobs, whatever filter the list was asked with.
        file_names: Gives id -> name of the account's files; asked only if a job looks alike.
        sent_as: A base model's name as the user writes it -> as the service has it.
    """
    asked = sent_as(query.base_model)
    ours: list[JobSnapshot] = []
    unmarked: list[JobSnapshot] = []
    for job in jobs:
        if job.submission_id == query.submission_id:
            ours.append(job)
        elif job.submission_id is None and same_base(asked, job.base_model):
            unmarked.append(job)
    if ours:
        return Found(snapshot=ours[-1])
    return NotSeen(similar=tuple(_of_same_file(query, unmarked, file_names)))


def _of_same_file(
    query: SubmissionQuery,
    jobs: Sequence[JobSnapshot],
    file_names: Callable[[], Mapping[str, str]],
) -> list[JobSnapshot]:
    if not jobs or not (query.file_ids or query.file_digests):
        return []
    known = file_names() if query.file_digests else {}
    return [
        job
        for job in jobs
        if any(
            query.names_file(file) or query.names_file(known.get(file, ""))
            for file in job.training_files
        )
    ]


def same_base(asked: str, told: str | None) -> bool:
    """Say whether a service may have answered `told` to a job for `asked`: aliases get a date."""
    if told is None:
        return True
    told, asked = told.lower(), asked.lower()
    return told == asked or told.startswith(f"{asked}-")
