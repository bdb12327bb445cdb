"""The verbs on jobs that exist: list, look, follow, stop, take over, clear up."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ftproviders.cli import shapes
from ftproviders.cli.flags import Ref
from ftproviders.cli.output import when
from ftproviders.cli.session import Session, verb
from ftproviders.errors import ConfigurationError, FineTuneError, JobError, NotFoundError

if TYPE_CHECKING:
    from ftproviders.client import FineTuneJob
    from ftproviders.schema.job import JobEvent
    from ftproviders.schema.submission import JobRecord

__all__ = [
    "adopt",
    "cancel",
    "events",
    "jobs",
    "model",
    "reconcile",
    "show",
    "status",
    "watch",
]

_REMOTE_JOBS = 200
_WITHOUT_A_JOB = {
    "intent": "interrupted: submit it again",
    "unknown": "unknown: run ftproviders reconcile",
    "refused": "refused: nothing was created",
}
"""State of a submission without a job -> what to tell of it."""


@verb
def jobs(
    session: Session,
    remote: Annotated[
        bool,
        typer.Option("--remote", help="Ask the providers that are set up, not the journal."),
    ] = False,
) -> int:
    """List jobs, newest first.

    Those in the journal, or with --remote those that the providers list. Where it costs nothing,
    jobs under way are looked at anew; elsewhere the status is the one last seen.
    """
    found = _remote(session) if remote else [_now(session, row) for row in session.client.jobs()]
    if session.out.json_mode:
        session.out.document("jobs", {"jobs": found})
        return 0
    if not found:
        session.out.note("No jobs. Next: ftproviders submit --help, or ftproviders jobs --remote")
        return 0
    rows = [
        (
            str(job["ref"] or f"{job['provider']}:? ({job['submission_id']})"),
            str(job["status"] if job["ref"] else _WITHOUT_A_JOB.get(str(job["state"]), "")),
            str(job["base_model"] or ""),
            str(job["model"] or ""),
            _readable(job["created_at"]),
        )
        for job in found
    ]
    session.out.table(("ref", "status", "base model", "model", "created"), rows)
    return 0


def _readable(moment: object) -> str:
    """Write a time of a JSON shape for people."""
    return when(datetime.fromisoformat(moment)) if isinstance(moment, str) else ""


def _now(session: Session, row: JobRecord) -> dict[str, object]:
    """Return a row of the journal; what may have changed is read anew where that is free."""
    if row.ref is not None and (row.snapshot is None or not row.snapshot.status.terminal):
        with contextlib.suppress(FineTuneError):  # the journal can be shown all the same
            job = session.client.job(row.ref)
            if not job.needs_consent():
                return shapes.record(row.model_copy(update={"snapshot": job.refresh()}))
    return shapes.record(row)


def _remote(session: Session) -> list[dict[str, object]]:
    """Ask every provider that lists jobs; one that is not set up is said and passed over."""
    from ftproviders.provider import Feature

    found: list[dict[str, object]] = []
    problems: list[FineTuneError] = []
    asked = 0
    for info in session.client.providers():
        if Feature.JOBS not in info.features:
            continue
        try:
            listed = session.client.remote_jobs(info.name)
            snapshots = list(itertools.islice(listed, _REMOTE_JOBS + 1))
        except ConfigurationError as error:
            session.out.note(f"{info.name}: not set up: {error.message}")
            continue
        except FineTuneError as error:
            session.out.complain(f"{info.name}: {error}")
            problems.append(error)
            continue
        asked += 1
        if len(snapshots) > _REMOTE_JOBS:
            session.out.note(f"{info.name}: only the newest {_REMOTE_JOBS} jobs are shown.")
        for snapshot in snapshots[:_REMOTE_JOBS]:
            account = session.client.job(snapshot.ref).account
            found.append(
                {**shapes.snapshot(snapshot, account=account), "state": None, "note": None}
            )
    if problems and not asked:
        raise problems[0]
    return found


@verb
def status(session: Session, ref: Ref) -> int:
    """Ask how a job stands, now."""
    try:
        job = session.client.job(ref)
        job.refresh()
    except (NotFoundError, ConfigurationError) as error:
        if session.client.names_deployment(ref):
            error.hint = f"{ref} is a deployment. How it stands: ftproviders deployments"
        raise
    show(session, job)
    return 0


def show(session: Session, job: FineTuneJob) -> None:
    """Show a job as it was last seen."""
    body = shapes.job(job)
    if session.out.json_mode:
        session.out.document("job", body)
        return
    seen = job.snapshot
    step = "" if seen.step is None else f"{seen.step}"
    if step and seen.total_steps:
        step += f"/{seen.total_steps}"
    raw = "" if seen.raw_status == seen.status.value else f" ({seen.raw_status})"
    lines = [
        ("ref", str(job.ref)),
        ("status", seen.status.value + raw),
        ("step", step),
        ("base model", seen.base_model or ""),
        ("model", body["model"] or ""),
        ("account", body["account"] or ""),
        ("created", when(seen.created_at)),
        ("finished", when(seen.finished_at)),
        ("trained tokens", "" if seen.trained_tokens is None else f"{seen.trained_tokens:,}"),
        ("submission", body["submission_id"] or ""),
        ("error", seen.error.message if seen.error else ""),
        ("code", (seen.error.code or "") if seen.error else ""),
        ("resumable", "yes" if seen.resumable else ""),
    ]
    session.out.pairs([(label, value) for label, value in lines if value])


@verb
def watch(session: Session, ref: Ref) -> int:
    """Stay with a job until it ends. Ctrl-C leaves the job alone."""
    from ftproviders.cli.watching import stay

    job = session.client.job(ref)
    stay(session, job, timeout_seconds=None)
    show(session, job)
    return 0


@verb
def events(
    session: Session,
    ref: Ref,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the job ends; JSON is one object a line.")
    ] = False,
) -> int:
    """Show what happened in a job, oldest first."""
    job = session.client.job(ref)
    if follow:
        from ftproviders.cli.watching import left_alone

        with left_alone(job):
            for happened in job.follow():
                _event(session, job, happened)
        return 0
    found = job.events()
    if session.out.json_mode:
        body = {"ref": str(job.ref), "events": [shapes.event(one) for one in found]}
        session.out.document("events", body)
        return 0
    for happened in found:
        _event(session, job, happened)
    if not found:
        seen = job.refresh()
        session.out.note(f"{job.ref} has no events; it is {seen.status.value}.")
    return 0


def _event(session: Session, job: FineTuneJob, happened: JobEvent) -> None:
    if session.out.json_mode:
        body = {"ref": str(job.ref), "events": [shapes.event(happened)]}
        session.out.document("events", body)
        return
    numbers = "  ".join(f"{name}={value:.6g}" for name, value in happened.metrics.items())
    step = "" if happened.step is None else f"step {happened.step}  "
    words = "" if happened.kind == "metrics" and numbers else happened.message
    session.out.line(
        f"{when(happened.created_at)}  {happened.level.value:7}  "
        f"{step}{words}{'  ' if words and numbers else ''}{numbers}".rstrip()
    )


@verb
def model(session: Session, ref: Ref) -> int:
    """Print the name of the tuned model."""
    job = session.client.job(ref)
    snapshot = job.refresh()
    if snapshot.model is None:
        raise JobError(
            f"Job {job.ref} has no tuned model; its status is {snapshot.status.value}.",
            snapshot=snapshot,
            operation="model",
            hint=f"See `ftproviders status {job.ref}`."
            if snapshot.status.terminal
            else f"Wait for it with `ftproviders watch {job.ref}`.",
        )
    if session.out.json_mode:
        session.out.document("job", shapes.job(job))
    else:
        session.out.line(str(snapshot.model))
    return 0


@verb
def cancel(session: Session, ref: Ref) -> int:
    """Stop a job. On a paid provider this is shown and agreed to first."""
    from ftproviders.schema.job import JobStatus

    job = session.client.job(ref)
    seen = job.refresh()
    if job.needs_consent() and not seen.status.terminal:
        from ftproviders.cli.consent import ask

        ask(
            session,
            what=f"This cancels job {job.ref}, which is {seen.status.value}.",
            facts=[f"base model  {seen.base_model or 'unknown'}"],
            verb="cancel",
            provider=job.ref.provider,
        )
    job.cancel()
    if seen.status.terminal or job.status in (JobStatus.SUCCEEDED, JobStatus.FAILED):
        session.out.note("The job had ended already; there was nothing to cancel.")
    show(session, job)
    return 0


@verb
def adopt(session: Session, ref: Ref) -> int:
    """Take a job that was made elsewhere into the journal."""
    show(session, session.client.adopt(ref))
    return 0


@verb
def reconcile(
    session: Session,
    submission: Annotated[
        str | None,
        typer.Argument(
            metavar="SUBMISSION",
            help="Id of the one submission to settle, as `jobs` shows it; default: all.",
            show_default=False,
        ),
    ] = None,
    adopt_ref: Annotated[
        str | None,
        typer.Option("--adopt", metavar="REF", help="Say that this job is the unresolved one."),
    ] = None,
    assume_absent: Annotated[
        bool,
        typer.Option(
            "--assume-absent", help="Say that what cannot be found was never made; it may be sent."
        ),
    ] = False,
) -> int:
    """Settle submissions whose answer was lost.

    Exit 4 when a submission is still unresolved, 3 when a provider could not be asked.
    """
    if adopt_ref is not None and assume_absent:
        raise ConfigurationError("--adopt and --assume-absent contradict.", hint="Leave one.")
    if submission is not None:
        _check_submission(session, submission)
    report = session.client.reconcile(
        adopt=adopt_ref, assume_absent=assume_absent, submission=submission
    )
    if session.out.json_mode:
        body = {
            "resolved": [shapes.record(row) for row in report.resolved],
            "unresolved": [
                {
                    "job": shapes.record(one.record),
                    "similar": [shapes.snapshot(job) for job in one.similar],
                    "detail": one.detail,
                }
                for one in report.unresolved
            ],
            "imported": [shapes.record(row) for row in report.imported],
            "problems": list(report.problems),
        }
        session.out.document("reconcile", body)
    else:
        for row in report.resolved:
            _reconciled(session, _settled(session, row, assumed=assume_absent), [row])
        _reconciled(session, "found at the provider", report.imported)
        for one in report.unresolved:
            _reconciled(session, "UNRESOLVED", [one.record])
            session.out.line(f"  {one.detail}")
            for job in one.similar:
                session.out.line(f"  similar, without our marker: {job.ref} ({job.status.value})")
        for problem in report.problems:
            session.out.complain(f"not asked: {problem}")
        if not (report.resolved or report.unresolved or report.imported or report.problems):
            which = f"Submission {submission}" if submission else "Every submission"
            session.out.line(f"{which} is resolved.")
    return 4 if report.unresolved else 3 if report.problems else 0


def _check_submission(session: Session, submission: str) -> None:
    """Refuse an id that is nowhere: nothing to settle would look like everything settled."""
    if not any(row.submission_id == submission for row in session.client.jobs()):
        raise ConfigurationError(
            f"The journal has no submission {submission!r}.",
            operation="reconcile",
            hint="`ftproviders jobs` shows the id of each unresolved one, in parentheses.",
        )


def _settled(session: Session, row: JobRecord, *, assumed: bool) -> str:
    """Say how a submission was settled; only some providers can say that there is no job."""
    if row.ref is not None:
        return "resolved"
    if assumed and not session.client.provider(row.provider).reads_own_writes:
        return "assumed absent"
    return "absent"


def _reconciled(session: Session, word: str, rows: Sequence[JobRecord]) -> None:
    for row in rows:
        name = str(row.ref) if row.ref else f"{row.provider}, submission {row.submission_id}"
        state = row.state.value if row.state.value != "refused" else "it may be sent again"
        session.out.line(f"{word}: {name} ({state})")
