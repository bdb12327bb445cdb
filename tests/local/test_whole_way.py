"""The whole way with real processes: create, watch, cancel, chat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ftproviders.adapters.local.hosting import LocalHostingAdapter
from ftproviders.errors import DeploymentError
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.deployment import ChatReply
from ftproviders.schema.job import JobStatus, ModelSource, TunedModel
from tests.local.conftest import ANSWERS, Bench, make_model


@pytest.fixture
def host(bench: Bench) -> Iterator[LocalHostingAdapter]:
    host = LocalHostingAdapter(bench.settings)
    yield host
    host.close()


def ask(
    host: LocalHostingAdapter, model: TunedModel, question: str, **settings: float
) -> ChatReply:
    message = ChatMessage(role=Role.USER, content=question)
    chosen = {"max_tokens": 30} | settings
    return host.chat(host.endpoint(model), [message], **chosen)


def untuned(bench: Bench) -> TunedModel:
    return TunedModel(source=ModelSource.LOCAL_PATH, name=str(bench.base), provider="local")


def test_a_model_is_tuned_and_answers_as_it_was_taught(
    bench: Bench, host: LocalHostingAdapter
) -> None:
    before = {question: ask(host, untuned(bench), question).text for question in ANSWERS}
    ref = bench.create(n_epochs=60, batch_size=4, learning_rate=2e-2, lora_r=16)
    snapshot = bench.ended(ref)
    assert snapshot.status is JobStatus.SUCCEEDED, snapshot.error
    assert (snapshot.step, snapshot.total_steps) == (60, 60)
    assert snapshot.model is not None
    after = {question: ask(host, snapshot.model, question).text for question in ANSWERS}
    right = sum(after[question] == answer for question, answer in ANSWERS.items())
    assert right >= 3, after
    assert not set(before.values()) & set(ANSWERS.values())
    reply = ask(host, snapshot.model, "My kettle leaks", max_tokens=2)
    assert (reply.completion_tokens, reply.finish_reason) == (2, "length")
    assert (reply.prompt_tokens or 0) > 5
    again = ask(host, snapshot.model, "My kettle leaks")
    assert again == ask(host, snapshot.model, "My kettle leaks", temperature=0)
    hot = {ask(host, untuned(bench), "My kettle leaks", temperature=5.0).text for _ in range(3)}
    assert len(hot) > 1
    events = bench.adapter.events(ref)
    assert events[-1].message == "Training succeeded."
    assert sum(event.kind == "metrics" for event in events) == 60


def test_a_training_is_cancelled_in_the_middle(bench: Bench) -> None:
    ref = bench.create(n_epochs=5000, batch_size=2)
    while not any(event.kind == "metrics" for event in bench.adapter.events(ref)):
        assert not bench.adapter.retrieve(ref).status.terminal
    bench.adapter.cancel(ref)
    snapshot = bench.ended(ref)
    assert snapshot.status is JobStatus.CANCELLED
    assert snapshot.model is None
    assert 0 < (snapshot.step or 0) < (snapshot.total_steps or 0) == 10000
    assert not (bench.adapter.runs.folder / ref.id / "adapter").exists()


def test_a_training_that_cannot_be_fails_in_words(bench: Bench, tmp_path: Path) -> None:
    bench.base = make_model(tmp_path / "own", template="{{ raise_exception('no roles here') }}")
    snapshot = bench.ended(bench.create())
    assert snapshot.status is JobStatus.FAILED
    assert snapshot.error is not None
    assert "no roles here" in snapshot.error.message
    assert snapshot.error.code == "chat_template"


def test_a_warm_process_survives_a_bad_question(
    bench: Bench, host: LocalHostingAdapter, tmp_path: Path
) -> None:
    template = (
        "{% if messages[0]['content'] == 'bad' %}{{ raise_exception('not that') }}{% endif %}x"
    )
    bench.base = make_model(tmp_path / "choosy", template=template)
    with pytest.raises(DeploymentError, match="not that"):
        ask(host, untuned(bench), "bad")
    process = next(iter(host._processes.values()))
    assert ask(host, untuned(bench), "good").prompt_tokens
    assert next(iter(host._processes.values())) is process
    # What died is started anew.
    process._process.kill()
    process._process.wait()
    assert ask(host, untuned(bench), "good").prompt_tokens


def test_a_model_that_cannot_be_loaded_is_said(
    bench: Bench, host: LocalHostingAdapter, tmp_path: Path
) -> None:
    bench.base = make_model(tmp_path / "broken")
    endpoint = host.endpoint(untuned(bench))
    (bench.base / "model.safetensors").unlink()
    with pytest.raises(DeploymentError, match="holds no"):
        host.chat(endpoint, [ChatMessage(role=Role.USER, content="hello")])
    assert host._processes == {}
