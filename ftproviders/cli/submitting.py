"""``plan`` and ``submit``: look first, then send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ftproviders.cli import flags as f
from ftproviders.cli import shapes
from ftproviders.cli.failures import Interrupted, WaitLeftError
from ftproviders.cli.moving import moved_lines
from ftproviders.cli.session import Session, verb
from ftproviders.cli.specs import SpecFlags, make_plan, takes_spec
from ftproviders.cli.streams import ReaderGoneError
from ftproviders.errors import ConfigurationError

if TYPE_CHECKING:
    from ftproviders.cli.output import Output
    from ftproviders.client import FineTuneJob
    from ftproviders.schema.dataset import Dataset, ValidationReport
    from ftproviders.schema.plan import CostEstimate, JobPlan

__all__ = ["plan", "submit"]

_SAME_AGAIN = (
    "Run the same command again: it finds the job if there is one. `ftproviders reconcile` tells, "
    "too."
)


@verb
@takes_spec
def plan(session: Session, flags: SpecFlags) -> int:
    """Show what a submission would send and cost. Sends nothing."""
    made = _planned(session, flags)
    if session.out.json_mode:
        session.out.document("plan", shapes.plan(made))
        return 0
    for line in plan_lines(made):
        session.out.line(line)
    return 0


@verb
@takes_spec
def submit(
    session: Session,
    flags: SpecFlags,
    again: f.Again = False,
    wait: f.Wait = False,
    timeout: f.Timeout = None,
) -> int:
    """Start a tuning job, exactly once.

    The same command again returns the same job; --again trains anew. A job that costs money is
    shown and agreed to first; --yes agrees on the command line.
    """
    if timeout is not None and not wait:
        raise ConfigurationError("--timeout says how long to wait.", hint="Add --wait.")
    made = _planned(session, flags)
    if made.needs_consent:
        from ftproviders.cli.consent import ask

        ask(
            session,
            what=f"This starts a tuning job on {made.provider}; cost: {_cost(made.cost)}.",
            facts=plan_lines(made),
            verb="submit",
            provider=made.provider,
        )
    else:
        for warning in made.warnings:
            session.out.note(f"warning: {warning}")
    job = _submitted(session, made, again=again, wait=wait)
    return _shown(session, job, wait=wait, timeout_seconds=timeout)


def _planned(session: Session, flags: SpecFlags) -> JobPlan:
    return make_plan(session.client, flags)


def _submitted(session: Session, made: JobPlan, *, again: bool, wait: bool) -> FineTuneJob:
    try:
        return session.client.submit(
            made, again=again, acknowledge=False, on_progress=session.out.note
        )
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Stopped while submitting; the job may have been made.",
            provider=made.provider,
            operation="submit",
            hint=_SAME_AGAIN,
        ) from error
    except ReaderGoneError as error:
        if not wait:
            raise
        raise WaitLeftError(
            "Stopped while submitting, because the reader of the output has gone away; the job "
            "may have been made.",
            provider=made.provider,
            operation="submit",
            hint=_SAME_AGAIN,
        ) from error


def _shown(session: Session, job: FineTuneJob, *, wait: bool, timeout_seconds: float | None) -> int:
    """Print the ref first: only then was the job shown, and only then is it acknowledged."""
    from ftproviders.cli.watching import shown_or_left, stay

    out = session.out
    with shown_or_left(job) if wait else nullcontext():
        _show_ref(out, job, wait=wait)
    job.acknowledge()
    if not wait:
        out.note(_next(session, job))
        return 0
    stay(session, job, timeout_seconds=timeout_seconds)
    if out.json_mode:
        out.document("job", shapes.job(job))
    else:
        out.line(f"{job.status.value}: {job.model or 'no model'}")
        out.note(_next(session, job))
    return 0


def _next(session: Session, job: FineTuneJob) -> str:
    """Say what to run next: a job may have ended already, and not every provider answers."""
    if job.status.value != "succeeded":
        return f"Next: ftproviders watch {job.ref}"
    info = session.client.provider(job.ref.provider)
    if info.hosting is None:
        return f"Next: ftproviders model {job.ref}"
    if info.needs_deployment:
        return f"Next: ftproviders deploy {job.ref} --ttl 2h --wait"
    return f'Next: ftproviders chat {job.ref} "..."'


def _show_ref(out: Output, job: FineTuneJob, *, wait: bool) -> None:
    if not out.json_mode:
        out.line(str(job.ref))
        if job.reused:
            out.note("This submission has that job already; nothing was sent. --again trains anew.")
    elif wait:
        out.note(str(job.ref))  # stdout gets one object, at the end
    else:
        out.document("job", shapes.job(job))


def plan_lines(made: JobPlan) -> list[str]:
    """Return a plan for people, a line each."""
    from ftproviders.cli.watching import duration

    length = made.duration_seconds
    lines = [
        f"provider    {made.provider} (account {made.account})",
        f"model       {made.base_model}",
        f"method      {made.method.value}",
        f"training    {_data(made.training, made.report)}",
    ]
    if made.validation is not None and made.validation_report is not None:
        lines.append(f"validation  {_data(made.validation, made.validation_report)}")
    lines.append(f"trains on   {_trained(made)}")
    lines.append(f"takes       {'unknown' if length is None else 'about ' + duration(length)}")
    lines += [f"setting     {line}" for line in _settings(made)]
    options = made.spec.options.get(made.provider, {})
    further = {name: value for name, value in options.items() if name not in made.resolved}
    lines += [f"option      {name} = {_value(value)}" for name, value in further.items()]
    lines += [f"sent as     {m.name} -> {m.sent_as}" for m in made.mapped]
    lines += [f"ignored     {i.name} = {_value(i.value)}: {i.reason}" for i in made.ignored]
    lines += [f"warning     {warning}" for warning in made.warnings]
    lines += [f"note        {note}" for note in made.notes]
    lines += moved_lines(made)
    lines += [f"cost        {_cost(made.cost)}", f"submission  {made.submission_id}"]
    return lines


def _settings(made: JobPlan) -> Iterator[str]:
    """Yield every setting; those that nobody stated are marked."""
    for name, value in made.resolved.items():
        yield f"{name} = {_value(value)}{' (default)' if name in made.defaults else ''}"


def _trained(made: JobPlan) -> str:
    tokens = made.report.tokens
    about = "" if tokens.exact else "about "
    if made.trained_tokens is None:
        if not tokens.total:
            return "unknown tokens"
        once = tokens.total if tokens.billable is None else tokens.billable
        return f"{about}{once:,} tokens x epochs, which the provider chooses"
    most = "at most " if any(made.resolved.get(name) for name in _ENDS_EARLIER) else ""
    return f"{most}{about}{made.trained_tokens:,} tokens"


_ENDS_EARLIER = ("max_steps", "early_stopping_patience")
"""Settings with which fewer tokens than rows x epochs may be trained on."""


def _value(value: object) -> object:
    """Write a value as it is written on the command line and in a job file."""
    return str(value).lower() if isinstance(value, bool) else value


def _data(data: Dataset, report: ValidationReport) -> str:
    tokens = report.tokens
    about = "" if tokens.exact else "about "
    size = f"{about}{tokens.total:,} tokens" if tokens.total else "unknown tokens"
    return f"{data.path}: {_count(data.rows, 'row')}, {size}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _cost(cost: CostEstimate) -> str:
    if cost.usd is None:
        return f"unknown ({cost.basis})"
    if cost.usd == 0:
        return f"nothing ({cost.basis})"
    read = f"; price of {cost.as_of}" if cost.as_of else ""
    return f"about ${cost.usd:,.2f} ({cost.basis}{read})"
