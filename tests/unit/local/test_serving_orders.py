"""What a local server is asked: defaults, refusals in OpenAI's shape, and clients that leave."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from ftproviders.worker.orders import MAX_TOKENS, Refused, checked
from ftproviders.worker.reading import GONE, Reader

CHAT, TEXT, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
ASKED = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("path", "body", "length"),
    [
        (CHAT, {"messages": ASKED}, "max_tokens"),
        (TEXT, {"prompt": "hi"}, "max_tokens"),
        (RESPONSES, {"input": "hi"}, "max_output_tokens"),
    ],
)
def test_length_and_stream_have_defaults(path: str, body: dict[str, Any], length: str) -> None:
    assert checked(path, body, model="m") == {**body, length: MAX_TOKENS, "stream": False}
    assert checked(path, {**body, length: 7, "stream": True}, model="m") == {
        **body,
        length: 7,
        "stream": True,
    }


def test_what_changes_nothing_is_left_out_and_the_newer_name_is_known() -> None:
    asked = {"n": 1, "logprobs": False, "user": "x", "stop": None, "max_completion_tokens": 3}
    body = {"model": "m", "messages": ASKED, **asked}
    kept = {"model": "m", "messages": ASKED, "max_tokens": 3, "stream": False}
    assert checked(CHAT, body, model="m") == kept


@pytest.mark.parametrize(
    ("path", "change", "param"),
    [
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": None}, "messages"),
        (CHAT, {"messages": "hi"}, "messages"),
        (CHAT, {"messages": [{"role": "user"}]}, "messages[0]"),
        (CHAT, {"messages": [*ASKED, {"role": "me", "content": "x"}]}, "messages[1]"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0]"),
        (CHAT, {"temperature": -1}, "temperature"),
        (CHAT, {"temperature": 2.5}, "temperature"),
        (CHAT, {"temperature": "hot"}, "temperature"),
        (CHAT, {"temperature": float("nan")}, "temperature"),
        (CHAT, {"top_p": 0}, "top_p"),
        (CHAT, {"max_tokens": 0}, "max_tokens"),
        (CHAT, {"max_tokens": True}, "max_tokens"),
        (CHAT, {"n": 2}, "n"),
        (CHAT, {"n": True}, "n"),
        (CHAT, {"logprobs": True}, "logprobs"),
        (CHAT, {"response_format": {"type": "json_object"}}, "response_format"),
        (CHAT, {"presence_penalty": 1}, "presence_penalty"),
        (CHAT, {"tool_choice": "required"}, "tool_choice"),
        (CHAT, {"generation_config": "{}"}, "generation_config"),
        (CHAT, {"logit_bias": {"a": 1}}, "logit_bias"),
        (CHAT, {"chat_template_kwargs": {"tokenize": False}}, "chat_template_kwargs"),
        (CHAT, {"no_such": 1}, "no_such"),
        (TEXT, {"prompt": ["a", "b"]}, "prompt"),
        (TEXT, {"echo": True}, "echo"),
        (TEXT, {"suffix": "x"}, "suffix"),
        (RESPONSES, {"input": []}, "input"),
        (RESPONSES, {"previous_response_id": "r"}, "previous_response_id"),
        (RESPONSES, {"store": True}, "store"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    path: str, change: dict[str, Any], param: str
) -> None:
    good: dict[str, dict[str, Any]] = {
        CHAT: {"messages": ASKED},
        TEXT: {"prompt": "hi"},
        RESPONSES: {"input": "hi"},
    }
    with pytest.raises(Refused) as told:
        checked(path, good[path] | change, model="m")
    assert (told.value.status, told.value.param) == (400, param)
    assert param in told.value.message


def test_tools_are_refused_where_the_template_would_leave_them_out() -> None:
    body = {"messages": ASKED, "tools": [{"type": "function", "function": {"name": "look"}}]}
    assert checked(CHAT, body, model="m")["tools"] == body["tools"]
    with pytest.raises(Refused, match="template does not write tools") as told:
        checked(CHAT, body, model="m", tools=False)
    assert (told.value.status, told.value.param) == (400, "tools")
    assert checked(CHAT, {**body, "tools": []}, model="m", tools=False)["tools"] == []


class Client:
    """One request to a reader in front of an application of ours."""

    def __init__(self, content: bytes) -> None:
        self.incoming: list[dict[str, Any]] = [{"type": "http.request", "body": content}]
        self.sent: list[Any] = []
        self.left = asyncio.Event()

    async def receive(self) -> Any:
        if self.incoming:
            return self.incoming.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def ask(self, app: Any) -> None:
        scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
        await Reader(app, model="m")(scope, self.receive, self.send)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{not json", 400, "invalid_json"),
        (b"\xff", 400, "invalid_json"),
        (b"[]", 400, None),
        (json.dumps({"model": "x", "messages": ASKED}).encode(), 404, "model_not_found"),
    ],
)
def test_refusals_have_the_shape_of_openai(content: bytes, status: int, code: str | None) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("a refused request must not reach the server")

    async def ask() -> list[Any]:
        client = Client(content)
        await client.ask(never)
        return client.sent

    start, body = asyncio.run(ask())
    assert start["status"] == status
    error = json.loads(body["body"])["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", code)


def test_client_that_leaves_is_told_to_the_generation_and_to_the_server() -> None:
    found: list[threading.Event] = []

    async def ask() -> None:
        client = Client(json.dumps({"messages": ASKED}).encode())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            message = await receive()
            assert json.loads(message["body"])["max_tokens"] == MAX_TOKENS
            assert dict(scope["headers"])[b"content-length"] == str(len(message["body"])).encode()
            gone = GONE.get()
            assert gone is not None
            assert not gone.is_set()
            client.left.set()
            assert await receive() == {"type": "http.disconnect"}
            found.append(gone)

        await client.ask(app)

    asyncio.run(ask())
    assert found[0].is_set()
