"""``deployments``: what is deployed everywhere, and clearing up what has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftproviders.cli import shapes
from ftproviders.cli.deploying import age_words, cost_words, expiry, owner, standing
from ftproviders.cli.output import when
from ftproviders.cli.session import Session, verb
from ftproviders.errors import ConfigurationError, FineTuneError

if TYPE_CHECKING:
    from ftproviders.schema.deployment import DeploymentSnapshot, ReapReport

__all__ = ["deployments"]


@verb
def deployments(
    session: Session,
    reap: Annotated[
        bool,
        typer.Option("--reap", help="First delete those of yours whose time ended 5 minutes ago."),
    ] = False,
    all_owners: Annotated[
        bool, typer.Option("--all-owners", help="With --reap: also those that others made.")
    ] = False,
) -> int:
    """List what is deployed, at every host that is set up here.

    --reap deletes deployments that were made with --ttl and whose time has ended; they are listed,
    and on a paid host agreed to, first. Exit 3 when a host could not be asked.
    """
    if all_owners and not reap:
        raise ConfigurationError("--all-owners widens --reap.", hint="Add --reap, or leave it.")
    report = _reaped(session, all_owners=all_owners) if reap else None
    found, problems = _listed(session)
    unsettled = _unsettled(session, found)
    if report is not None:
        # A host that cannot be asked is told once.
        problems = list(dict.fromkeys([*report.problems, *problems]))
    if session.out.json_mode:
        body: dict[str, Any] = {
            "deployments": [_shape(session, seen) for seen in found] + unsettled,
            "problems": problems,
        }
        if report is not None:
            body["reaped"] = [_shape(session, seen) for seen in report.deleted]
            body["spared"] = [
                {"ref": str(one.deployment.ref), "reason": one.reason} for one in report.spared
            ]
        session.out.document("deployments", body)
    else:
        if found or unsettled or not problems:  # a host that was not asked may have some
            _table(session, found, unsettled)
        for problem in problems:
            session.out.complain(problem)
    return 3 if problems else 0


def _shape(session: Session, seen: DeploymentSnapshot) -> dict[str, Any]:
    found = session.client.deployment(seen.ref)
    return shapes.deployment(seen, account=found.account, cost=found.cost(seen))


def _listed(session: Session) -> tuple[list[DeploymentSnapshot], list[str]]:
    from ftproviders.provider import HostingFeature

    found: list[DeploymentSnapshot] = []
    problems: list[str] = []
    for info in session.client.providers():
        if HostingFeature.DEPLOYMENTS not in info.hosting_features:
            continue
        try:
            found += session.client.deployments(info.name)
        except ConfigurationError as error:
            session.out.note(f"{info.name}: not set up: {error.message}")
        except FineTuneError as error:
            problems.append(f"{info.name}: {error}")
    return found, problems


def _unsettled(session: Session, found: Sequence[DeploymentSnapshot]) -> list[dict[str, Any]]:
    """Return what was asked for from here and may be there, although no host has listed it."""
    there = {(seen.ref.provider, seen.ref.id) for seen in found}
    return [
        shapes.deployment_record(row)
        for row in session.client.deployment_records()
        if row.maybe_sent and (row.provider, row.name) not in there
    ]


def _table(
    session: Session, found: Sequence[DeploymentSnapshot], unsettled: Sequence[dict[str, Any]]
) -> None:
    if not found and not unsettled:
        session.out.note("Nothing is deployed. Next: ftproviders deploy REF")
        return
    rows = [_row(session, seen) for seen in found]
    rows += [
        (row["ref"], "unknown: run the same deploy again", row["model"], "", "", "", "", "")
        for row in unsettled
    ]
    columns = ("ref", "status", "model", "age", "expires", "costs", "owner", "url")
    session.out.table(columns, rows)


def _row(session: Session, seen: DeploymentSnapshot) -> tuple[str, ...]:
    cost = session.client.deployment(seen.ref).cost(seen)
    end = expiry(seen)
    if seen.removed_at is not None:
        end += f"; by the host {when(seen.removed_at)}"
    return (
        str(seen.ref),
        standing(seen),
        seen.model.name,
        age_words(cost),
        end,
        cost_words(cost),
        owner(seen),
        seen.url or "",
    )


def _reaped(session: Session, *, all_owners: bool) -> ReapReport:
    def agree(expired: Sequence[DeploymentSnapshot]) -> None:
        paid = [seen for seen in expired if session.client.deployment(seen.ref).needs_consent()]
        if not paid:
            return
        from ftproviders.cli.consent import ask

        ask(
            session,
            what=f"This deletes {len(expired)} deployment(s) whose time has ended.",
            facts=[
                f"{seen.ref}  {seen.model.name}  ended {expiry(seen)}  {owner(seen)}"
                for seen in expired
            ],
            verb="deployments --reap",
            provider=paid[0].ref.provider,
        )

    report = session.client.reap(all_owners=all_owners, agree=agree)
    if not session.out.json_mode:
        for seen in report.deleted:
            session.out.line(f"reaped {seen.ref}, which ended {expiry(seen)}")
        for one in report.spared:
            session.out.line(f"left {one.deployment.ref}: {one.reason}")
        if not (report.deleted or report.spared or report.problems):
            whose = "" if all_owners else " of yours"
            session.out.note(f"No deployment{whose} has ended.")
    return report
