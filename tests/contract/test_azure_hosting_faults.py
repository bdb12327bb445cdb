"""Everything that can go wrong on the way to the management plane, at every step of a deployment.

Whatever happens: one deployment at most, never one that the user was not told of, and after the
same command again it is there once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftproviders.client import FineTuneClient
from ftproviders.errors import (
    ConflictError,
    FineTuneError,
    NotFoundError,
    OutcomeUnknownError,
    ProviderConnectionError,
    ProviderTimeoutError,
    RateLimitError,
    UnexpectedResponseError,
)
from ftproviders.schema.deployment import DeploymentSpec, DeploymentState, DeploymentStatus
from ftproviders.testing.checks import as_runtime
from ftproviders.testing.openai.faults import WireFaultKind
from tests.contract.azure_hosting_world import MODEL, TUNED, AzureWorld

_NEVER = {WireFaultKind.KILL, WireFaultKind.LYING_FILTER}
"""For another process, and for lists with filters: there are none here."""
KINDS = [kind for kind in WireFaultKind if kind not in _NEVER]
REFUSALS = [
    "unauthorized", "forbidden", "not_found", "conflict", "invalid", "quota", "retired", "redirect",
]  # fmt: skip
LOST = ["reset", "timeout", "truncated", "malformed", "empty", "server_error", "unavailable",
        "request_timeout", "bad_gateway"]  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AzureWorld]:
    world = AzureWorld(tmp_path, provisioning_seconds=20.0, silent_seconds=5.0)
    yield world
    world.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureWorld]:
    world = AzureWorld(
        tmp_path_factory.mktemp("azure"), provisioning_seconds=20.0, silent_seconds=5.0
    )
    yield world
    world.close()


@pytest.fixture
def shared(one: AzureWorld) -> AzureWorld:
    """Give a world that was used before, with nothing deployed in it."""
    one.arm.faults.clear()
    with one.resource.transaction() as state:
        for kind in ("deployment", "released", "answer"):
            for entry in state.all(kind):
                state.delete(kind, entry.get("id", ""))
    return one


def _settled(client: FineTuneClient) -> bool:
    return not any(row.maybe_sent for row in client.deployment_records())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_put_under_every_fault_leaves_one_deployment_and_no_doubt(
    world: AzureWorld, kind: WireFaultKind, when: str
) -> None:
    seconds = 0.3 if kind is WireFaultKind.TIMEOUT else 30.0
    world.inject("Deployments_CreateOrUpdate", kind.value, when=when, seconds=seconds)
    client = world.client()
    told: FineTuneError | None = None
    try:
        client.deploy(MODEL, name="bot")
    except FineTuneError as error:
        told = error
    there = world.names()
    if told is not None:
        assert told.hint
        # Only a tag that was lost, and an answer that was a lie, may hide what was made.
        if kind.value not in ("drop_metadata", *REFUSALS):
            assert not there, f"{told} - and it is there"
    # The same command again, from a new process: there once, and ours.
    with contextlib.suppress(ConflictError):
        again = world.client().deploy(MODEL, name="bot")
        assert again.wait_ready().status is DeploymentStatus.READY
    assert world.names() == {"bot"}
    assert _settled(world.client())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["reset", "timeout", "empty", "server_error"])
def test_lost_answer_to_put_is_looked_for_and_never_sent_twice(
    world: AzureWorld, kind: str, when: str
) -> None:
    world.inject("Deployments_CreateOrUpdate", kind, when=when, seconds=0.3)
    client = world.client()
    if when == "after":
        made = client.deploy(MODEL, name="bot")
        assert made.created
        assert world.sent("Deployments_CreateOrUpdate") == 1
        return
    with pytest.raises(FineTuneError) as failed:
        client.deploy(MODEL, name="bot")
    assert failed.value.hint
    assert world.sent("Deployments_CreateOrUpdate") == 1
    (row,) = client.deployment_records()
    assert row.state is DeploymentState.REFUSED
    assert world.names() == set()


def test_outcome_that_cannot_be_looked_up_is_said_to_be_unknown(world: AzureWorld) -> None:
    world.inject("Deployments_CreateOrUpdate", "reset", when="after")
    world.inject("Deployments_Get", "reset", nth=3, times=None)
    client = world.client(attempts=1)
    with pytest.raises(OutcomeUnknownError) as unknown:
        client.deploy(MODEL, name="bot")
    assert "ftproviders deployments" in unknown.value.hint
    world.arm.faults.clear()
    again = world.client().deploy(MODEL, name="bot")
    assert not again.created
    assert world.sent("Deployments_CreateOrUpdate") == 1


def test_put_that_arrives_late_is_found_in_the_settle_window(world: AzureWorld) -> None:
    """A request without an answer may still be on its way: one look is not enough."""
    world.inject("Deployments_CreateOrUpdate", "reset", when="before")
    late: list[float] = []
    client = world.client()
    before = world.clock.sleep

    def sleep(seconds: float) -> None:
        before(seconds)
        late.append(seconds)
        if sum(late) > 20 and "bot" not in world.names():
            tags = world.body()["tags"]
            world.resource.add("bot", model=TUNED, tags=dict(tags))

    world.clock.sleep = sleep
    made = client.deploy(MODEL, name="bot")
    assert made.snapshot.lease is not None
    assert world.sent("Deployments_CreateOrUpdate") == 1


@pytest.mark.parametrize("seconds", [1, 17])
def test_rate_limit_is_waited_for_as_long_as_asked(world: AzureWorld, seconds: int) -> None:
    world.inject("Deployments_CreateOrUpdate", "rate_limit", seconds=seconds, times=2)
    begin = world.clock.monotonic()
    assert world.client().deploy(MODEL, name="bot").created
    assert world.clock.monotonic() - begin == 2 * seconds
    assert world.sent("Deployments_CreateOrUpdate") == 3


def test_rate_limit_without_end_is_told(world: AzureWorld) -> None:
    world.inject("Deployments_CreateOrUpdate", "rate_limit", times=None)
    client = world.client(attempts=3)
    with pytest.raises(RateLimitError):
        client.deploy(MODEL, name="bot")
    assert world.sent("Deployments_CreateOrUpdate") == 3
    assert _settled(client)


@pytest.mark.parametrize("operation", ["Deployments_Get", "Deployments_List", "Accounts_Get"])
@pytest.mark.parametrize("kind", KINDS)
def test_reading_under_every_fault_is_tried_again_or_told(
    shared: AzureWorld, operation: str, kind: WireFaultKind
) -> None:
    shared.resource.add("bot", model=TUNED)
    client = shared.client()
    shared.inject(operation, kind.value, seconds=0.3)
    deployment = client.deployment("azure-openai:bot")
    told = None
    try:
        names = [seen.ref.id for seen in client.deployments("azure-openai")]
        assert names == ["bot"]
        assert deployment.refresh().model.name == TUNED
    except FineTuneError as error:
        told = error
    if told is not None:
        assert kind.value in REFUSALS, told
        assert told.hint
    # The next time it is there.
    assert client.deployment("azure-openai:bot").refresh().ref.id == "bot"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [*LOST, "not_found"])
def test_lost_answer_to_delete_leaves_nothing(shared: AzureWorld, kind: str, when: str) -> None:
    client = shared.client()
    made = client.deploy(MODEL, name="bot")
    shared.inject("Deployments_Delete", kind, when=when, seconds=0.3)
    made.undeploy()
    assert shared.resource.deployments == []
    with pytest.raises(NotFoundError):
        made.refresh()


@pytest.mark.parametrize("kind", [kind for kind in REFUSALS if kind != "not_found"])
def test_refused_delete_says_that_it_is_still_there(shared: AzureWorld, kind: str) -> None:
    client = shared.client()
    made = client.deploy(MODEL, name="bot")
    made.wait_ready()
    shared.inject("Deployments_Delete", kind)
    with pytest.raises(FineTuneError) as refused:
        made.undeploy()
    assert "still there" in refused.value.hint
    assert refused.value.hint
    assert shared.names() == {"bot"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", LOST)
def test_lost_answer_to_extend_is_asked_for_again(shared: AzureWorld, kind: str, when: str) -> None:
    client = shared.client()
    made = client.deploy(MODEL, name="bot", ttl="1h")
    shared.inject("Deployments_Update", kind, when=when, seconds=0.3)
    seen = made.extend("5h")
    assert seen.lease is not None
    assert seen.lease.expires_at is not None
    assert (seen.lease.expires_at - shared.clock.now()).total_seconds() > 4 * 3600
    (there,) = shared.resource.deployments
    assert there["tags"]["ftproviders-expires-at"] == f"{seen.lease.expires_at:%Y-%m-%dT%H:%M:%S}Z"


@pytest.mark.parametrize("kind", KINDS)
def test_reason_of_a_failure_under_every_fault(shared: AzureWorld, kind: WireFaultKind) -> None:
    """What is lost is the reason; that it failed is known all the same."""
    shared.arm.fail_next_deployment(code="Broken", message="The reason.")
    client = shared.client()
    client.deploy(MODEL, name="bot")
    shared.clock.sleep(60)
    shared.inject("Operations_Status", kind.value, seconds=0.3)
    (seen,) = client.deployments("azure-openai")
    assert seen.status is DeploymentStatus.FAILED
    assert seen.error is not None
    assert seen.error.message
    (again,) = client.deployments("azure-openai")
    assert again.error is not None
    assert again.error.message == "The reason."


@pytest.mark.parametrize("operation", ["createChatCompletion", "*"])
@pytest.mark.parametrize("kind", ["reset", "timeout", "server_error", "rate_limit", "malformed"])
def test_waiting_survives_the_data_plane(world: AzureWorld, kind: str, operation: str) -> None:
    from ftproviders.testing.openai.faults import WireFault

    client = world.client()
    made = client.deploy(MODEL, name="bot")
    world.plane.faults.inject(WireFault(operation, kind=kind, seconds=0.3, times=2))
    assert made.wait_ready().status is DeploymentStatus.READY


@pytest.mark.parametrize(
    "operation",
    ["Deployments_List", "Deployments_CreateOrUpdate", "Permissions_ListForResource"],
)
def test_answer_that_never_comes_is_given_up_in_the_time_that_was_set(
    world: AzureWorld, operation: str
) -> None:
    host = world.host(timeout_seconds=0.4)
    host.deployments()  # so that there is a token
    world.inject(operation, "timeout", seconds=25.0, times=None)
    asks: dict[str, Callable[[], object]] = {
        "Deployments_List": host.deployments,
        "Deployments_CreateOrUpdate": lambda: host.deploy(MODEL, DeploymentSpec(name="bot")),
        "Permissions_ListForResource": host._plane.permissions,
    }
    began = time.monotonic()
    with pytest.raises(ProviderTimeoutError) as lost:
        as_runtime(host, "deploy", asks[operation])
    assert time.monotonic() - began < 15
    assert lost.value.maybe_executed


def test_answer_that_cannot_be_read_points_at_the_management_planes_address(
    world: AzureWorld,
) -> None:
    world.inject("Deployments_List", "malformed", times=None)
    with pytest.raises(UnexpectedResponseError) as failed:
        world.client(attempts=1).deployments("azure-openai")
    assert "AZURE_ARM_ENDPOINT" in failed.value.hint


def test_connection_that_was_never_made_is_no_lost_answer(world: AzureWorld) -> None:
    client = world.client(attempts=2)
    client.deployments("azure-openai")  # so that there is a token
    world.arm.stop()
    with pytest.raises(ProviderConnectionError) as failed:
        client.deployments("azure-openai")
    assert not failed.value.maybe_executed
    world.arm.start()
    assert client.deploy(MODEL, name="bot").created


def test_stranger_with_another_certificate_is_not_asked(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ftproviders.testing.azure_openai.tls import Authority

    other = Authority(tmp_path / "other")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.bundle))
    with pytest.raises(ProviderConnectionError):
        world.client(attempts=1).deployments("azure-openai")
    assert world.arm.requests == []


def test_redirect_is_not_followed_with_a_token(world: AzureWorld) -> None:
    world.inject("Deployments_List", "redirect", word="https://127.0.0.1:1/elsewhere")
    with pytest.raises(FineTuneError, match="307"):
        world.client(attempts=1).deployments("azure-openai")


def test_deleted_while_somebody_waits_for_it(world: AzureWorld) -> None:
    client = world.client()
    made = client.deploy(MODEL, name="bot")
    world.resource.change("bot", deleting_at=world.resource.now())
    with pytest.raises(FineTuneError, match="being deleted"):
        made.wait_ready()
    with pytest.raises(FineTuneError) as refused:
        client.deploy(MODEL, name="bot")
    assert "deploy again" in refused.value.hint
    world.clock.sleep(60)
    assert client.deploy(MODEL, name="bot").created


def test_taken_in_between_by_another_model_is_a_conflict(world: AzureWorld) -> None:
    """Somebody makes the name between our look and our request."""
    client = world.client()
    host = world.host()
    world.inject("Deployments_Get", "stale")
    real = host._plane.read

    def read(name: str, **more: str) -> object:
        found = real(name, **more)
        world.resource.add("bot", model="somebody-elses")
        return found

    host._plane.read = read
    client._session._hosting["azure-openai"] = host
    with pytest.raises(ConflictError):
        client.deploy(MODEL, name="bot")
    (there,) = world.resource.deployments
    assert there["model"] == "somebody-elses"
