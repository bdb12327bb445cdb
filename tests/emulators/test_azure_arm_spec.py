"""Requests to Azure Resource Manager, held against the description of the pinned api-version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import pytest

from ftproviders.adapters.azure_openai.management import API_VERSION
from ftproviders.errors import FineTuneError
from ftproviders.schema.deployment import DeploymentSpec, Lease
from ftproviders.schema.job import TunedModel
from ftproviders.testing.azure_openai.arm import ArmEmulator
from ftproviders.testing.azure_openai.arm_operations import OPERATIONS
from ftproviders.testing.azure_openai.hosting_rig import AzureHostingRig
from ftproviders.testing.azure_openai.identity import ARM_AUDIENCE
from tests.emulators.spec import FOLDER, Description

OF_THE_ADAPTER = {operation.name for operation in OPERATIONS} - {"Operations_Result"}
"""What the adapter uses; what ``Location`` points at is never asked for."""
EXCEPTIONS = (
    # The address comes from the service, in the header Azure-AsyncOperation; every provider of
    # Resource Manager has it, and none describes it.
    r"^GET /subscriptions/[^/]+/providers/Microsoft\.CognitiveServices/locations/[^/]+/operations/",
    # Another provider's: Microsoft.Authorization 2022-04-01, Permissions_ListForResource.
    r"^GET .*/providers/Microsoft\.Authorization/permissions:",
)
"""Requests that the description does not have, and why they are sent all the same."""


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(FOLDER / f"arm_cs_{API_VERSION}.json")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureHostingRig]:
    rig = AzureHostingRig(tmp_path_factory.mktemp("spec"))
    live(rig)
    yield rig
    rig.close()


def live(rig: AzureHostingRig) -> None:
    """Send every request that the adapter can send, with every field that it knows."""
    host, model = rig.adapter(), rig.model()
    end = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
    every = {
        "sku": "Standard", "capacity": 3, "rai_policy": "Microsoft.Default",
        "version_upgrade": "NoAutoUpgrade", "spillover": "other", "source": rig.resource.id,
    }  # fmt: skip
    for name, options in (("plain", {}), ("full", every), ("third", {}), ("fourth", {})):
        lease = Lease(id=name, owner="me@here", expires_at=end)
        host.deploy(model, DeploymentSpec(name=name, lease=lease, options=options))
    other = {"source_account": rig.resource.id, "source_tenant": "tenant"}
    host.deploy(model, DeploymentSpec(name="tenant", options=other))
    rig.clock.sleep(300)
    page = host.deployments()
    while page.cursor is not None:
        page = host.deployments(cursor=page.cursor)
    ref = host.deployment(page.deployments[0].ref).ref
    host.now()
    host.requirements(ask=True)
    host.extend(ref, Lease(id=ref.id, owner="me@here", expires_at=end))
    host.undeploy(ref)
    rig.arm.fail_next_deployment()
    failed = host.deploy(model, DeploymentSpec(name="failing"))
    rig.clock.sleep(300)
    host.deployment(failed)


def test_a_whole_life_keeps_to_the_description(
    description: Description, lived: AzureHostingRig
) -> None:
    requests = lived.arm.requests
    problems = [
        f"{request.method} {request.path}: {problem}"
        for request in requests
        for problem in description.request_problems(request)
    ]
    excused = [p for p in problems if any(re.search(one, p) for one in EXCEPTIONS)]
    assert [p for p in problems if p not in excused] == []
    # An exception that nothing needs any more is taken out.
    for exception in EXCEPTIONS:
        assert any(re.search(exception, problem) for problem in excused), exception
    assert {request.operation for request in requests} == OF_THE_ADAPTER
    assert {request.status for request in requests} <= {200, 201, 202, 404}


def test_every_request_carries_the_pinned_version(lived: AzureHostingRig) -> None:
    for request in lived.arm.requests:
        expected = API_VERSION
        if request.operation == "Permissions_ListForResource":
            expected = "2022-04-01"
        assert dict(request.query)["api-version"] == expected, request.path


def test_the_description_has_tags_on_deployments(description: Description) -> None:
    (path,) = [p for p in description.document["paths"] if p.endswith("{deploymentName}")]
    schema = description.document["paths"][path]["put"]["requestBody"]["content"]
    body = {"tags": {"a": "b"}}
    assert list(description.problems(schema["application/json"]["schema"], body, closed=True)) == []
    strange = {"tags": {"a": 1}, "label": "x"}
    found = list(description.problems(schema["application/json"]["schema"], strange, closed=True))
    assert len(found) == 2


def test_answers_keep_to_the_description(description: Description, lived: AzureHostingRig) -> None:
    arm: ArmEmulator = lived.arm
    root = f"{arm.root_url}{arm.resource.id}"
    token = arm.identity.token(ARM_AUDIENCE)
    checked = 0
    with httpx2.Client(verify=arm.authority.trusting(), trust_env=False) as http:
        for path in ("", "/deployments", "/deployments/plain", "/deployments/failing"):
            answer = http.get(
                f"{root}{path}?api-version={API_VERSION}",
                headers={"Authorization": f"Bearer {token}"},
            )
            match = description.match("GET", f"{arm.resource.id}{path}")
            assert match is not None
            schema = match.operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert list(description.problems(schema, answer.json(), closed=False)) == []
            checked += answer.status_code == 200
    assert checked == 4


@pytest.mark.parametrize(
    "strange",
    [
        {"properties": {"model": {"format": "OpenAI", "flavour": "x"}}},
        {"properties": {"deploymentStat": "Running"}},
        {"sku": {"name": "Standard", "size_": 1}},
        {"tags": {"a": {"b": "c"}}},
        {"location": "here"},
    ],
)
def test_a_strange_body_is_found(description: Description, strange: dict[str, object]) -> None:
    (path,) = [p for p in description.document["paths"] if p.endswith("{deploymentName}")]
    content = description.document["paths"][path]["put"]["requestBody"]["content"]
    assert list(description.problems(content["application/json"]["schema"], strange, closed=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "/subscriptions/s/providers/Microsoft.CognitiveServices/x"}, "no such request"),
        ({"method": "POST"}, "no such request"),
        ({"query": ()}, "'api-version' is missing"),
        ({"query": (("api-version", API_VERSION), ("colour", "red"))}, "'colour' is unknown"),
        ({"body": {"colour": "red"}}, "colour"),
    ],
)
def test_a_wrong_request_is_named_and_not_excused(
    description: Description, lived: AzureHostingRig, change: dict[str, object], words: str
) -> None:
    made = lived.arm.requests_of("Deployments_CreateOrUpdate")[0]
    assert list(description.request_problems(made)) == []
    wrong = made.model_copy(update=change)
    found = [f"{wrong.method} {wrong.path}: {p}" for p in description.request_problems(wrong)]
    assert words in " ".join(found)
    assert not [one for one in found for known in EXCEPTIONS if re.search(known, one)]


def test_unknown_model_reaches_the_service_as_it_is(lived: AzureHostingRig) -> None:
    host = lived.adapter()
    unknown = TunedModel(
        source=lived.model().source, name="somebody-elses.ft-1", provider="azure-openai"
    )
    with pytest.raises(FineTuneError):
        host.deploy(unknown, DeploymentSpec(name="unknown"))
    body = lived.arm.requests_of("Deployments_CreateOrUpdate")[-1].body
    assert isinstance(body, dict)
    assert body["properties"]["model"]["name"] == "somebody-elses.ft-1"
