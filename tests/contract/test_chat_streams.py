"""Answers as they come, over the real SDK and over plain HTTP; and the hosts that lie about it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr
from typing_extensions import override

from ftproviders.adapters.openai.adapter import OpenAIHosting
from ftproviders.errors import NotFoundError, ProviderConnectionError, ProviderError
from ftproviders.provider import HostingAdapter
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import ChatReply, Endpoint
from ftproviders.testing import HostingContract
from ftproviders.testing.memory.hosting import MemoryHosting
from ftproviders.testing.openai import OpenAIEmulator
from tests.contract.memory_rig import MemoryHostingRig
from tests.contract.openai_world import MODEL, OpenAIWorld

QUESTION = "What may I ask you today, please?"


class PlainHosting(OpenAIHosting):
    """The default of every host: neither an SDK nor anything overridden."""

    chat = HostingAdapter.chat
    stream = HostingAdapter.stream
    translate = HostingAdapter.translate


class World(OpenAIWorld):
    hosting: type[OpenAIHosting] = OpenAIHosting

    @override
    def adapters(self, settings: object) -> dict[str, object]:
        host = self.hosting(settings)  # type: ignore[arg-type] # what `settings` of this world gives
        return {**super().adapters(settings), "hosts": {self.provider: host}}


class PlainWorld(World):
    hosting = PlainHosting


@pytest.fixture(params=[World, PlainWorld], ids=["sdk", "http"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World = request.param(tmp_path)
    yield made
    made.close()


def test_an_answer_comes_in_pieces(world: World) -> None:
    client = world.client()
    whole = client.chat("openai", MODEL, QUESTION)
    with client.chat_stream("openai", MODEL, QUESTION) as answer:
        pieces = list(answer)
    assert len(pieces) > 1
    assert "".join(pieces) == answer.text == whole.text
    assert answer.reply == whole
    assert world.server.requests_of("createChatCompletion")[-1].body["stream"] is True


def test_reply_reads_what_was_not_read(world: World) -> None:
    client = world.client()
    answer = client.chat_stream("openai", MODEL, QUESTION)
    first = next(answer)
    assert answer.text == first
    assert answer.reply.text.startswith(first)
    assert list(answer) == []


def test_a_refusal_is_told_at_once(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.client().chat_stream("openai", "ft:nobody", QUESTION)


def test_a_busy_server_is_asked_again_before_the_first_piece(world: World) -> None:
    world.inject("createChatCompletion", "rate_limit", seconds=1)
    answer = world.client().chat_stream("openai", MODEL, QUESTION)
    assert answer.reply.text
    assert world.sent("createChatCompletion") == 2


def test_what_came_before_a_break_is_kept(world: World) -> None:
    client = world.client()
    whole = client.chat("openai", MODEL, QUESTION).text
    world.inject("createChatCompletion", "truncated", when="after")
    answer = client.chat_stream("openai", MODEL, QUESTION)
    with pytest.raises(ProviderConnectionError, match="broke the answer off") as caught:
        list(answer)
    assert answer.text
    assert whole.startswith(answer.text)
    assert caught.value.received == answer.text
    assert world.sent("createChatCompletion") == 2  # never again by itself


def test_who_stops_reading_lets_the_connection_go(world: World) -> None:
    answer = world.client().chat_stream("openai", MODEL, QUESTION)
    with answer:
        next(answer)
    with pytest.raises(ProviderError, match="not read to its end"):
        _ = answer.reply


# --- hosts that lie -------------------------------------------------------------------------------


class LosesAPiece(MemoryHosting):
    @override
    def stream(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, ChatReply]:
        honest = super().stream(endpoint, messages, temperature=temperature, max_tokens=max_tokens)
        next(honest)
        return (yield from honest)


class SaysOtherwise(MemoryHosting):
    @override
    def stream(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, ChatReply]:
        yield "Yes."
        return ChatReply(text="Yes.", model=endpoint.model)


class EndsWithNothing(MemoryHosting):
    @override
    def stream(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, ChatReply]:
        yield from super().stream(
            endpoint, messages, temperature=temperature, max_tokens=max_tokens
        )
        return None  # type: ignore[return-value] # the lie


@pytest.mark.parametrize(
    ("liar", "sentence"),
    [
        (LosesAPiece, "is not"),
        (SaysOtherwise, "'Yes.' is not"),
        (EndsWithNothing, "a stream ends with the whole answer"),
    ],
)
def test_the_liar_is_caught(tmp_path: Path, liar: type[MemoryHosting], sentence: str) -> None:
    check = HostingContract().test_answer_can_be_streamed
    rig = MemoryHostingRig(tmp_path)
    check(rig)
    rig = MemoryHostingRig(tmp_path)
    rig.adapter_class = liar
    with pytest.raises(AssertionError, match=sentence):
        check(rig)


def test_a_host_with_a_shape_of_its_own_answers_in_one_piece(tmp_path: Path) -> None:
    class WholeOnly(MemoryHosting):
        stream = HostingAdapter.stream

    rig = MemoryHostingRig(tmp_path)
    rig.adapter_class = WholeOnly
    HostingContract().test_answer_can_be_streamed(rig)
    host = rig.shared
    pieces = list(host.stream(host.endpoint(rig.model()), [ChatMessage(role="user", content="Hi")]))
    assert len(pieces) == 1


def test_the_key_stays_out_of_a_broken_answer(tmp_path: Path) -> None:
    key = "sk-planted-0123456789abcdef0123456789abcdef"
    world = World(tmp_path)
    try:
        with pytest.raises(ProviderError) as caught:
            world.client(api_key=SecretStr(key)).chat_stream("openai", MODEL, QUESTION)
        assert key not in f"{caught.value!r}{caught.value}{caught.value.raw}"
    finally:
        world.close()
    assert isinstance(world.server, OpenAIEmulator)
