"""``deploy``, ``undeploy``, ``extend``: a model that answers, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftproviders.cli import shapes
from ftproviders.cli.failures import Interrupted, WaitLeftError
from ftproviders.cli.flags import DeploymentName, Ref, Ttl
from ftproviders.cli.output import when
from ftproviders.cli.session import Session, verb
from ftproviders.cli.streams import ReaderGoneError
from ftproviders.errors import ConfigurationError, FineTuneError, NotFoundError

if TYPE_CHECKING:
    from ftproviders.client import Deployment
    from ftproviders.runtime.deploy import Proposal
    from ftproviders.schema.deployment import DeploymentCost, DeploymentSnapshot

__all__ = [
    "age_words",
    "cost_words",
    "deploy",
    "expiry",
    "extend",
    "owner",
    "standing",
    "undeploy",
]

_SAME_AGAIN = (
    "Run the same command again: it finds the deployment if there is one. `ftproviders "
    "deployments` tells, too."
)


@verb
def deploy(
    session: Session,
    ref: Ref,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider", metavar="NAME", help="Where to deploy; default: where it was tuned."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name at the host; default: one that follows from the job."),
    ] = None,
    ttl: Ttl = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", metavar="ID", help="Deploy a checkpoint; `checkpoints` lists them."
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("-o", metavar="KEY=VALUE", help="What the host alone has (repeatable)."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it answers.")] = False,
) -> int:
    """Deploy a job's tuned model, exactly once.

    The same command again returns the same deployment. One that costs money is shown and agreed to
    first; --yes agrees on the command line.
    """
    job = session.client.job(ref)
    options = _options(option or ())
    with _stopped_while_deploying(wait=wait):
        made = job.deploy(
            provider=provider,
            name=name,
            ttl=ttl,
            checkpoint=checkpoint,
            options=options,
            agree=lambda proposal: _agreed(session, proposal),
            on_progress=session.out.note,
        )
    if not made.created:
        session.out.note(_reused(made.snapshot, ttl=ttl))
    if wait:
        session.out.note(f"{made.ref} is made; waiting until it answers")
        with _left_alone(made):
            made.wait_ready(on_update=lambda seen: session.out.note(_progress(seen)))
    _show(session, made)
    return 0


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    import json

    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise ConfigurationError(
                "An option of -o has no value.", operation="deploy", hint="Write -o key=value."
            )
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        # Lists and objects stay text: a host's options are plain values.
        found[key] = value if isinstance(value, bool | int | float) else text
    return found


def _agreed(session: Session, proposal: Proposal) -> None:
    if proposal.free:
        return
    from ftproviders.cli.consent import ask

    lease = proposal.spec.lease
    end = "never: it costs until it is undeployed"
    if lease is not None and lease.expires_at is not None:
        end = f"{when(lease.expires_at)}, then `ftproviders deployments --reap` deletes it"
    options = proposal.spec.options
    ask(
        session,
        what=f"This deploys {proposal.model.name} on {proposal.provider}, which may cost money for "
        "as long as it is there.",
        facts=[
            f"name     {proposal.spec.name}",
            *(f"         {fact}" for fact in proposal.terms.facts),
            f"price    {_price(proposal)}",
            f"expires  {end}",
            *(f"option   {key} = {value}" for key, value in options.items()),
        ],
        verb="deploy",
        provider=proposal.provider,
    )


def _price(proposal: Proposal) -> str:
    price = proposal.price
    if price is None:
        return "unknown"
    month = price.usd_per_hour * 24 * 30
    return (
        f"{price.usd_per_hour:g} USD an hour, used or not; {month:,.0f} USD in 30 days "
        f"({price.as_of.isoformat()}, {price.source})"
    )


def _reused(seen: DeploymentSnapshot, *, ttl: str | None) -> str:
    text = "That deployment was there already; nothing was sent."
    if ttl is not None:
        text += f" Its end stays as it is; ftproviders extend {seen.ref} --ttl {ttl} changes it."
    return text


def _progress(seen: DeploymentSnapshot) -> str:
    doing = f": {seen.doing}" if seen.doing else ""
    return f"{seen.ref}  {standing(seen)}{doing}"


@contextmanager
def _stopped_while_deploying(*, wait: bool) -> Iterator[None]:
    """Say of a stop in the middle that the deployment may have been made."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Stopped while deploying; the deployment may have been made.",
            operation="deploy",
            hint=_SAME_AGAIN,
        ) from error
    except ReaderGoneError as error:
        if not wait:
            raise
        raise WaitLeftError(
            "Stopped while deploying, because the reader of the output has gone away; the "
            "deployment may have been made.",
            operation="deploy",
            hint=_SAME_AGAIN,
        ) from error


@contextmanager
def _left_alone(made: Deployment) -> Iterator[None]:
    """Turn Ctrl-C, and a reader that goes away, into a sentence; the deployment is not touched."""
    hint = f"Look with: ftproviders deployments - end it with: ftproviders undeploy {made.ref}"
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"Stopped waiting. The deployment {made.ref} goes on.",
            ref=made.ref,
            provider=made.ref.provider,
            operation="deploy",
            hint=hint,
        ) from error
    except ReaderGoneError as error:
        raise WaitLeftError(
            f"Stopped waiting, because the reader of the output has gone away. The deployment "
            f"{made.ref} goes on.",
            ref=made.ref,
            provider=made.ref.provider,
            operation="deploy",
            hint=hint,
        ) from error


def _show(session: Session, made: Deployment) -> None:
    seen = made.snapshot
    if session.out.json_mode:
        session.out.document("deployment", _shape(made))
        return
    lines = [
        ("ref", str(seen.ref)),
        ("status", standing(seen)),
        ("url", seen.url or ""),
        ("model name", seen.model_name or ""),
        ("key file", seen.key_file or ""),
        ("serves", seen.model.name),
        ("expires", expiry(seen)),
        ("removed", f"{when(seen.removed_at)}, by the host" if seen.removed_at else ""),
        ("costs", cost_words(made.cost())),
        ("owner", seen.lease.owner if seen.lease else ""),
        ("log", seen.log or ""),
        ("error", seen.error.message if seen.error else ""),
    ]
    session.out.pairs([(label, value) for label, value in lines if value])
    if seen.status.value in ("ready", "idle"):
        session.out.note(f'Next: ftproviders chat {seen.ref} "..."')
    else:
        session.out.note("It does not answer yet: the same deploy command with --wait stays.")
    session.out.note(f"When it is not needed any more: ftproviders undeploy {seen.ref}")


def _shape(made: Deployment) -> dict[str, Any]:
    return shapes.deployment(
        made.snapshot, account=made.account, cost=made.cost(), reused=not made.created
    )


def standing(seen: DeploymentSnapshot) -> str:
    """Say how a deployment stands, with the host's own word where that is another."""
    raw = "" if seen.raw_status in ("", seen.status.value) else f" ({seen.raw_status})"
    return seen.status.value + raw


def cost_words(cost: DeploymentCost) -> str:
    """Say what a deployment costs for being there; nothing where it is free."""
    if cost.usd_per_hour is None:
        return "unknown"
    if cost.usd_per_hour == 0:
        return ""
    spent = "" if cost.usd_so_far is None else f", {cost.usd_so_far:,.2f} USD so far"
    return f"{cost.usd_per_hour:g} USD/h{spent}"


def age_words(cost: DeploymentCost) -> str:
    """Say how old a deployment is, in its two largest units."""
    if cost.age_seconds is None:
        return ""
    minutes = int(cost.age_seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days}d{hours}h"
    return f"{hours}h{minutes % 60}m" if hours else f"{minutes}m"


def expiry(seen: DeploymentSnapshot) -> str:
    """Say when a deployment's time ends."""
    if seen.lease is None or seen.lease.expires_at is None:
        return "never"
    return when(seen.lease.expires_at)


def owner(seen: DeploymentSnapshot) -> str:
    """Say who made a deployment; nothing when it carries no tag."""
    return seen.lease.owner if seen.lease else ""


@verb
def undeploy(session: Session, ref: DeploymentName) -> int:
    """Delete a deployment that ftproviders made. On a paid host this is agreed to first."""
    with _told_if_job(session, ref):
        found = session.client.deployment(ref)
        gone = _undeployed(session, found)
    if session.out.json_mode:
        body = shapes.deployment(gone, account=found.account, cost=found.cost(gone)) | {
            "status": "deleting",
            "deleted": True,
        }
        session.out.document("deployment", body)
    else:
        session.out.line(f"undeployed {gone.ref}")
    return 0


@contextmanager
def _told_if_job(session: Session, ref: str) -> Iterator[None]:
    """Say of what is no deployment that it is a job, when it is one."""
    try:
        yield
    except (NotFoundError, ConfigurationError) as error:
        try:
            job = session.client.job(ref)
            job.refresh()
        except FineTuneError:
            raise error from None
        error.hint = f"{job.ref} is a job. `ftproviders deployments` lists deployments."
        raise


def _undeployed(session: Session, found: Deployment) -> DeploymentSnapshot:
    if found.needs_consent():
        from ftproviders.cli.consent import ask

        seen = found.refresh()
        ask(
            session,
            what=f"This deletes deployment {seen.ref}, which is {seen.status.value}.",
            facts=[f"serves  {seen.model.name}", f"owner   {owner(seen) or 'unknown'}"],
            verb="undeploy",
            provider=seen.ref.provider,
        )
    return found.undeploy()


@verb
def extend(
    session: Session,
    ref: DeploymentName,
    ttl: Annotated[
        str,
        typer.Option("--ttl", metavar="TIME", help="How long from now: 30m, 2h, 1d."),
    ],
) -> int:
    """Let a deployment live longer, counted from now. On a paid host this is agreed to first."""
    found = session.client.deployment(ref)
    if found.needs_consent():
        from ftproviders.cli.consent import ask

        seen = found.refresh()
        ask(
            session,
            what=f"This lets deployment {seen.ref} live for {ttl} from now, which may cost money.",
            facts=[f"serves   {seen.model.name}", f"expires  {expiry(seen)}"],
            verb="extend",
            provider=seen.ref.provider,
        )
    found.extend(ttl)
    _show(session, found)
    return 0
