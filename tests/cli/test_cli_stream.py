"""``chat --stream``: the same answer, as it comes."""

from __future__ import annotations

import json

import pytest

from ftproviders.provider.streaming import pieces_of
from ftproviders.schema.deployment import Endpoint
from ftproviders.testing.memory.hosting import MemoryHosting
from tests.cli.program import Run

QUESTION = "Question number 3?"


def test_the_answer_is_the_same(run: Run, finished: str) -> None:
    whole = run("chat", finished, QUESTION)
    streamed = run("chat", finished, QUESTION, "--stream")
    assert (streamed.code, streamed.out) == (0, whole.out)
    assert whole.out == "Answer number 3.\n"
    deployment = run("deploy", finished, "--name", "bot", "--json").json["ref"]
    assert run("chat", deployment, QUESTION, "--stream").out == whole.out


def test_json_is_one_object_at_the_end(run: Run, finished: str) -> None:
    whole = run("chat", finished, QUESTION, "--json").json
    assert run("chat", finished, QUESTION, "--stream", "--json").json == whole


def test_what_came_before_a_break_is_shown(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {"model": "m", "choices": [{"index": 0, "delta": {"content": "Answer nu"}}]}

    def broken(_self: MemoryHosting, endpoint: Endpoint, *_: object, **__: object) -> object:
        return pieces_of([f"data: {json.dumps(event)}\n\n".encode()], endpoint)

    monkeypatch.setattr(MemoryHosting, "stream", broken)
    told = run("chat", finished, QUESTION, "--stream")
    assert (told.code, told.out) == (3, "Answer nu\n")
    assert "broke the answer off after 9 characters" in told.err
    error = run("chat", finished, QUESTION, "--stream", "--json")
    assert (error.code, error.json["received"]) == (3, "Answer nu")
    assert error.json["schema"] == "ftproviders.error/1"
