"""Server-sent events, cut anywhere, broken anywhere, from servers that do it their own way."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from ftproviders.errors import (
    ProviderConnectionError,
    ProviderError,
    ProviderUnavailableError,
    UnexpectedResponseError,
)
from ftproviders.provider.streaming import pieces_of
from ftproviders.schema.deployment import ChatReply, Endpoint

ENDPOINT = Endpoint(provider="memory", url="http://127.0.0.1:1/v1", model="asked")
DONE = "data: [DONE]\n\n"


def event(text: str | None = None, *, reason: str | None = None, **more: Any) -> str:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice], 'model': 'told', **more})}\n\n"


def read(pieces: Generator[str, None, ChatReply], into: list[str]) -> ChatReply:
    while True:
        try:
            into.append(next(pieces))
        except StopIteration as end:
            reply: ChatReply = end.value
            return reply


USAGE = 'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
WHOLE = event("Grü") + event("ße ☃") + event(reason="stop") + USAGE + DONE


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_pieces_do_not_depend_on_where_the_wire_cuts(size: int, end: str) -> None:
    body = WHOLE.replace("\n", end).encode()
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    pieces: list[str] = []
    reply = read(pieces_of(chunks, ENDPOINT), pieces)
    assert pieces == ["Grü", "ße ☃"]
    assert reply == ChatReply(
        text="Grüße ☃", model="told", finish_reason="stop", prompt_tokens=3, completion_tokens=2
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(": hello\n\nevent: message\nid: 7\n" + event("Hi") + DONE, id="comments"),
        pytest.param(event("Hi") + event(reason="stop"), id="no-done"),
        pytest.param(event("Hi") + DONE.strip(), id="no-line-feed-at-the-end"),
        pytest.param(event(None) + event("") + event("Hi") + DONE, id="empty-pieces"),
        pytest.param('data:{"choices": [{"delta":\ndata: {"content": "Hi"}}]}\n\n' + DONE,
                     id="two-lines"),
        pytest.param('{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}',
                     id="no-stream"),
        pytest.param('{\n"choices": [\n{"message": {"content": "Hi"}, "finish_reason": "stop"}]}\n',
                     id="no-stream-in-lines"),
        pytest.param(event("Hi") + 'data: {"choices": null, "usage": null}\n\n' + DONE, id="nulls"),
        pytest.param('data: {"choices": [{"index": 1, "delta": {"content": "No"}}]}\n\n'
                     + event("Hi") + DONE, id="second-choice"),
    ],
)  # fmt: skip
def test_servers_have_their_own_ways(body: str) -> None:
    pieces: list[str] = []
    assert read(pieces_of([body.encode()], ENDPOINT), pieces).text == "Hi"
    assert pieces == ["Hi"]


@pytest.mark.parametrize(
    ("body", "kind", "words", "before"),
    [
        (event("Hel"), ProviderConnectionError, "broke the answer off after 3 characters", ["Hel"]),
        (event("Hel") + 'data: {"error": {"code": "overloaded", "message": "SECRET"}}\n\n',
         ProviderUnavailableError, "(overloaded)", ["Hel"]),
        (event("Hel") + "data: {no\n\n", UnexpectedResponseError, "no chat completion", ["Hel"]),
        (event("Hel") + "data: 7\n\n", UnexpectedResponseError, "no chat completion", ["Hel"]),
        ("<html>no</html>", UnexpectedResponseError, "no chat completion", []),
        ("", UnexpectedResponseError, "no chat completion", []),
    ],
)  # fmt: skip
def test_what_breaks_is_an_error_and_what_came_is_kept(
    body: str, kind: type[ProviderError], words: str, before: list[str]
) -> None:
    pieces: list[str] = []
    with pytest.raises(kind) as caught:
        read(pieces_of([body.encode()], ENDPOINT), pieces)
    assert words in caught.value.message
    assert "SECRET" not in str(caught.value)
    assert caught.value.hint
    assert pieces == before
