"""Reaping at Azure: of fifty planted deployments exactly the right ones go, from any machine.

Who may reap what does not follow from a journal, but from the tags alone, by the service's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from ftproviders.client import FineTuneClient
from ftproviders.errors import ConfigurationError
from ftproviders.provider.machine import owner
from ftproviders.schema.deployment import DeploymentSnapshot
from ftproviders.testing.clock import FakeClock
from tests.contract.azure_hosting_world import MODEL, TUNED, AzureWorld

OTHER = "somebody@elsewhere-1234abcd"
EACH = 5


class SkewedClock(FakeClock):
    """A machine's clock that is wrong by a day; waiting moves the world's."""

    def __init__(self, world: AzureWorld, days: float) -> None:
        super().__init__()
        self._world = world
        self._off = timedelta(days=days)

    @override
    def now(self) -> datetime:
        return self._world.clock.now() + self._off

    @override
    def monotonic(self) -> float:
        return self._world.clock.monotonic()

    @override
    def sleep(self, seconds: float) -> None:
        self._world.clock.sleep(seconds)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AzureWorld]:
    world = AzureWorld(tmp_path, deployments_limit=100, quota=100_000)
    world.clock.sleep(10 * 86_400)
    yield world
    world.close()


def tags(name: str, who: str, ends: str | None) -> dict[str, str]:
    """Return the tags that a lease is written as."""
    made = {"ftproviders-id": f"emulated/{name}", "ftproviders-owner": who}
    return made if ends is None else {**made, "ftproviders-expires-at": ends}


def plant(world: AzureWorld, me: str) -> tuple[set[str], set[str]]:
    """Plant fifty deployments; return the names that may go, and those that --all-owners adds."""
    ended, alive = world.past(minutes=6), world.past(hours=-1)
    kinds: Mapping[str, object] = {
        # mine, over by more than five minutes: these go
        "ended": lambda name: tags(name, me, ended),
        "ended-long-ago": lambda name: tags(name, me, world.past(days=9)),
        "ended-in-another-zone": lambda name: tags(
            name, me, ended.replace("Z", "+00:00").replace(" ", "T")
        ),
        # and these do not
        "alive": lambda name: tags(name, me, alive),
        "ended-just-now": lambda name: tags(name, me, world.past(minutes=4, seconds=50)),
        "without-end": lambda name: tags(name, me, None),
        "unreadable-end": lambda name: tags(name, me, "next Tuesday"),
        "others": lambda name: tags(name, OTHER, ended),
        "foreign-with-our-name": lambda _name: {"env": "production"},
        "copied": lambda name: tags(f"ended-0-of-{name}", me, ended),
    }
    for kind, make in kinds.items():
        for number in range(EACH):
            name = f"{kind}-{number}"
            world.resource.add(name, model=TUNED, tags=make(name))
    # A tag that was copied from a deployment of the same name in another resource.
    for number in (0, 1):
        name = f"copied-{number}"
        copied = {**tags(name, me, ended), "ftproviders-id": f"other-resource/{name}"}
        world.resource.change(name, tags=copied)
    mine = {f"{kind}-{n}" for kind in list(kinds)[:3] for n in range(EACH)}
    return mine, {f"others-{n}" for n in range(EACH)}


def reaped(client: FineTuneClient, **given: object) -> set[str]:
    report = client.reap(provider="azure-openai", **given)
    assert report.problems == ()
    return {seen.ref.id for seen in report.deleted}


def second_machine(world: AzureWorld, me: str, **changes: object) -> FineTuneClient:
    """Return a client with an empty journal whose user is the same."""
    home = world.folder / "second"
    home.mkdir(exist_ok=True)
    (home / "owner").write_text(f"{me}\n", encoding="utf-8")
    return world.client("second", **changes)


@pytest.mark.parametrize("where", ["here", "second machine", "clock a day ahead", "a day behind"])
def test_of_fifty_exactly_the_right_ones_go(world: AzureWorld, where: str) -> None:
    me = owner(world.folder / "here")
    mine, _ = plant(world, me)
    assert len(world.names()) == 50
    if where == "here":
        client = world.client()
    else:
        days = {"clock a day ahead": 1.0, "a day behind": -1.0}.get(where)
        clock = None if days is None else SkewedClock(world, days)
        client = second_machine(world, me, clock=clock)
    before = world.names()
    assert reaped(client) == mine
    assert world.names() == before - mine
    assert world.sent("Deployments_Delete") == len(mine) == 15
    world.clock.sleep(5)  # some are still being deleted
    assert reaped(client) == set()
    world.clock.sleep(30)
    assert reaped(client) == {f"ended-just-now-{number}" for number in range(EACH)}


def test_all_owners_adds_what_others_made_and_nothing_else(world: AzureWorld) -> None:
    me = owner(world.folder / "here")
    mine, others = plant(world, me)
    before = world.names()
    assert reaped(world.client(), all_owners=True) == mine | others
    assert world.names() == before - mine - others


def test_extended_between_listing_and_deleting_stays(world: AzureWorld) -> None:
    me = owner(world.folder / "here")
    mine, _ = plant(world, me)
    lucky = {"ended-0", "ended-3", "ended-long-ago-2"}

    def agree(expired: object) -> None:
        for name in lucky:
            world.resource.change(name, tags=tags(name, me, world.past(hours=-2)))
        # Another was deleted by somebody, and its name given to a deployment of theirs.
        world.resource.add("ended-4", model="somebody-elses", tags={"env": "production"})

    report = world.client().reap(provider="azure-openai", agree=agree)
    assert {seen.ref.id for seen in report.deleted} == mine - lucky - {"ended-4"}
    reasons = {one.deployment.ref.id: one.reason for one in report.spared}
    assert set(reasons) == lucky | {"ended-4"}
    assert "has not ended" in reasons["ended-0"]
    assert "does not carry our tag" in reasons["ended-4"]
    assert lucky | {"ended-4"} <= world.names()


def test_end_is_reckoned_by_the_services_clock(world: AzureWorld) -> None:
    """A lease of an hour, made and reaped on machines whose clocks are a day apart."""
    ahead = world.client(clock=SkewedClock(world, 1.0))
    made = ahead.deploy(MODEL, name="bot", ttl="1h")
    assert made.snapshot.lease is not None
    assert made.snapshot.lease.expires_at == world.clock.now() + timedelta(hours=1)
    me = made.snapshot.lease.owner
    behind = second_machine(world, me, clock=SkewedClock(world, -1.0))
    for minutes, gone in ((59, set()), (5, set()), (2, {"bot"})):
        world.clock.sleep(minutes * 60)
        assert reaped(ahead) == set() or gone
        assert reaped(behind) | ({"bot"} if gone else set()) == gone
    world.clock.sleep(60)
    assert world.names() == set()


def test_date_of_the_service_that_is_wrong_is_still_the_one_that_counts(
    world: AzureWorld,
) -> None:
    me = owner(world.folder / "here")
    world.resource.add("bot", model=TUNED, tags=tags("bot", me, world.past(hours=-1)))
    world.inject("Accounts_Get", "clock_skew", seconds=-86_400, times=None)
    assert reaped(world.client()) == set()
    world.arm.faults.clear()
    world.clock.sleep(3600 + 301)
    assert reaped(world.client()) == {"bot"}


def test_stopped_when_nobody_agrees(world: AzureWorld) -> None:
    me = owner(world.folder / "here")
    plant(world, me)

    def refuse(expired: object) -> None:
        raise ConfigurationError("no", hint="no")

    with pytest.raises(ConfigurationError):
        world.client().reap(provider="azure-openai", agree=refuse)
    assert world.sent("Deployments_Delete") == 0


def test_one_that_cannot_be_deleted_does_not_keep_the_others(world: AzureWorld) -> None:
    me = owner(world.folder / "here")
    mine, _ = plant(world, me)
    world.inject("Deployments_Delete", "forbidden")
    report = world.client().reap(provider="azure-openai")
    assert len(report.deleted) == len(mine) - 1
    assert len(report.problems) == 1
    assert "Foundry Owner" in report.problems[0]


def test_list_that_stops_in_the_middle_deletes_nothing(world: AzureWorld) -> None:
    me = owner(world.folder / "here")
    plant(world, me)
    world.inject("Deployments_List", "forbidden", nth=3, times=None)
    report = world.client().reap(provider="azure-openai")
    assert report.deleted == ()
    assert len(report.problems) == 1
    assert world.sent("Deployments_Delete") == 0


def test_dropped_tags_are_never_a_reason_to_delete(world: AzureWorld) -> None:
    me = owner(world.folder / "here")
    plant(world, me)
    world.inject("Deployments_List", "drop_metadata", times=None)
    assert reaped(world.client()) == set()
    world.arm.faults.clear()
    world.inject("Deployments_Get", "drop_metadata", times=None)
    report = world.client().reap(provider="azure-openai")
    assert report.deleted == ()
    assert {one.reason for one in report.spared} == {"it does not carry our tag"}
    assert len(world.names()) == 50


def test_undeploy_and_extend_touch_nothing_without_our_tag(world: AzureWorld) -> None:
    me = owner(world.folder / "here")
    plant(world, me)
    client = world.client()
    from ftproviders.errors import DeploymentError

    for name in ("foreign-with-our-name-0", "copied-0", "copied-3"):
        deployment = client.deployment(f"azure-openai:{name}")
        with pytest.raises(DeploymentError, match="left as it is"):
            deployment.undeploy()
        with pytest.raises(DeploymentError, match="left as it is"):
            deployment.extend("1h")
    assert world.sent("Deployments_Delete") == world.sent("Deployments_Update") == 0


def test_listing_shows_every_one_of_fifty_once(world: AzureWorld) -> None:
    plant(world, "me")
    found: list[DeploymentSnapshot] = list(world.client().deployments("azure-openai"))
    assert len(found) == len({seen.ref for seen in found}) == 50
    assert world.sent("Deployments_List") == 8
