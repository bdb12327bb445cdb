"""Keys, addresses, redirects, and answers that cannot be used."""

from __future__ import annotations

import logging
import traceback

import httpx2
import pytest
from pydantic import SecretStr

from ftproviders.adapters.openai.adapter import OpenAIAdapter, OpenAIHosting
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.errors import (
    AuthenticationError,
    FineTuneError,
    InvalidRequestError,
    MissingCredentialsError,
    ProviderError,
    UnexpectedResponseError,
)
from ftproviders.schema.job import JobRef, SubmissionQuery
from ftproviders.testing.checks import as_runtime
from ftproviders.testing.openai import OpenAIEmulator
from tests.contract.openai_world import KEY, MODEL, Make, over
from tests.unit.data.test_secrets import CASES


def test_a_redirect_carries_neither_key_nor_data(make: Make) -> None:
    world = make()
    with OpenAIEmulator() as other:
        for operation in ("createFile", "createFineTuningJob", "retrieveModel"):
            world.inject(operation, "redirect", word=f"{other.base_url}/files")
        client = world.client()
        for _ in range(2):
            with pytest.raises(InvalidRequestError, match="307") as caught:
                client.submit(client.plan(world.spec()))
            assert "base_url" in caught.value.hint
        assert list(other.requests) == []
    assert world.server.jobs() == []


def test_only_our_settings_count(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody-else")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_of_somebody_else")
    others = ("Authorization: Bearer sk-else", "openai-project: proj_x", "X-Team: t", "none", "")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(others))
    world.client().models("openai")
    named = OpenAIAdapter(world.settings(organization="org-1", project="proj_1"))
    named.models()
    named.close()
    bare, ours = (request.headers for request in world.server.requests_of("listModels"))
    assert not {"openai-organization", "openai-project", "x-team"} & set(bare)
    assert {request.key for request in world.server.requests} == {"right"}
    assert (ours["openai-organization"], ours["openai-project"]) == ("org-1", "proj_1")


def test_openai_itself_needs_a_key_and_others_may_not() -> None:
    for kind in (OpenAIAdapter, OpenAIHosting):
        assert isinstance(kind(OpenAISettings()).preflight(), MissingCredentialsError)
        assert kind(OpenAISettings(base_url="http://127.0.0.1:1/v1")).preflight() is None


def test_a_key_that_is_missing_or_wrong_is_told_apart(make: Make) -> None:
    world = make()
    for key, words in ((None, "None is set: OPENAI_API_KEY"), (SecretStr("sk-x"), "It is that of")):
        with pytest.raises(AuthenticationError) as caught:
            world.client(api_key=key).models("openai")
        assert words in caught.value.hint


def test_an_error_says_which_address_was_not_reached(make: Make) -> None:
    world = make()
    world.inject("listModels", "timeout", seconds=0.2, times=None)
    for settings in ({"timeout_seconds": 0.1}, {"base_url": "http://127.0.0.1:9/v1"}):
        client = world.client(**settings)
        with pytest.raises(ProviderError) as caught:
            client.models("openai")
        assert settings.get("base_url", world.server.base_url) in caught.value.message


def answering(status: int, body: object, **headers: str) -> OpenAIAdapter:
    transport = httpx2.MockTransport(
        lambda _request: httpx2.Response(status, json=body, headers=headers)
    )
    settings = OpenAISettings(api_key=SecretStr(KEY), base_url="http://127.0.0.1:9/v1")
    return OpenAIAdapter(settings, client=over(transport))


@pytest.mark.parametrize("secret", [KEY, *(shown + hidden for _, shown, hidden in CASES)])
def test_no_key_in_an_answer_is_repeated(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hidden = next((h for _, shown, h in CASES if shown + h == secret), secret)
    inner = {
        "message": f"Incorrect key: {secret} given",
        "code": secret,
        "type": "x",
        "param": None,
    }
    refused = answering(401, {"error": inner, secret: secret})
    with pytest.raises(FineTuneError) as caught:
        as_runtime(refused, "retrieve", lambda: refused.retrieve(JobRef(provider="openai", id="j")))
    error = caught.value
    lines = traceback.format_exception(error)
    told = [str(error), repr(error), repr(vars(error)), repr(error.__cause__), "".join(lines)]
    told.append(repr(vars(error.__cause__)))
    job = {"id": "ftjob-1", "status": "failed", "model": "m", "metadata": {"note": secret},
           "error": {"message": f"about {secret} and more", "code": "x"}}  # fmt: skip
    read = answering(200, job).retrieve(JobRef(provider="openai", id="ftjob-1"))
    told += [repr(read), read.model_dump_json(), caplog.text]
    for text in told:
        assert hidden not in text


def test_a_request_id_that_holds_the_key_is_not_repeated() -> None:
    refused = answering(401, {"error": {"message": "no"}}, **{"x-request-id": f"req_{KEY}"})
    with pytest.raises(FineTuneError) as caught:
        as_runtime(refused, "retrieve", lambda: refused.retrieve(JobRef(provider="openai", id="j")))
    told = [repr(vars(error)) for error in (caught.value, caught.value.__cause__)]
    assert "req_***" in told[0]
    assert not [text for text in told if KEY in text]


@pytest.mark.parametrize(
    "body", [[], "text", 3, None, {"data": None}, {"data": "x"}, {"object": "list"}]
)
def test_a_list_that_is_none_is_never_taken_for_an_empty_one(body: object) -> None:
    adapter = answering(200, body)
    query = SubmissionQuery(submission_id="ftabc", base_model=MODEL)
    with pytest.raises(UnexpectedResponseError) as caught:
        as_runtime(adapter, "find", lambda: adapter.find(query))
    assert caught.value.operation == "find"


def test_a_list_without_end_is_noticed() -> None:
    adapter = answering(200, {"data": [{"id": "ftjob-1", "status": "x"}], "has_more": True})
    query = SubmissionQuery(submission_id="ftabc", base_model=MODEL)
    with pytest.raises(UnexpectedResponseError, match="come round again"):
        adapter.find(query)


@pytest.mark.parametrize(
    ("error", "unclear"),
    [
        (httpx2.ConnectError("refused"), False),
        (httpx2.ConnectTimeout("slow"), False),
        (httpx2.ReadTimeout("slow"), True),
        (httpx2.ReadError("broke"), True),
        (httpx2.RemoteProtocolError("broke"), True),
    ],
)
def test_what_never_left_is_told_from_what_may_have_arrived(
    error: Exception, unclear: bool
) -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise error

    adapter = OpenAIAdapter(OpenAISettings(), client=over(httpx2.MockTransport(fail)))
    with pytest.raises(ProviderError) as caught:
        as_runtime(adapter, "create", adapter.models)
    assert caught.value.maybe_executed is unclear
    assert caught.value.retryable
