"""The emulated Resource Manager by the real SDK, and what it refuses."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient, models

from ftproviders.adapters.azure_openai.management import API_VERSION
from ftproviders.testing.azure_openai.arm import ArmEmulator
from ftproviders.testing.azure_openai.arm_faults import ArmFault
from ftproviders.testing.azure_openai.arm_operations import API_VERSIONS
from ftproviders.testing.azure_openai.hosting_rig import environment
from ftproviders.testing.azure_openai.identity import ARM_AUDIENCE, IdentityEmulator
from ftproviders.testing.azure_openai.resource import HostingBehaviour, Resource
from ftproviders.testing.azure_openai.tls import Authority
from ftproviders.testing.clock import FakeClock

BASE = "gpt-4.1-mini-2025-04-14"
TUNED = f"{BASE}.ft-1"
TAGS = {"ftproviders-id": "emulated/bot", "ftproviders-owner": "me@here", "team": "search"}


@pytest.fixture
def arm() -> Iterator[ArmEmulator]:
    resource = Resource(
        clock=FakeClock(), behaviour=HostingBehaviour(page_size=2, provisioning_seconds=60)
    )
    resource.plant(TUNED, base=BASE)
    with ArmEmulator(resource) as arm:
        yield arm


@pytest.fixture
def sdk(arm: ArmEmulator) -> Iterator[CognitiveServicesManagementClient]:
    with (
        environment(arm.environment),
        ManagedIdentityCredential() as credential,
        CognitiveServicesManagementClient(
            credential,
            arm.resource.subscription,
            base_url=arm.root_url,
            api_version=API_VERSION,
            polling_interval=0,
        ) as client,
    ):
        yield client


def wanted(**changes: Any) -> models.Deployment:
    given: dict[str, Any] = {
        "sku": models.Sku(name="GlobalStandard", capacity=50),
        "tags": dict(TAGS),
        "properties": models.DeploymentProperties(
            model=models.DeploymentModel(format="OpenAI", name=TUNED, version="1")
        ),
    }
    return models.Deployment(**{**given, **changes})


def where(arm: ArmEmulator) -> tuple[str, str]:
    return arm.resource.group, arm.resource.name


# --- leases can be built on tags ----------------------------------------------------------------


def test_the_sdk_sends_and_returns_tags_with_the_pinned_version(
    arm: ArmEmulator, sdk: CognitiveServicesManagementClient
) -> None:
    made = sdk.deployments.begin_create_or_update(
        *where(arm), "bot", wanted(), polling=False
    ).result()
    assert made.tags == TAGS
    body = arm.requests_of("Deployments_CreateOrUpdate")[-1].body
    assert isinstance(body, dict)
    assert body["tags"] == TAGS
    assert sdk.deployments.get(*where(arm), "bot").tags == TAGS
    assert [one.tags for one in sdk.deployments.list(*where(arm))] == [TAGS]
    changed = {**TAGS, "ftproviders-expires-at": "2031-05-04T03:02:01Z"}
    patch = models.PatchResourceTagsAndSku(tags=changed)
    sdk.deployments.begin_update(*where(arm), "bot", patch, polling=False).result()
    body = arm.requests_of("Deployments_Update")[-1].body
    assert body == {"tags": changed}
    read = sdk.deployments.get(*where(arm), "bot")
    assert read.tags == changed
    assert read.properties.model.name == TUNED
    versions = {dict(request.query)["api-version"] for request in arm.requests}
    assert versions == {API_VERSION}


# --- long-running operations as the SDK follows them --------------------------------------------


def test_the_sdk_follows_the_operation_to_its_end(
    arm: ArmEmulator, sdk: CognitiveServicesManagementClient
) -> None:
    poller = sdk.deployments.begin_create_or_update(*where(arm), "bot", wanted(), polling=False)
    assert poller.result().properties.provisioning_state == "Accepted"
    arm.resource.clock.sleep(61)
    poller = sdk.deployments.begin_create_or_update(*where(arm), "bot", wanted())
    assert poller.result().properties.provisioning_state == "Succeeded"
    assert arm.requests_of("Operations_Status")
    arm.resource.behaviour = HostingBehaviour(deleting_seconds=0)
    sdk.deployments.begin_delete(*where(arm), "bot").result()
    assert arm.resource.deployments == []
    assert {r.status for r in arm.requests_of("Operations_Result")} <= {202, 204}


def test_failed_operation_says_why(
    arm: ArmEmulator, sdk: CognitiveServicesManagementClient
) -> None:
    arm.fail_next_deployment(code="Broken", message="No capacity.")
    headers: list[Any] = []
    sdk.deployments.begin_create_or_update(
        *where(arm),
        "bot",
        wanted(),
        polling=False,
        raw_response_hook=lambda response: headers.append(response.http_response.headers),
    )
    arm.resource.clock.sleep(61)
    answer = get(arm, headers[0]["Azure-AsyncOperation"].removeprefix(arm.root_url))
    assert answer.json()["status"] == "Failed"
    assert answer.json()["error"] == {"code": "Broken", "message": "No capacity."}
    assert sdk.deployments.get(*where(arm), "bot").properties.provisioning_state == "Failed"


def test_pages_are_followed_to_the_end(
    arm: ArmEmulator, sdk: CognitiveServicesManagementClient
) -> None:
    for number in range(5):
        arm.resource.add(f"bot-{number}", model=TUNED)
    names = [one.name for one in sdk.deployments.list(*where(arm))]
    assert names == [f"bot-{number}" for number in range(5)]
    assert len(arm.requests_of("Deployments_List")) == 3


# --- strictness ---------------------------------------------------------------------------------


def get(arm: ArmEmulator, target: str, **more: Any) -> httpx2.Response:
    return send(arm, "GET", target, **more)


def send(arm: ArmEmulator, method: str, target: str, **more: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {arm.identity.token(ARM_AUDIENCE)}"}
    headers |= more.pop("headers", {})
    with httpx2.Client(verify=arm.authority.trusting(), trust_env=False) as http:
        return http.request(method, arm.root_url + target, headers=headers, **more)


def bot(arm: ArmEmulator) -> str:
    return f"{arm.resource.id}/deployments/bot?api-version={API_VERSION}"


GOOD: dict[str, Any] = {
    "sku": {"name": "GlobalStandard", "capacity": 50},
    "properties": {"model": {"format": "OpenAI", "name": TUNED, "version": "1"}},
}


@pytest.mark.parametrize("version", API_VERSIONS)
def test_versions_with_tags_are_taken(arm: ArmEmulator, version: str) -> None:
    assert get(arm, f"{arm.resource.id}/deployments?api-version={version}").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "{id}/deployments",
        "{id}/deployments?api-version=2023-05-01",
        "{id}/deployments?api-version=2099-01-01",
        "{id}/deployments?api-version=2025-12-01&api-version=2025-12-01",
        "{id}/deployments?api-version=2025-12-01&$top=3",
        "{id}/deployment?api-version=2025-12-01",
        "{id}/deployments/a/b?api-version=2025-12-01",
        "/subscriptions?api-version=2025-12-01",
    ],
)
def test_unknown_path_version_or_parameter_is_400(arm: ArmEmulator, target: str) -> None:
    answer = get(arm, target.replace("{id}", arm.resource.id))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"]


def test_other_methods_are_400(arm: ArmEmulator) -> None:
    for method in ("POST", "HEAD"):
        assert send(arm, method, bot(arm)).status_code == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**GOOD, "location": "here"}, "InvalidRequestContent"),
        ({**GOOD, "tags": {"a": 1}}, "InvalidTagValue"),
        ({**GOOD, "tags": {"a": "x" * 257}}, "InvalidTagValue"),
        ({**GOOD, "tags": {"a/b": "x"}}, "InvalidTagNameCharacters"),
        ({**GOOD, "tags": {str(n): "x" for n in range(51)}}, "InvalidTags"),
        ({**GOOD, "sku": {"name": "GlobalStandard", "cap": 1}}, "InvalidRequestContent"),
        ({**GOOD, "sku": {"name": "GlobalStandard", "capacity": 0}}, "InvalidRequestContent"),
        ({**GOOD, "sku": None}, "InvalidRequestContent"),
        ({"sku": GOOD["sku"]}, "InvalidRequestContent"),
        ({**GOOD, "properties": {}}, "InvalidRequestContent"),
        ({**GOOD, "properties": {"model": {"name": TUNED}}}, "InvalidRequestContent"),
        (
            {**GOOD, "properties": {"model": {**GOOD["properties"]["model"], "x": 1}}},
            "InvalidRequestContent",
        ),
        (
            {**GOOD, "properties": {"model": {**GOOD["properties"]["model"], "version": "2"}}},
            "DeploymentModelNotSupported",
        ),
        (
            {**GOOD, "properties": {"model": {**GOOD["properties"]["model"], "name": "x"}}},
            "DeploymentModelNotSupported",
        ),
        ({**GOOD, "sku": {"name": "Turbo", "capacity": 1}}, "InvalidResourceProperties"),
        ({**GOOD, "sku": {"name": "Standard", "capacity": 9999}}, "InsufficientQuota"),
        ([], "InvalidRequestContent"),
    ],
)
def test_bad_body_is_400_by_code(arm: ArmEmulator, body: object, code: str) -> None:
    answer = send(arm, "PUT", bot(arm), json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert arm.resource.deployments == []


def test_what_is_no_json_is_refused(arm: ArmEmulator) -> None:
    json_type = {"Content-Type": "application/json"}
    assert send(arm, "PUT", bot(arm), content=b"{", headers=json_type).status_code == 400
    plain = {"Content-Type": "text/plain"}
    assert send(arm, "PUT", bot(arm), content=b"{}", headers=plain).status_code == 415
    assert send(arm, "GET", bot(arm), content=b"{}", headers=json_type).status_code == 400


def test_wrong_format_is_500_without_a_word(arm: ArmEmulator) -> None:
    body = json.loads(json.dumps(GOOD))
    body["properties"]["model"]["format"] = "OpenAI-OSS"
    answer = send(arm, "PUT", bot(arm), json=body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "")


def test_put_and_delete_in_the_middle_of_another(arm: ArmEmulator) -> None:
    assert send(arm, "PUT", bot(arm), json=GOOD).status_code == 201
    assert send(arm, "PUT", bot(arm), json=GOOD).status_code == 409
    arm.resource.clock.sleep(61)
    assert send(arm, "PUT", bot(arm), json=GOOD).status_code == 200
    other = f"{BASE}.ft-2"
    arm.resource.plant(other, base=BASE)
    body = json.loads(json.dumps(GOOD))
    body["properties"]["model"]["name"] = other
    assert send(arm, "PUT", bot(arm), json=body).status_code == 409
    assert send(arm, "DELETE", bot(arm)).status_code == 202
    assert send(arm, "PATCH", bot(arm), json={"tags": {}}).status_code == 409
    assert send(arm, "PUT", bot(arm), json=GOOD).status_code == 409
    arm.resource.clock.sleep(61)
    assert send(arm, "DELETE", bot(arm)).status_code == 204


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "InvalidAuthenticationToken"),
        ("Bearer x.y.z", "InvalidAuthenticationToken"),
        ("Bearer {data}", "InvalidAuthenticationTokenAudience"),
        ("Bearer {expired}", "ExpiredAuthenticationToken"),
    ],
)
def test_tokens_are_looked_at(arm: ArmEmulator, header: str, code: str) -> None:
    expired = arm.identity.token(ARM_AUDIENCE)
    arm.identity.expire()
    data = arm.identity.token("https://ai.azure.com")
    given = {"Authorization": header.format(data=data, expired=expired)}
    answer = get(arm, bot(arm), headers=given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_record_holds_no_token(arm: ArmEmulator, sdk: CognitiveServicesManagementClient) -> None:
    sdk.accounts.get(*where(arm))
    headers = {"x-ms-authorization-auxiliary": "Bearer secret-of-another-tenant"}
    send(arm, "PUT", bot(arm), json=GOOD, headers=headers)
    shown = [request.model_dump_json() for request in arm.requests]
    head = arm.identity.token("x").partition(".")[0]
    assert not any(head in text or "secret-of-another" in text for text in shown)


# --- what the service deletes by itself ----------------------------------------------------------


def test_unused_for_fifteen_days_is_removed_and_a_chat_counts_as_use(arm: ArmEmulator) -> None:
    arm.resource.add("used", model=TUNED)
    arm.resource.add("idle", model=TUNED)
    for _ in range(15):
        arm.resource.clock.sleep(86_400)
        assert arm.resource.answering("used") == TUNED
    assert [d["id"] for d in arm.resource.deployments] == ["used"]
    assert arm.resource.serving(TUNED) == ["used"]


def test_data_plane_is_told_what_answers(arm: ArmEmulator) -> None:
    assert arm.resource.silence("bot") == "DeploymentNotFound"
    assert send(arm, "PUT", bot(arm), json=GOOD).status_code == 201
    words = []
    for _ in range(5):
        words.append(arm.resource.silence("bot"))
        arm.resource.clock.sleep(25)
    assert words == ["DeploymentNotFound"] * 3 + ["DeploymentNotReady", None]


# --- certificates, identity, faults --------------------------------------------------------------


def test_nobody_trusts_it_unasked(arm: ArmEmulator, tmp_path: Path) -> None:
    with httpx2.Client(trust_env=False) as http, pytest.raises(httpx2.ConnectError):
        http.get(arm.root_url)
    other = Authority(tmp_path)
    with (
        httpx2.Client(verify=other.trusting(), trust_env=False) as http,
        pytest.raises(httpx2.ConnectError),
    ):
        http.get(arm.root_url)
    assert arm.requests == []


def test_keys_are_made_anew_and_stay_with_their_folder(tmp_path: Path) -> None:
    one, two = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    assert one.bundle.read_bytes() != two.bundle.read_bytes()
    assert Authority(tmp_path / "a").bundle.read_bytes() == one.bundle.read_bytes()
    assert (tmp_path / "a" / "server.pem").stat().st_mode & 0o077 == 0
    assert b"PRIVATE" not in one.bundle.read_bytes()
    strict = ssl.create_default_context(cafile=str(one.bundle))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    assert len(strict.get_ca_certs()) == 1


def test_identity_gives_tokens_for_what_is_asked() -> None:
    with IdentityEmulator() as identity, environment(identity.environment):
        with DefaultAzureCredential() as credential:
            token = credential.get_token("https://ai.azure.com/.default").token
        assert identity.verdict(f"Bearer {token}", ("https://ai.azure.com",)) == "right"
        assert identity.verdict(f"Bearer {token}", (ARM_AUDIENCE,)) == "audience"
        assert identity.verdict(None, (ARM_AUDIENCE,)) == "missing"
        assert identity.asked == ["https://ai.azure.com"]
        url = identity.environment["IDENTITY_ENDPOINT"]
        version = {"api-version": "2019-08-01", "resource": "x"}
        right = {"X-IDENTITY-HEADER": identity.header}
        with httpx2.Client(trust_env=False) as http:
            assert http.get(url, params=version).status_code == 401
            assert http.get(url, params={"resource": "x"}, headers=right).status_code == 400
            assert http.post(url, headers=right).status_code == 404
            identity.refuses = True
            assert http.get(url, params=version, headers=right).status_code == 400


def test_faults_are_those_of_this_emulator(arm: ArmEmulator) -> None:
    with pytest.raises(ValueError, match="Deployments_Get"):
        ArmFault("createFile", kind="reset")
    fault = ArmFault("Deployments_Get", kind="rate_limit", seconds=7)
    arm.faults.inject(fault)
    answer = get(arm, bot(arm))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    (fired,) = arm.faults.firings
    assert (fired.operation, fired.fault.kind.value) == ("Deployments_Get", "rate_limit")
    assert get(arm, bot(arm)).status_code == 404


def test_fault_in_a_long_running_operation(
    arm: ArmEmulator, sdk: CognitiveServicesManagementClient
) -> None:
    arm.faults.inject(ArmFault("Operations_Status", kind="forbidden"))
    poller = sdk.deployments.begin_create_or_update(*where(arm), "bot", wanted())
    with pytest.raises(HttpResponseError) as refused:
        poller.result()
    assert refused.value.status_code == 403
    assert [d["id"] for d in arm.resource.deployments] == ["bot"]


def test_list_lag_hides_what_was_just_made(arm: ArmEmulator) -> None:
    arm.faults.inject(ArmFault("Deployments_CreateOrUpdate", kind="list_lag", seconds=30))
    assert send(arm, "PUT", bot(arm), json=GOOD).status_code == 201
    target = f"{arm.resource.id}/deployments?api-version={API_VERSION}"
    assert get(arm, target).json()["value"] == []
    assert get(arm, bot(arm)).status_code == 200
    arm.resource.clock.sleep(31)
    assert len(get(arm, target).json()["value"]) == 1


def test_state_is_kept_in_a_folder(tmp_path: Path) -> None:
    first = Resource(folder=tmp_path)
    first.add("bot", model=TUNED, tags=TAGS)
    again = Resource(folder=tmp_path)
    assert [d["tags"] for d in again.deployments] == [TAGS]
    assert again.id == first.id


def test_stop_and_start_at_the_same_address(arm: ArmEmulator) -> None:
    url = arm.root_url
    arm.stop()
    with pytest.raises(httpx2.ConnectError):
        get(arm, bot(arm))
    arm.start()
    assert arm.root_url == url
    assert get(arm, bot(arm)).status_code == 404
