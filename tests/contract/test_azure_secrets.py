"""Tokens and keys of Azure that a service says back: they are repeated nowhere.

The management plane and the operations it names know the bearer token of each request, and so do
proxies between; whatever they put into an answer ends up in errors, `doctor`, journal and logs.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from typing_extensions import override

from ftproviders.adapters.azure_openai import adapter as adapters
from ftproviders.adapters.azure_openai import plane as planes
from ftproviders.adapters.azure_openai.adapter import make_connection
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.errors import ConfigurationError, FineTuneError, UnexpectedResponseError
from ftproviders.testing.azure_openai.arm_faults import ArmError
from ftproviders.testing.openai.wire import RawRequest
from tests.contract.azure_hosting_world import MODEL, TUNED, AzureWorld

OPAQUE = "q7" * 20
"""A token that looks like nothing: that it is one must be known from having asked for it."""


class _Opaque:
    """A credential whose tokens have no shape."""

    def get_token(self, *_scopes: str, **_more: str) -> object:
        return type("Token", (), {"token": OPAQUE, "expires_on": 9_999_999_999})()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AzureWorld]:
    world = AzureWorld(tmp_path)
    yield world
    world.close()


def everything(error: BaseException | None) -> str:
    """Return all that anybody can print of an error and of what is behind it."""
    texts: list[str] = []
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


class _PageError(ArmError):
    """Words of a proxy, which know nothing of how errors are written here."""

    @property
    @override
    def body(self) -> dict[str, str]:
        return {"page": str(self)}


def _echo(world: AzureWorld, status: int, *, strange: bool) -> list[str]:
    """Let the management plane refuse every request and repeat its token; return the tokens."""
    seen: list[str] = []

    def let_in(raw: RawRequest) -> None:
        seen.append(raw.headers["authorization"].removeprefix("Bearer "))
        kind = _PageError if strange else ArmError
        raise kind(status, f"Code {seen[-1]}", f"You sent Bearer {seen[-1]} and ?t={seen[-1]}")

    world.arm._let_in = let_in
    return seen


@pytest.mark.parametrize("strange", [False, True])
@pytest.mark.parametrize("status", [400, 401, 403, 409, 500])
@pytest.mark.parametrize("opaque", [False, True])
def test_token_that_the_management_plane_repeats_is_shown_nowhere(
    world: AzureWorld,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    opaque: bool,
    strange: bool,
) -> None:
    if opaque:
        monkeypatch.setattr(planes, "default_credential", _Opaque)
    seen = _echo(world, status, strange=strange)
    caplog.set_level(logging.DEBUG)
    client = world.client(attempts=1)
    asks: list[Callable[[], object]] = [
        lambda: client.deployments("azure-openai"),
        lambda: client.deploy(MODEL, name="bot"),
        lambda: client.deployment("azure-openai:bot").undeploy(),
        world.host()._plane.permissions,
    ]
    for ask in asks:
        with pytest.raises(FineTuneError) as refused:
            ask()
        assert seen
        assert seen[-1] not in everything(refused.value)
        # What it says beside the token is still there.
        assert strange or "You sent Bearer ***" in str(refused.value)
    needs = repr(list(world.host().requirements(ask=True)))
    assert not [token for token in seen if token in needs + caplog.text]
    kept = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert not [token for token in seen if token.encode() in kept]


def test_token_of_the_source_tenant_is_asked_for_there_and_shown_nowhere(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = world.arm.identity.token("https://management.azure.com")
    asked: list[tuple[str, str | None]] = []

    class Tenants(_Opaque):
        @override
        def get_token(self, *scopes: str, **more: str) -> object:
            asked.append((scopes[0], more.get("tenant_id")))
            found = OPAQUE if more.get("tenant_id") else own
            return type("Token", (), {"token": found, "expires_on": 9_999_999_999})()

    monkeypatch.setattr(planes, "default_credential", Tenants)
    caplog.set_level(logging.DEBUG)
    options = {"source_account": world.resource.id, "source_tenant": "the-other"}
    world.client().deploy(MODEL, name="bot", options=options)
    scope = "https://management.azure.com/.default"
    assert set(asked) == {(scope, None), (scope, "the-other")}
    (put,) = world.arm.requests_of("Deployments_CreateOrUpdate")
    assert put.key == "right"
    assert "x-ms-authorization-auxiliary" in put.headers
    assert OPAQUE not in caplog.text


def test_token_in_the_reason_of_a_failure_is_shown_nowhere(
    world: AzureWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = world.arm.identity.token("https://management.azure.com")
    world.arm.fail_next_deployment(code="Broken", message=f"It failed for {token}.")
    made = world.client().deploy(MODEL, name="bot")
    with pytest.raises(FineTuneError, match=r"It failed for \*\*\*") as failed:
        made.wait_ready()
    assert token not in everything(failed.value) + caplog.text
    (seen,) = world.client().deployments("azure-openai")
    assert token not in repr(seen)


@pytest.mark.parametrize("version", ["v1", "2025-04-01-preview"])
def test_token_that_the_data_plane_repeats_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(adapters, "default_credential", _Opaque)
    told = {"error": {"code": "401", "message": f"you sent {OPAQUE}"}, OPAQUE: OPAQUE}
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(401, json=told, request=request)

    def client(**_given: object) -> httpx2.Client:
        return httpx2.Client(transport=httpx2.MockTransport(answer))

    monkeypatch.setattr(openai, "DefaultHttpx2Client", client)
    settings = AzureOpenAISettings.model_validate(
        {"home": tmp_path, "endpoint": "http://127.0.0.1:9", "api_version": version}
    )
    connection = make_connection(settings)
    with pytest.raises(openai.AuthenticationError) as caught:
        connection.ask(connection.client.files.with_raw_response.list)
    error = connection.translated(caught.value, operation="find")
    connection.close()
    assert asked[0].headers["authorization"] == f"Bearer {OPAQUE}"
    assert error is not None
    assert "you sent ***" in str(error)
    assert OPAQUE not in everything(error) + everything(caught.value)


def test_list_that_goes_on_at_another_server_is_not_followed_there(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token to whatever host an answer names, whoever writes answers has the token."""
    for number in range(9):
        world.resource.add(f"bot-{number}", model=TUNED)
    told = world.arm._told

    def elsewhere(*given: Any) -> dict[str, Any]:
        body = told(*given)
        link = str(body.get("nextLink", "")).replace("127.0.0.1", "localhost")
        return {**body, "nextLink": link} if link else body

    monkeypatch.setattr(world.arm, "_told", elsewhere)
    with pytest.raises(UnexpectedResponseError, match="another server") as refused:
        world.client(attempts=1).deployments("azure-openai")
    assert "AZURE_ARM_ENDPOINT" in refused.value.hint
    assert {request.headers["host"] for request in world.arm.requests} == {
        world.arm.root_url.removeprefix("https://")
    }


def test_redirect_is_no_answer_to_what_the_caller_may_do(world: AzureWorld) -> None:
    elsewhere = world.arm.root_url.replace("127.0.0.1", "localhost")
    world.inject("Permissions_ListForResource", "redirect", word=f"{elsewhere}/x")
    (need,) = [n for n in world.host().requirements(ask=True) if not n.met]
    assert need.name == "role"
    assert "307" in need.detail
    assert not [r for r in world.arm.requests if r.headers["host"].startswith("localhost")]


@pytest.mark.parametrize("where", ["name", "rai_policy", "spillover"])
def test_key_in_what_a_deployment_is_called_is_refused_before_it_is_written_down(
    world: AzureWorld, where: str
) -> None:
    key = f"sk-{'a1B2' * 12}"
    options = {} if where == "name" else {where: key}
    name = key if where == "name" else "bot"
    with pytest.raises(ConfigurationError, match="looks like") as refused:
        world.client().deploy(MODEL, name=name, options=options)
    assert key not in everything(refused.value)
    assert world.arm.requests == []
    kept = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert key.encode() not in kept
