"""Deploying at Azure as a user does it: from the request until the model answers, and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ftproviders.adapters.azure_openai.management import Account, Management
from ftproviders.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DeploymentError,
    DeploymentFailedError,
    FineTuneError,
    InvalidRequestError,
    MissingSettingError,
    NotFoundError,
    PermissionDeniedError,
    ProviderUnavailableError,
    QuotaExceededError,
)
from ftproviders.provider.machine import owner
from ftproviders.schema.deployment import DeploymentSnapshot, DeploymentStatus
from ftproviders.schema.job import ModelSource, TunedModel
from ftproviders.testing.azure_openai.resource import Resource
from ftproviders.testing.openai import WireFault
from tests.contract.azure_hosting_world import BASE, MODEL, TUNED, AzureWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AzureWorld]:
    world = AzureWorld(tmp_path)
    yield world
    world.close()


def model(name: str, base: str | None = None) -> TunedModel:
    return TunedModel(
        source=ModelSource.PROVIDER_MODEL, name=name, provider="azure-openai", base_model=base
    )


# --- the whole way ------------------------------------------------------------------------------


def test_deployed_asked_and_gone(world: AzureWorld) -> None:
    client = world.client()
    made = client.deploy(MODEL, name="bot", ttl="2h")
    assert str(made.ref) == "azure-openai:emulated/bot"
    seen: list[DeploymentSnapshot] = []
    ready = made.wait_ready(on_update=seen.append)
    assert ready.status is DeploymentStatus.READY
    words = [(one.status.value, one.raw_status, one.silent) for one in seen]
    # Succeeded, and the model does not answer yet: that is not ready.
    assert ("creating", "Succeeded", True) in words
    assert words[-1] == ("ready", "Succeeded", False)
    assert made.chat("What is on shelf number 7?").text
    assert world.plane.requests[-1].body["model"] == "bot"
    gone = made.undeploy()
    assert gone.lease is not None
    assert gone.lease.expires_at is not None
    assert world.resource.deployments == []
    with pytest.raises(NotFoundError):
        made.refresh()
    assert world.sent("Deployments_CreateOrUpdate") == world.sent("Deployments_Delete") == 1


def test_body_is_the_documented_one_with_our_tags(world: AzureWorld) -> None:
    client = world.client()
    client.deploy(MODEL, name="bot", ttl="2h", options={"sku": "standard", "capacity": 1})
    end = world.clock.now() + timedelta(hours=2)
    assert world.body() == {
        "sku": {"name": "standard", "capacity": 1},
        "properties": {"model": {"format": "OpenAI", "name": TUNED, "version": "1"}},
        "tags": {
            "ftproviders-id": "emulated/bot",
            "ftproviders-owner": owner(world.folder / "here"),
            "ftproviders-expires-at": f"{end:%Y-%m-%dT%H:%M:%S}Z",
        },
    }


def test_with_block_deletes_what_it_made_and_nothing_else(world: AzureWorld) -> None:
    client = world.client()
    with client.deploy(MODEL, name="bot") as made:
        assert made.status is DeploymentStatus.READY
        assert made.chat("What is on shelf number 7?").text
    assert world.names() == set()
    client.deploy(MODEL, name="old").wait_ready()
    with client.deploy(MODEL, name="old") as again:
        assert not again.created
    assert world.names() == {"old"}


def test_same_command_gives_the_same_deployment_also_elsewhere(world: AzureWorld) -> None:
    client = world.client()
    first = client.deploy(MODEL, name="bot")
    assert client.deploy(MODEL, name="bot").ref == first.ref
    with pytest.raises(ConflictError, match="it belongs to"):
        world.client("another-machine").deploy(MODEL, name="bot")
    assert world.sent("Deployments_CreateOrUpdate") == 1


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({}, "no tag of ours"),
        ({"ftproviders-id": "other-resource/bot", "ftproviders-owner": "me"}, "belongs to me"),
        ({"env": "production"}, "no tag of ours"),
    ],
)
def test_foreign_deployment_of_the_name_is_left_alone(
    world: AzureWorld, tags: dict[str, str], why: str
) -> None:
    world.resource.add("bot", model=TUNED, tags=tags)
    with pytest.raises(ConflictError, match=why):
        world.client().deploy(MODEL, name="bot")
    assert world.sent("Deployments_CreateOrUpdate") == 0
    assert world.names() == {"bot"}


def test_key_alone_is_enough_to_ask(world: AzureWorld) -> None:
    world.resource.add("bot", model=TUNED)
    bare = {"subscription_id": None, "resource_group": None}
    client = world.client(**bare)
    before = len(world.arm.requests)
    reply = client.deployment("azure-openai:emulated/bot").chat(
        "What is on shelf number 7?", max_tokens=5
    )
    assert reply.text
    assert len(world.arm.requests) == before
    assert client.deployments() == []
    with pytest.raises(MissingSettingError, match="subscription, resource group"):
        client.deployments("azure-openai")
    with pytest.raises(MissingSettingError) as refused:
        client.deploy(MODEL, name="other")
    assert "AZURE_SUBSCRIPTION_ID" in refused.value.hint


def test_entra_id_alone_is_enough_for_everything(world: AzureWorld) -> None:
    client = world.client(api_key=None)
    with client.deploy(MODEL, name="bot", ttl="30m") as made:
        assert made.chat("What is on shelf number 7?").text
    assert world.names() == set()
    audiences = {audience.rstrip("/") for audience in world.arm.identity.asked}
    assert audiences == {"https://management.azure.com", "https://ai.azure.com"}


def test_headers_are_of_the_kind_that_the_endpoint_says(world: AzureWorld) -> None:
    world.resource.add("bot", model=TUNED)
    for changes, kind in (({}, "api-key"), ({"api_key": None}, "bearer")):
        host = world.host(**changes)
        endpoint = host.endpoint(world.client().deployment("azure-openai:bot").ref)
        assert endpoint.auth == kind
        (name, value), *more = host.credentials(endpoint).items()
        assert not more
        if kind == "api-key":
            assert (name, value) == ("api-key", world.plane.api_key)
        else:
            assert name == "Authorization"
            audiences = ["https://ai.azure.com"]
            assert world.arm.identity.verdict(value, audiences) == "right"


def test_tuned_model_is_asked_through_a_deployment_that_serves_it(world: AzureWorld) -> None:
    host = world.host()
    with pytest.raises(DeploymentError, match="without one it does not answer"):
        host.endpoint(MODEL)
    for number in range(9):
        world.resource.add(f"other-{number}", model="somebody-elses")
    world.resource.add("bot", model=TUNED)
    assert host.endpoint(MODEL).model == "bot"


def test_words_for_most_tokens_go_by_the_model_not_by_the_name(world: AzureWorld) -> None:
    world.resource.add("plain", model=TUNED)
    world.resource.add("thinking", model="o4-mini-2025-04-16.ft-00000000000000000000000000000000")
    host = world.host()
    for name, word in (("plain", "max_tokens"), ("thinking", "max_completion_tokens")):
        ref = world.client().deployment(f"azure-openai:{name}").ref
        endpoint = host.endpoint(ref)
        assert host.family(endpoint) == world.resource.answering(name)
        host.silence(ref)
        body = world.plane.requests[-1].body
        assert isinstance(body, dict)
        assert (body["model"], body[word]) == (name, 1)


# --- what is deployed as what -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "form", "sku", "capacity"),
    [
        ("gpt-4.1-2025-04-14", "OpenAI", "GlobalStandard", 50),
        ("gpt-4.1-nano-2025-04-14", "OpenAI", "GlobalStandard", 50),
        ("gpt-4o-2024-08-06", "OpenAI", "GlobalStandard", 50),
        ("gpt-4o-mini-2024-07-18", "OpenAI", "GlobalStandard", 50),
        ("o4-mini-2025-04-16", "OpenAI", "GlobalStandard", 50),
        ("gpt-5-2025-08-07", "OpenAI", "Standard", 50),
        ("gpt-oss-20b", "Microsoft", "GlobalStandard", 100),
        ("Ministral-3B", "Mistral AI", "GlobalStandard", 100),
        ("Qwen3-32B", "Alibaba", "GlobalStandard", 100),
        ("Qwen-32B", "Alibaba", "GlobalStandard", 100),
        ("Llama-3.3-70B-Instruct", "Meta", "GlobalStandard", 100),
    ],
)
@pytest.mark.parametrize("checkpoint", [False, True])
def test_each_family_has_its_format_sku_and_capacity(
    world: AzureWorld, base: str, form: str, sku: str, capacity: int, checkpoint: bool
) -> None:
    name = f"ftchkpt-{'0' * 32}" if checkpoint else f"{base}.ft-{'0' * 32}"
    world.resource.plant(name, base=base)
    made = world.client().deploy(model(name, base if checkpoint else None), name="bot")
    assert world.body()["sku"] == {"name": sku, "capacity": capacity}
    assert world.body()["properties"]["model"] == {"format": form, "name": name, "version": "1"}
    assert made.snapshot.tier == sku
    assert made.snapshot.model.name == name


def test_checkpoint_without_its_job_is_deployed_as_what_it_is_said_to_be(
    world: AzureWorld,
) -> None:
    name = f"ftchkpt-{'0' * 32}"
    world.resource.plant(name, base="gpt-oss-20b")
    world.client().deploy(model(name), name="bot", options={"base_model": "gpt-oss-20b"})
    form = {"format": "Microsoft", "name": name, "version": "1"}
    assert world.body()["properties"] == {"model": form}
    assert world.body()["sku"] == {"name": "GlobalStandard", "capacity": 100}


@pytest.mark.parametrize(
    ("base", "options", "sentence"),
    [
        ("gpt-4o-2024-08-06", {"sku": "DeveloperTier"}, "cannot be deployed as DeveloperTier"),
        ("gpt-5-2025-08-07", {"sku": "GlobalStandard"}, "Standard"),
        ("gpt-oss-20b", {"sku": "standard"}, "GlobalStandard"),
        ("gpt-oss-120b", {}, "without serverless hosting"),
        ("MAI-Code-1.1-Flash", {}, "is not published"),
        (BASE, {"capacity": 0}, "capacity"),
        (BASE, {"skew": "x"}, "skew"),
        (BASE, {"source": "another"}, "no Resource Manager id"),
        (BASE, {"source_tenant": "t"}, "belong together"),
    ],
)
def test_what_cannot_be_deployed_so_is_refused_before_anything_is_sent(
    world: AzureWorld, base: str, options: dict[str, object], sentence: str
) -> None:
    asked: list[object] = []
    with pytest.raises(ConfigurationError) as refused:
        world.client().deploy(
            model(f"{base}.ft-{'0' * 32}"), name="bot", options=options, agree=asked.append
        )
    assert sentence in f"{refused.value.message} {refused.value.hint}"
    assert not asked
    assert world.sent("Deployments_CreateOrUpdate") == 0


def test_open_weights_are_said_to_be_asked_by_the_dated_route(world: AzureWorld) -> None:
    def facts(base: str, **changes: str) -> str:
        host = world.host(**changes)
        return " ".join(host.terms(model(f"{base}.ft-{'0' * 32}"), _spec("bot")).facts)

    assert "2025-04-01-preview" in facts("gpt-oss-20b")
    assert "dated route" not in facts(BASE)
    assert "dated route" not in facts("gpt-oss-20b", api_version="2025-04-01-preview")


@pytest.mark.parametrize("name", ["a" * 65, "under_score", "dot.ted", "", "-first"])
def test_name_that_no_deployment_can_have_is_refused(world: AzureWorld, name: str) -> None:
    with pytest.raises(ConfigurationError, match="name of a deployment"):
        world.host().terms(MODEL, _spec(name))


def _spec(name: str) -> object:
    from ftproviders.schema.deployment import DeploymentSpec

    return DeploymentSpec(name=name)


def test_developer_tier_says_when_it_is_removed_and_is(world: AzureWorld) -> None:
    made = world.client().deploy(MODEL, name="bot", options={"sku": "developer"})
    assert world.body()["sku"]["name"] == "DeveloperTier"
    ready = made.wait_ready()
    assert ready.created_at is not None
    assert ready.removed_at == ready.created_at + timedelta(hours=24)
    assert made.cost().usd_per_hour == 0
    world.clock.sleep(86_400)
    with pytest.raises(NotFoundError):
        made.refresh()


def test_cost_is_age_times_a_dated_price(world: AzureWorld) -> None:
    made = world.client(arm_endpoint=world.arm.root_url).deploy(MODEL, name="bot")
    world.clock.sleep(7200)
    made.refresh()
    from ftproviders.runtime.costs import standing_cost

    cost = standing_cost(made.snapshot, now=world.clock.now(), free=False)
    assert (cost.age_seconds, cost.usd_per_hour, cost.usd_so_far) == (7200, 1.7, 3.4)
    assert (str(cost.as_of), bool(cost.source)) == ("2026-03-19", True)
    odd = made.snapshot.model_copy(update={"tier": "DataZoneStandard"})
    unknown = standing_cost(odd, now=world.clock.now(), free=False)
    assert (unknown.usd_per_hour, unknown.usd_so_far) == (None, None)


def test_model_of_another_resource_is_deployed_from_its_source(tmp_path: Path) -> None:
    other = Resource("far-away", location="northcentralus", group="other-group")
    name = f"{BASE}.ft-{'f' * 32}"
    other.plant(name, base=BASE)
    world = AzureWorld(tmp_path, others=[other])
    try:
        with pytest.raises(InvalidRequestError, match="not supported") as refused:
            world.client().deploy(model(name), name="bot")
        assert "source" in refused.value.hint
        made = world.client().deploy(model(name), name="bot", options={"source": other.id})
        assert world.body()["properties"]["model"]["source"] == other.id
        made.undeploy()
        made = world.client().deploy(
            model(name),
            name="bot2",
            options={"source_account": other.id, "source_tenant": "another-tenant"},
        )
        request = world.arm.requests_of("Deployments_CreateOrUpdate")[-1]
        assert request.headers["x-ms-authorization-auxiliary"] == "<hidden>"
        assert world.body()["properties"]["model"]["sourceAccount"] == other.id
    finally:
        world.close()


# --- provisioning -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Accepted", "creating"),
        ("Creating", "creating"),
        ("Moving", "creating"),
        ("Deleting", "deleting"),
        ("Disabled", "failed"),
        ("Failed", "failed"),
        ("Canceled", "failed"),
        ("Succeeded", "ready"),
        ("Reticulating", "unknown"),
    ],
)
def test_every_provisioning_word(world: AzureWorld, word: str, status: str) -> None:
    world.resource.add("bot", model=TUNED)
    world.resource.change("bot", word=word)
    (seen,) = world.client().deployments("azure-openai")
    assert (seen.status.value, seen.raw_status) == (status, word)


def test_failed_provisioning_has_a_reason_also_for_another_process(world: AzureWorld) -> None:
    world.arm.fail_next_deployment(code="InsufficientQuota", message="No capacity in this region.")
    made = world.client().deploy(MODEL, name="bot")
    with pytest.raises(DeploymentFailedError, match="No capacity in this region") as failed:
        made.wait_ready()
    assert failed.value.snapshot.raw_status == "Failed"
    again = world.client()
    (seen,) = again.deployments("azure-openai")
    assert seen.error is not None
    assert (seen.error.code, seen.error.message) == (
        "InsufficientQuota",
        "No capacity in this region.",
    )
    assert "lower capacity" in seen.error.hint
    # The same command says so, too, and makes nothing.
    with pytest.raises(DeploymentFailedError, match="No capacity"):
        again.deploy(MODEL, name="bot")
    (elsewhere,) = world.client("another-machine").deployments("azure-openai")
    assert elsewhere.error is not None
    assert "activity log" in elsewhere.error.hint


def test_reason_is_asked_for_at_the_management_plane_alone(world: AzureWorld) -> None:
    world.resource.add("bot", model=TUNED)
    world.resource.change("bot", failure={"code": "x", "message": "y"})
    host = world.host()
    ref = host.deployments().deployments[0].ref
    # The same server by another name: it would answer, and is not where tokens may go.
    host._notes.keep(ref, f"{world.arm.root_url.replace('127.0.0.1', 'localhost')}/operations/1")
    seen = host.deployment(ref)
    assert seen.error is not None
    assert "no reason" in seen.error.message
    assert not [r for r in world.arm.requests if r.headers["host"].startswith("localhost")]


def test_made_and_not_found_yet_is_not_ready(tmp_path: Path) -> None:
    """What the service says in the first minutes after "Succeeded"."""
    world = AzureWorld(tmp_path, silent_seconds=0.0)
    try:
        made = world.client().deploy(MODEL, name="bot")
        world.plane.faults.inject(WireFault("createChatCompletion", kind="not_found", times=3))
        seen: list[DeploymentSnapshot] = []
        assert made.wait_ready(on_update=seen.append).status is DeploymentStatus.READY
        assert [one.silent for one in seen if one.raw_status == "Succeeded"] == [True, False]
        statuses = [r.status for r in world.plane.requests_of("createChatCompletion")]
        assert statuses == [404, 404, 404, 200]
    finally:
        world.close()


def test_silent_for_ten_minutes_is_given_up_with_what_to_do(tmp_path: Path) -> None:
    world = AzureWorld(tmp_path, silent_seconds=1e9)
    try:
        made = world.client().deploy(MODEL, name="bot")
        with pytest.raises(DeploymentFailedError, match="DeploymentNotReady") as failed:
            made.wait_ready()
        assert "undeploy" in failed.value.hint
        assert world.names() == {"bot"}
    finally:
        world.close()


# --- places and roles ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"subscription_id": "00000000-0000-4000-8000-00000000000f"},
        {"resource_group": "nowhere"},
        {"resource": "nobody"},
    ],
)
def test_wrong_place_is_never_taken_for_not_deployed(
    world: AzureWorld, wrong: dict[str, str]
) -> None:
    world.resource.add("bot", model=TUNED)
    client = world.client(**wrong)
    for ask in (
        lambda: client.deployment("azure-openai:bot").refresh(),
        lambda: client.deployments("azure-openai"),
        lambda: client.deploy(MODEL, name="bot"),
    ):
        with pytest.raises(InvalidRequestError, match="There is no resource"):
            ask()
    assert world.sent("Deployments_CreateOrUpdate") == 0


def test_not_found_without_a_word_of_what_is_no_proof_that_nothing_is_deployed(
    world: AzureWorld,
) -> None:
    """Resource Manager says ResourceNotFound of a deployment and of a whole resource alike."""
    for operation in ("Deployments_Get", "Accounts_Get"):
        world.inject(operation, "not_found", times=None)
    client = world.client()
    with pytest.raises(InvalidRequestError, match="There is no resource"):
        client.deployment("azure-openai:bot").refresh()
    with pytest.raises(InvalidRequestError, match="There is no resource"):
        client.deploy(MODEL, name="bot")
    assert world.sent("Deployments_CreateOrUpdate") == 0


def test_deployment_of_another_account_is_not_looked_for_here(world: AzureWorld) -> None:
    world.resource.add("bot", model=TUNED)
    with pytest.raises(ConfigurationError, match="is of elsewhere"):
        world.client().deployment("azure-openai:elsewhere/bot").refresh()


@pytest.mark.parametrize(
    ("address", "audience"),
    [
        ("https://management.azure.com", "https://management.azure.com"),
        ("https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net"),
        ("https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
        ("https://127.0.0.1:8443", "https://management.azure.com"),
    ],
)
def test_token_is_for_the_cloud_of_the_address(address: str, audience: str) -> None:
    account = Account(subscription="s", group="g", name="n")
    made = Management(account, credential=lambda: pytest.fail("none"), arm_endpoint=address)
    assert made.scope == f"{audience}/.default"


def test_without_the_role_it_is_said_which_one(world: AzureWorld) -> None:
    world.arm.may_write = False
    client = world.client()
    with pytest.raises(PermissionDeniedError) as refused:
        client.deploy(MODEL, name="bot")
    assert "Foundry Owner" in refused.value.hint
    needs = {need.name: need for need in world.host().requirements(ask=True)}
    assert needs["role"].met is False
    assert "Foundry Owner" in needs["role"].hint


def test_requirements_say_what_is_there_and_what_is_missing(world: AzureWorld) -> None:
    needs = {need.name: need for need in world.host().requirements(ask=True)}
    assert all(need.met for need in needs.values())
    assert needs["sign-in and resource"].detail == "found, in swedencentral"
    bare = world.host(subscription_id=None).requirements(ask=True)
    missing = [need for need in bare if need.met is False]
    assert [need.name for need in missing] == ["subscription"]
    assert "AZURE_SUBSCRIPTION_ID" in missing[0].hint
    offline = world.host().requirements(ask=False)
    assert [(need.name, need.met) for need in offline][-1] == ("role", None)
    (nowhere,) = [n for n in world.host(resource="nobody").requirements(ask=True) if not n.met]
    assert "There is no resource nobody" in nowhere.detail


def test_requirements_count_what_is_deployed(world: AzureWorld) -> None:
    world.resource.add("plain", model="gpt-4.1-2025-04-14")
    world.resource.add("checkpoint", model=f"ftchkpt-{'0' * 32}")
    for number in range(8):
        world.resource.add(f"bot-{number}", model=TUNED)
    host = world.host()
    needs = {need.name: need for need in host.requirements(ask=True)}
    assert (needs["room"].met, needs["room"].detail[:7]) == (True, "9 of 10")
    world.resource.add("bot-9", model=TUNED)
    needs = {need.name: need for need in host.requirements(ask=True)}
    assert (needs["room"].met, needs["room"].detail[:8]) == (False, "10 of 10")
    assert "undeploy" in needs["room"].hint
    world.inject("Deployments_List", "forbidden", times=None)
    needs = {need.name: need for need in host.requirements(ask=True)}
    assert needs["room"].met is False
    assert "403" in needs["room"].detail


def test_no_token_says_how_to_sign_in(world: AzureWorld) -> None:
    world.arm.identity.refuses = True
    with pytest.raises(AuthenticationError, match="a key is not enough") as refused:
        world.client().deployments("azure-openai")
    assert "az login" in refused.value.hint
    (need,) = [n for n in world.host().requirements(ask=True) if n.met is False]
    assert need.name == "sign-in"


def test_token_that_ended_is_said_to_have_ended(world: AzureWorld) -> None:
    client = world.client(attempts=2)
    client.deployments("azure-openai")
    world.arm.identity.expire()
    with pytest.raises(AuthenticationError) as refused:
        client.deployments("azure-openai")
    assert "60 minutes" in refused.value.hint


# --- what Azure refuses -------------------------------------------------------------------------


def test_wrong_format_is_the_first_suspect_of_an_empty_500(world: AzureWorld) -> None:
    with pytest.raises(ProviderUnavailableError) as refused:
        world.client().deploy(MODEL, name="bot", options={"model_format": "OpenAI-OSS"})
    assert "mostly means a wrong model format" in refused.value.hint
    assert "open-weight" not in refused.value.hint
    assert world.names() == set()
    assert world.sent("Deployments_CreateOrUpdate") == 1


def test_quota_says_what_is_left(world: AzureWorld) -> None:
    with pytest.raises(QuotaExceededError, match="current available capacity 1000"):
        world.client().deploy(MODEL, name="bot", options={"capacity": 5000})


def test_quota_that_is_released_late_is_waited_for(tmp_path: Path) -> None:
    world = AzureWorld(tmp_path, quota=50, release_seconds=20.0)
    try:
        client = world.client()
        client.deploy(MODEL, name="bot").undeploy()
        again = client.deploy(MODEL, name="bot2")
        assert again.created
        statuses = [r.status for r in world.arm.requests_of("Deployments_CreateOrUpdate")]
        assert statuses == [201, 429, 201]
    finally:
        world.close()


def test_unknown_sku_is_sent_as_it_is_and_refused_by_name(world: AzureWorld) -> None:
    with pytest.raises(InvalidRequestError, match="SKU 'Turbo'") as refused:
        world.client().deploy(MODEL, name="bot", options={"sku": "Turbo"})
    assert "SKU" in refused.value.hint


def test_extend_keeps_the_tags_of_others(world: AzureWorld) -> None:
    client = world.client()
    made = client.deploy(MODEL, name="bot", ttl="1h")
    (there,) = world.resource.deployments
    world.resource.change("bot", tags={**there["tags"], "cost-centre": "42"})
    seen = made.extend("3h")
    assert seen.lease is not None
    assert seen.lease.expires_at == world.clock.now() + timedelta(hours=3)
    (there,) = world.resource.deployments
    assert there["tags"]["cost-centre"] == "42"
    assert there["tags"]["ftproviders-expires-at"].startswith("2026")
    assert there["model"] == TUNED


def test_errors_hold_no_token(world: AzureWorld) -> None:
    world.inject("*", "forbidden", times=None)
    token = world.arm.identity.token("x").partition(".")[0]
    with pytest.raises(FineTuneError) as refused:
        world.client().deployments("azure-openai")
    shown = repr(refused.value) + str(refused.value) + str(refused.value.__dict__)
    assert token not in shown + str(refused.value.__cause__)
