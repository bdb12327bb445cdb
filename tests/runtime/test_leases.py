"""What may be deleted when time is up - and, one by one, everything that may not."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ftproviders.client import FineTuneClient
from ftproviders.errors import ConfigurationError, FineTuneError, JournalError
from ftproviders.provider.machine import machine_name, owner
from ftproviders.runtime import leases
from ftproviders.schema.deployment import (
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentStatus,
    Lease,
)
from ftproviders.schema.job import ModelSource, TunedModel
from tests.runtime.conftest import World
from tests.runtime.deploying import ME, OTHER, finished, names, plant

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


# --- how long -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1w", timedelta(days=7)),
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(minutes=90)),
        (" 1H 30M ", timedelta(minutes=90)),
        (timedelta(minutes=5), timedelta(minutes=5)),
    ],
)
def test_lengths_of_time_are_read(text: str | timedelta, length: timedelta) -> None:
    assert leases.parse_ttl(text) == length


@pytest.mark.parametrize(
    "text",
    ["", "h", "2", "2 hours", "-1h", "1.5h", "0m", "367d", "999999999w", "1h x", timedelta(0)],
)
def test_anything_else_is_refused_with_the_form(text: str | timedelta) -> None:
    with pytest.raises(ConfigurationError) as refused:
        leases.parse_ttl(text)
    assert "30m, 2h, 1d" in refused.value.hint


# --- who ----------------------------------------------------------------------------------------


def test_owner_is_made_once_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = owner(tmp_path / "home")
    assert machine_name(tmp_path / "home") == first.partition("@")[2]
    assert re.fullmatch(r"[A-Za-z0-9-]+@[A-Za-z0-9-]+-[0-9a-f]{8}", first)
    monkeypatch.setattr("socket.gethostname", lambda: "renamed")
    assert owner(tmp_path / "home") == first
    assert owner(tmp_path / "other") != first
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["owner"]


def test_owner_is_one_although_many_ask_at_once(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(owner(tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("content", ["", "two words\n", "\u00e9@b-1\n"])
def test_damaged_owner_stops_before_anything_is_sent(tmp_path: Path, content: str) -> None:
    (tmp_path / "owner").write_text(content, encoding="utf-8")
    with pytest.raises(JournalError, match="Nothing was sent"):
        owner(tmp_path)


def test_names_that_were_kept_before_hold_on(tmp_path: Path) -> None:
    (tmp_path / "a" / "local").mkdir(parents=True)
    (tmp_path / "a" / "local" / "machine").write_text("host-0badcafe\n")
    assert machine_name(tmp_path / "a") == "host-0badcafe"
    assert owner(tmp_path / "a").endswith("@host-0badcafe")
    (tmp_path / "a" / "owner").write_text("me@other-12345678\n")
    assert owner(tmp_path / "a") == "me@other-12345678"
    assert machine_name(tmp_path / "a") == "host-0badcafe"


# --- the rules ----------------------------------------------------------------------------------


def seen(**changes: Any) -> DeploymentSnapshot:
    """Return a deployment that may be reaped, with one thing changed."""
    lease = Lease(id="bot", owner=ME, expires_at=NOW - timedelta(minutes=5))
    given = changes.pop("lease", {})
    fields: dict[str, Any] = {
        "ref": DeploymentRef(provider="memory", id="bot"),
        "status": DeploymentStatus.READY,
        "raw_status": "ready",
        "model": TunedModel(source=ModelSource.PROVIDER_MODEL, name="m", provider="memory"),
        "lease": None if given is None else lease.model_copy(update=given),
    }
    return DeploymentSnapshot(**{**fields, **changes})


def why(found: DeploymentSnapshot, *, all_owners: bool = False) -> str | None:
    return leases.why_not_reaped(found, me=ME, all_owners=all_owners, now=NOW)


def test_five_minutes_past_its_end_it_may_go() -> None:
    assert why(seen()) is None
    assert why(seen(status=DeploymentStatus.FAILED)) is None
    assert why(seen(lease={"owner": OTHER}), all_owners=True) is None


@pytest.mark.parametrize("all_owners", [False, True])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lease": None}, "does not carry our tag"),
        ({"lease": {"id": "another"}}, "copied"),
        ({"lease": {"expires_at": None}}, "no expiry"),
        ({"lease": {"expires_at": NOW - timedelta(minutes=4, seconds=59)}}, "five minutes"),
        ({"lease": {"expires_at": NOW + timedelta(days=1)}}, "five minutes"),
        ({"status": DeploymentStatus.DELETING}, "being deleted"),
    ],
)
def test_each_of_these_stays(change: dict[str, Any], sentence: str, all_owners: bool) -> None:
    reason = why(seen(**change), all_owners=all_owners)
    assert reason is not None
    assert sentence in reason


def test_others_stay_unless_named() -> None:
    assert why(seen(lease={"owner": OTHER})) == f"it belongs to {OTHER}"
    assert why(seen(lease={"owner": ME + "x"})) == f"it belongs to {ME}x"


# --- reaping at a host --------------------------------------------------------------------------


@pytest.fixture
def crowd(world: World) -> FineTuneClient:
    """One deployment of ours that has expired, among all kinds that must stay."""
    client = world.client()
    job = finished(client, world)
    model = job.model
    assert model is not None
    start = world.clock.now()
    gone = start + timedelta(minutes=30)
    job.deploy(name="expired", ttl="30m")
    job.deploy(name="later", ttl="5h")
    job.deploy(name="endless")
    plant(world, "untagged", model=model.name, owner=None)
    plant(world, "others", model=model.name, owner=OTHER, expires_at=gone)
    me = owner(client.config.home)
    plant(world, "copied", model=model.name, tag="expired", owner=me, expires_at=gone)
    return client


STAY = {"later", "endless", "untagged", "copied"}


def test_only_what_is_ours_and_expired_goes(world: World, crowd: FineTuneClient) -> None:
    world.clock.sleep(30 * 60 + 299)
    assert crowd.reap().deleted == ()
    world.clock.sleep(2)

    report = crowd.reap()

    assert names(report.deleted) == {"expired"}
    assert (report.spared, report.problems) == ((), ())
    assert names(crowd.deployments()) == STAY | {"others"}
    assert crowd.reap().deleted == ()
    assert world.tried("undeploy") == 1


def test_all_owners_widens_and_nothing_else(world: World, crowd: FineTuneClient) -> None:
    world.clock.sleep(3600)
    assert names(crowd.reap(all_owners=True).deleted) == {"expired", "others"}
    assert names(crowd.deployments()) == STAY


def test_without_consent_nothing_goes(world: World, crowd: FineTuneClient) -> None:
    world.clock.sleep(3600)
    shown: list[DeploymentSnapshot] = []

    def refuse(found: Sequence[DeploymentSnapshot]) -> None:
        shown.extend(found)
        raise FineTuneError("no")

    with pytest.raises(FineTuneError, match="no"):
        crowd.reap(agree=refuse)
    assert names(shown) == {"expired"}
    assert world.tried("undeploy") == 0


def test_what_was_extended_meanwhile_is_spared(world: World, crowd: FineTuneClient) -> None:
    world.clock.sleep(3600)

    def extend(_found: Sequence[DeploymentSnapshot]) -> None:
        world.client().deployment("memory:expired").extend("1h")

    report = crowd.reap(agree=extend)

    assert report.deleted == ()
    assert [spared.deployment.ref.id for spared in report.spared] == ["expired"]
    assert "five minutes" in report.spared[0].reason
    assert "expired" in names(crowd.deployments())


def test_what_was_replaced_meanwhile_is_spared(world: World, crowd: FineTuneClient) -> None:
    world.clock.sleep(3600)
    model = crowd.deployments()[0].model.name

    def replace(_found: Sequence[DeploymentSnapshot]) -> None:
        world.server.request("undeploy", {"id": "expired"})
        plant(world, "expired", model=model, owner=None)

    report = crowd.reap(agree=replace)

    assert report.spared[0].reason == "it does not carry our tag"
    assert "expired" in names(crowd.deployments())


def test_what_is_gone_meanwhile_is_no_error(world: World, crowd: FineTuneClient) -> None:
    world.clock.sleep(3600)

    def faster(_found: Sequence[DeploymentSnapshot]) -> None:
        world.server.request("undeploy", {"id": "expired"})

    report = crowd.reap(agree=faster)
    assert report.deleted == ()
    assert report.spared[0].reason == "it is gone already"


def test_one_that_cannot_be_read_again_stays_and_is_told(
    world: World, crowd: FineTuneClient
) -> None:
    world.clock.sleep(3600)
    world.inject("deployment", "unavailable", times=None)
    report = crowd.reap()
    assert report.deleted == ()
    assert "memory:expired" in report.problems[0]
    assert world.tried("undeploy") == 0


def test_host_that_cannot_be_listed_is_told(world: World, crowd: FineTuneClient) -> None:
    world.inject("deployments", "forbidden", times=None)
    report = crowd.reap()
    assert report.problems[0].startswith("memory: ")


def test_the_hosts_own_time_decides(
    world: World, crowd: FineTuneClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = world.clock.now()
    world.clock.sleep(3600)
    host = "ftproviders.testing.memory.hosting.MemoryHosting.now"
    monkeypatch.setattr(host, lambda _self: behind)
    assert crowd.reap().deleted == ()
    monkeypatch.setattr(host, lambda _self: behind + timedelta(minutes=36))
    assert names(crowd.reap().deleted) == {"expired"}
