"""Deployments: made once, never a foreign one touched, and what a lost answer leaves behind."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ftproviders.client import FineTuneClient
from ftproviders.errors import (
    ConfigurationError,
    ConflictError,
    DeploymentError,
    DeploymentFailedError,
    DeploymentTimeoutError,
    FineTuneError,
    JobError,
    JournalError,
    NotFoundError,
    OutcomeUnknownError,
    QuotaExceededError,
)
from ftproviders.journal import Journal
from ftproviders.journal.schema import MIGRATIONS
from ftproviders.provider import ProviderInfo
from ftproviders.runtime import hosts
from ftproviders.runtime.deploy import Proposal
from ftproviders.schema.deployment import DeploymentRef, DeploymentState, DeploymentStatus
from ftproviders.schema.job import ModelSource, TunedModel
from ftproviders.testing.memory import PROVIDER, wire
from ftproviders.testing.memory.faults import InjectedCrash
from tests.runtime.conftest import SETTLE_SECONDS, World
from tests.runtime.deploying import OTHER, finished, names, plant


def test_deployed_model_answers_and_goes(world: World) -> None:
    client = world.client()
    job = finished(client, world)

    deployment = job.deploy()
    assert deployment.created
    assert deployment.status is DeploymentStatus.CREATING
    assert deployment.wait_ready().status is DeploymentStatus.READY
    assert deployment.chat("my kettle leaks").text == "answer to my kettle leaks"
    assert deployment.endpoint.model == job.model.name
    assert deployment.undeploy().ref == deployment.ref

    assert client.deployments("memory") == []
    with pytest.raises(NotFoundError):
        deployment.refresh()
    assert client.deployment_records()[0].state is DeploymentState.DELETED


def test_running_it_twice_returns_the_same_deployment(world: World) -> None:
    client = world.client()
    first = finished(client, world).deploy(ttl="1h")
    again = client.job(str(client.jobs()[0].ref)).deploy(ttl="1h")

    assert again.ref == first.ref
    assert (first.created, again.created) == (True, False)
    assert world.sent("deploy") == 1


def test_a_second_run_leaves_the_lease_as_it_is(world: World) -> None:
    job = finished(world.client(), world)
    end = job.deploy(ttl="1h").snapshot.lease
    world.clock.sleep(600)

    assert job.deploy(ttl="5h").refresh().lease == end


def test_default_name_follows_from_job_and_checkpoint(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    point = job.checkpoints()[0]

    whole, part = job.deploy(), job.deploy(checkpoint=point.id)

    assert whole.ref.id.startswith("dp")
    assert len(whole.ref.id) == 26
    assert part.ref != whole.ref
    assert part.snapshot.model.name == point.model.name
    model = job.model
    assert model is not None
    # Frozen: another name would be another deployment, and cost twice.
    assert hosts.default_name(model, job=job.ref) == whole.ref.id == "dprcazjk7auwmrauwnk3ihwufb"


def test_two_machines_know_the_same_default_name(world: World) -> None:
    one = finished(world.client(), world)
    other = world.client(home="elsewhere").job(one.ref)
    made = one.deploy()

    with pytest.raises(ConflictError, match="belongs to") as refused:
        other.deploy()

    assert refused.value.ref == made.ref
    assert world.sent("deploy") == 1
    assert other.deploy(name="mine").created


def test_unknown_checkpoint_names_those_that_are_there(world: World) -> None:
    job = finished(world.client(), world)
    with pytest.raises(ConfigurationError, match="no checkpoint 'step-x'") as refused:
        job.deploy(checkpoint="step-x")
    assert job.checkpoints()[0].id in refused.value.hint
    assert world.tried("deploy") == 0


def test_job_without_a_model_is_not_deployed(world: World) -> None:
    job = world.client().submit(world.spec(options={"memory": {"walk": ["running", "failed"]}}))
    with pytest.raises(JobError, match="has no model"):
        job.deploy()


# --- hosts --------------------------------------------------------------------------------------


def test_host_that_does_not_take_the_model_is_refused_with_those_that_do(world: World) -> None:
    model = TunedModel(source=ModelSource.PROVIDER_MODEL, name="m", provider="memory")
    with pytest.raises(ConfigurationError, match="makes no deployments") as refused:
        world.client().deploy(model, provider="openai")
    assert "memory" in refused.value.hint
    foreign = model.model_copy(update={"provider": "openai"})
    with pytest.raises(ConfigurationError, match="of openai, so m cannot be deployed there"):
        world.client().deploy(foreign, provider="memory")


def test_name_that_cannot_be_is_refused_before_anything_is_said(world: World) -> None:
    model = TunedModel(source=ModelSource.LOCAL_PATH, name=str(world.folder), provider="local")
    said: list[str] = []
    with pytest.raises(ConfigurationError, match="cannot be the name of a deployment"):
        world.client().deploy(model, provider="local", name="a b!", on_progress=said.append)
    assert said == []


def test_a_providers_own_model_is_accepted_by_itself_alone() -> None:
    def taken(info: ProviderInfo, source: ModelSource, provider: str) -> bool:
        return hosts.accepts(info, TunedModel(source=source, name="m", provider=provider))

    assert taken(PROVIDER, ModelSource.PROVIDER_MODEL, "memory")
    assert not taken(PROVIDER, ModelSource.PROVIDER_MODEL, "openai")
    assert not taken(PROVIDER, ModelSource.HUB, "memory")


# --- what has the name already ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "owner", "sentence"),
    [
        (None, OTHER, f"belongs to {OTHER}"),
        (None, None, "no tag of ours"),
        ("another-name", "me", "copied"),
    ],
)
def test_foreign_name_is_a_conflict_and_stays(
    world: World, tag: str | None, owner: str | None, sentence: str
) -> None:
    client = world.client()
    job = finished(client, world)
    me = owner_here(client, world) if owner == "me" else owner
    plant(world, "taken", model=job.model.name, tag=tag, owner=me)
    before = client.deployment("memory:taken").snapshot

    with pytest.raises(ConflictError, match=sentence) as refused:
        job.deploy(name="taken")

    assert "--name" in refused.value.hint
    assert client.deployment("memory:taken").refresh().lease == before.lease
    assert job.model.name not in [seen.model.name for seen in client.deployments()[1:]]


def owner_here(client: FineTuneClient, world: World) -> str:
    with finished(client, world).deploy(name="to-see-who-we-are") as mine:
        assert mine.snapshot.lease is not None
        return mine.snapshot.lease.owner


def test_name_of_ours_that_serves_another_model_is_a_conflict(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    first = job.deploy(name="bot")
    point = job.checkpoints()[0]

    with pytest.raises(ConflictError, match=f"serves {first.snapshot.model.name}, not"):
        job.deploy(name="bot", checkpoint=point.id)


def test_other_options_are_refused(world: World) -> None:
    job = finished(world.client(), world)
    job.deploy(name="bot", options={"size": 1})
    with pytest.raises(ConfigurationError, match="other options"):
        job.deploy(name="bot", options={"size": 2})
    assert not job.deploy(name="bot", options={"size": 1}).created


def test_failed_one_of_ours_says_what_to_do(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    made = job.deploy(name="bot")
    world.server.set_deployment_walk("bot", "failed")

    with pytest.raises(DeploymentFailedError, match="memory:bot failed") as told:
        job.deploy(name="bot")
    assert f"ftproviders undeploy {made.ref}" in told.value.hint
    with pytest.raises(DeploymentFailedError):
        made.wait_ready()

    made.undeploy()
    assert job.deploy(name="bot").created


def test_ended_lease_of_ours_frees_the_name_and_that_of_others_does_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a host says it that ends leases itself.
    monkeypatch.setitem(wire.DEPLOYMENT_STATUS, "expired", DeploymentStatus.FAILED)
    job = finished(world.client(), world)
    point = job.checkpoints()[0]
    job.deploy(name="bot", ttl="1h")
    world.server.set_deployment_walk("bot", "expired")
    said: list[str] = []

    again = job.deploy(name="bot", ttl="2h", checkpoint=point.id, on_progress=said.append)

    assert again.created
    assert again.refresh().model.name == point.model.name
    assert "lease of memory:bot has ended" in said[0]
    assert (world.sent("deploy"), world.sent("undeploy")) == (2, 1)

    plant(world, "theirs", model=job.model.name)
    world.server.set_deployment_walk("theirs", "expired")
    with pytest.raises(ConflictError, match=f"belongs to {OTHER}"):
        job.deploy(name="theirs")
    assert world.sent("undeploy") == 1


def test_deleted_elsewhere_is_made_again(world: World) -> None:
    job = finished(world.client(), world)
    first = job.deploy()
    world.server.request("undeploy", {"id": first.ref.id})

    assert job.deploy().created
    assert world.sent("deploy") == 2


# --- lost answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset", "timeout", "truncated", "server_error"])
def test_lost_answer_is_found_by_name_and_not_sent_again(world: World, kind: str) -> None:
    client = world.client()
    job = finished(client, world)
    world.inject("deploy", kind, when="after")

    deployment = job.deploy()

    assert deployment.created
    assert world.tried("deploy") == 1
    assert names(client.deployments()) == {deployment.ref.id}
    assert client.deployment_records()[0].state is DeploymentState.CREATED


def test_lost_request_is_not_sent_again_by_itself(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    world.inject("deploy", "reset", when="before")
    began = world.clock.monotonic()

    with pytest.raises(OutcomeUnknownError, match="not sent again") as unknown:
        job.deploy()

    assert world.clock.monotonic() - began >= SETTLE_SECONDS
    assert world.tried("deploy") == 1
    assert "ftproviders deployments" in unknown.value.hint
    assert client.deployment_records()[0].state is DeploymentState.UNKNOWN
    # The user was told and asks again: now it is sent once more.
    assert job.deploy().created
    assert world.tried("deploy") == 2


def test_unknown_one_that_appears_is_adopted(world: World) -> None:
    job = finished(world.client(), world)
    world.inject("deploy", "reset", when="after")
    world.inject("deployment", "unavailable", nth=2, times=None)
    with pytest.raises(OutcomeUnknownError):
        job.deploy()
    world.server.clear_faults()

    assert not job.deploy().created
    assert world.tried("deploy") == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_process_that_died_while_sending_leaves_one_deployment(world: World, when: str) -> None:
    job = finished(world.client(), world)
    world.inject("deploy", "crash", when=when)
    with pytest.raises(InjectedCrash):
        job.deploy()
    anew = world.client().job(job.ref)

    if when == "after":
        assert not anew.deploy().created
        assert world.tried("deploy") == 1
        return
    with pytest.raises(OutcomeUnknownError):
        anew.deploy()
    assert anew.deploy().created
    assert world.sent("deploy") == 1


def test_foreign_one_that_took_the_name_meanwhile_is_not_adopted(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    world.inject("deploy", "reset", when="before")

    def somebody_is_faster(words: str) -> None:
        if "answer was lost" in words:
            plant(world, "bot", model=job.model.name)

    with pytest.raises(ConflictError, match=f"belongs to {OTHER}"):
        job.deploy(name="bot", on_progress=somebody_is_faster)
    assert client.deployment("memory:bot").snapshot.lease.owner == OTHER
    assert client.deployment_records()[0].state is DeploymentState.REFUSED


def test_many_at_once_make_one(world: World) -> None:
    job = finished(world.client(), world)
    clients = [world.client() for _ in range(4)]
    start = threading.Barrier(len(clients))

    def deploy(client: FineTuneClient) -> bool:
        start.wait()
        return client.job(job.ref).deploy().created

    with ThreadPoolExecutor(len(clients)) as pool:
        made = list(pool.map(deploy, clients))
    assert sorted(made) == [False, False, False, True]
    assert world.tried("deploy") == 1


def test_doctor_tells_of_an_unknown_outcome(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    world.inject("deploy", "reset", when="before")
    with pytest.raises(OutcomeUnknownError):
        job.deploy()
    found = {result.name: result for result in client.doctor()}["journal"]
    assert not found.ok
    assert "1 deployment(s)" in found.detail


def test_refusal_is_told_and_may_be_sent_again(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    world.inject("deploy", "quota")
    with pytest.raises(QuotaExceededError):
        job.deploy()
    assert client.deployment_records()[0].state is DeploymentState.REFUSED
    assert job.deploy().created


def test_rate_limit_was_not_carried_out_and_is_tried_again(world: World) -> None:
    job = finished(world.client(), world)
    world.inject("deploy", "rate_limit", times=2, seconds=3)
    assert job.deploy().created
    assert world.sent("deploy") == 1


def test_nothing_is_sent_when_the_journal_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = world.client()
    job = finished(client, world)

    def full(*_arguments: object, **_more: object) -> None:
        raise JournalError("the disk is full")

    monkeypatch.setattr("ftproviders.journal.deployments.DeploymentRows.sending", full)
    with pytest.raises(JournalError):
        job.deploy()
    assert world.tried("deploy") == 0


def test_agree_is_asked_before_anything_is_sent_and_only_then(world: World) -> None:
    job = finished(world.client(), world)
    asked: list[Proposal] = []

    def refuse(proposal: Proposal) -> None:
        asked.append(proposal)
        raise FineTuneError("no")

    with pytest.raises(FineTuneError, match="no"):
        job.deploy(ttl="1h", agree=refuse)
    assert world.tried("deploy") == 0
    assert asked[0].model == job.model
    job.deploy(ttl="1h")
    assert not job.deploy(ttl="1h", agree=refuse).created


# --- waiting, extending, undeploying ------------------------------------------------------------


def test_wait_ends_in_time_and_leaves_it_alone(world: World) -> None:
    client = world.client()
    deployment = finished(client, world).deploy(name="slow")
    world.server.set_deployment_walk("slow", "creating")
    with pytest.raises(DeploymentTimeoutError, match="not ready within 30 seconds") as told:
        deployment.wait_ready(timeout_seconds=30)
    assert told.value.snapshot.status is DeploymentStatus.CREATING
    assert names(client.deployments()) == {"slow"}


def test_context_manager_deletes_what_it_made(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    with job.deploy() as deployment:
        assert deployment.status is DeploymentStatus.READY
        assert deployment.chat("hello").text == "answer to hello"
    assert client.deployments() == []


def test_context_manager_leaves_what_was_there_before(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    first = job.deploy()
    with job.deploy() as again:
        assert again.ref == first.ref
    assert names(client.deployments()) == {first.ref.id}


def test_context_manager_leaves_what_replaced_it(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    with job.deploy(name="bot") as deployment:
        deployment.undeploy()
        world.clock.sleep(60)
        job.deploy(name="bot")
    assert names(client.deployments()) == {"bot"}


def test_context_manager_deletes_what_it_could_not_read_at_first(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    # The look before is the first read; then every try of the one after `deploy` fails.
    world.inject("deployment", "unavailable", nth=2, times=5)
    deployment = job.deploy()
    assert deployment.snapshot.created_at is None
    with deployment:
        assert names(client.deployments()) == {deployment.ref.id}
    assert client.deployments() == []


def test_context_manager_deletes_what_never_gets_ready(world: World) -> None:
    client = world.client()
    deployment = finished(client, world).deploy(name="bot")
    world.server.set_deployment_walk("bot", "failed")
    with pytest.raises(DeploymentFailedError), deployment:
        pytest.fail("the block must not be entered")
    assert client.deployments() == []


def test_extend_counts_from_now_and_is_never_earlier(world: World) -> None:
    deployment = finished(world.client(), world).deploy(ttl="1h")
    before = deployment.snapshot.lease
    assert before is not None
    assert before.expires_at == world.clock.now().replace(microsecond=0) + timedelta(hours=1)
    world.clock.sleep(1800)

    after = deployment.extend("2h").lease
    assert after is not None
    assert after.expires_at == world.clock.now().replace(microsecond=0) + timedelta(hours=2)
    assert (after.id, after.owner) == (before.id, before.owner)
    with pytest.raises(ConfigurationError, match="later than 5m from now"):
        deployment.extend("5m")
    assert deployment.refresh().lease == after


def test_extend_through_a_lost_answer(world: World) -> None:
    deployment = finished(world.client(), world).deploy(ttl="1h")
    world.inject("extend", "reset", when="after")
    lease = deployment.extend("3h").lease
    assert deployment.refresh().lease == lease


def test_undeploy_through_a_lost_answer(world: World) -> None:
    client = world.client()
    deployment = finished(client, world).deploy()
    world.inject("undeploy", "reset", when="after")
    deployment.undeploy()
    assert client.deployments() == []
    with pytest.raises(NotFoundError):
        deployment.undeploy()


def test_undeploy_that_did_not_happen_says_it_is_still_there(world: World) -> None:
    client = world.client()
    deployment = finished(client, world).deploy()
    world.inject("undeploy", "unavailable", times=None)
    with pytest.raises(FineTuneError, match="still there"):
        deployment.undeploy()
    assert client.deployment_records()[0].state is DeploymentState.CREATED


@pytest.mark.parametrize("change", ["undeploy", "extend"])
@pytest.mark.parametrize(("tag", "owner"), [(None, None), ("another-name", OTHER)])
def test_what_does_not_carry_our_tag_is_left_alone(
    world: World, change: str, tag: str | None, owner: str | None
) -> None:
    client = world.client()
    job = finished(client, world)
    plant(world, "foreign", model=job.model.name, tag=tag, owner=owner)
    deployment = client.deployment("memory:foreign")
    with pytest.raises(DeploymentError, match="left as it is"):
        deployment.undeploy() if change == "undeploy" else deployment.extend("1d")
    assert world.tried(change) == 0


def test_another_accounts_ref_touches_nothing(world: World) -> None:
    client = world.client()
    finished(client, world).deploy(name="bot")
    elsewhere = client.deployment(DeploymentRef(provider="memory", account="team-b", id="bot"))
    with pytest.raises(ConfigurationError, match="belongs to team-b"):
        elsewhere.undeploy()
    assert names(client.deployments()) == {"bot"}


def test_refs_of_jobs_and_deployments_are_told_apart(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    deployment = job.deploy(name="bot")
    assert client.names_deployment(str(deployment.ref))
    assert client.names_deployment("bot")
    assert client.deployment("bot").ref == deployment.ref
    assert not client.names_deployment(str(job.ref))
    assert not client.names_deployment("nothing")
    assert not client.names_deployment("memory:nothing")
    with pytest.raises(ConfigurationError, match="No deployment 'nothing'"):
        client.deployment("nothing")
    # A machine that knows neither asks the host.
    stranger = world.client(home="elsewhere")
    assert stranger.names_deployment("memory:bot")
    assert not stranger.names_deployment(str(job.ref))


def test_journal_of_the_first_version_gets_the_table(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    old = sqlite3.connect(file)
    old.executescript(MIGRATIONS[0])
    old.execute("PRAGMA user_version=1")
    old.close()
    journal = Journal(file)
    assert journal.deployments.rows() == []
    journal.close()


def test_a_deployments_beginning_is_enough_with_the_host_named(world: World) -> None:
    client = world.client()
    job = finished(client, world)
    made = job.deploy(name="kettles")
    assert client.deployment("memory:kett").ref == made.ref
    assert client.names_deployment("memory:kett")
    assert not client.names_deployment("memory:job-0")
    plant(world, "kett", model=job.model.name)
    assert client.deployment("memory:kett").ref.id == "kett"
    job.deploy(name="kettledrums")
    with pytest.raises(ConfigurationError, match="more than one deployment") as told:
        client.deployment("memory:kettl")
    assert "memory:kettledrums" in told.value.message
