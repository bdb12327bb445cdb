"""The demo's walk and score, over the in-memory provider; the real one is `make demo`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftproviders.cli.output import Output
from ftproviders.cli.trial import finish
from ftproviders.client import FineTuneClient
from ftproviders.config import Config
from ftproviders.demo import Answer, DemoResult, Listener, Question, fresh_home, questions, run_demo
from ftproviders.schema.job import JobStatus
from tests.cli.program import ROOT, Run


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FineTuneClient]:
    config = Config.load()
    home = fresh_home(config.cache)
    with FineTuneClient(config.model_copy(update={"home": home})) as made:
        yield made


@pytest.fixture
def seen() -> dict[str, list[Any]]:
    return {"progress": [], "counts": [], "jobs": [], "updates": []}


@pytest.fixture
def result(client: FineTuneClient, seen: dict[str, list[Any]]) -> DemoResult:
    return run_demo(
        client,
        provider="memory",
        base_model="memory-small",
        epochs=2,
        listener=Listener(
            on_progress=seen["progress"].append,
            on_count=seen["counts"].append,
            on_job=seen["jobs"].append,
            on_update=lambda snapshot, events: seen["updates"].append(snapshot),
        ),
    )


def test_the_walk_asks_tunes_and_asks_again(
    result: DemoResult, seen: dict[str, list[Any]], client: FineTuneClient
) -> None:
    assert [answer.question for answer in result.answers] == list(questions())
    assert len({answer.before for answer in result.answers}) == 1
    assert result.before == 0
    # The in-memory model repeats the nearest training row, so it knows most of the intents.
    assert 5 <= result.after <= 10
    assert result.after == sum(
        answer.after.startswith(f"[{answer.question.intent.upper()}/") for answer in result.answers
    )
    assert len(seen["counts"]) == 20
    assert [job.ref for job in seen["jobs"]] == [result.ref]
    assert seen["updates"][-1].status is JobStatus.SUCCEEDED
    assert result.model == str(client.job(result.ref).model)
    assert result.losses[0][1] > result.losses[-1][1]
    parts = {"ask the untuned model", "tune", "deploy", "ask the tuned model"}
    assert set(result.seconds) == parts
    assert result.served_at is not None
    assert list(client.deployments()) == []
    assert result.home == client.config.home
    assert client.jobs()[0].ref == result.ref


def test_every_walk_has_its_own_state_and_one_cache(tmp_path: Path) -> None:
    first, second = fresh_home(tmp_path), fresh_home(tmp_path)
    assert first != second
    assert first.parent == second.parent == tmp_path / "demo"
    assert list(first.iterdir()) == []


def test_questions_are_held_out_and_data_is_that_of_the_examples() -> None:
    data = ROOT / "ftproviders" / "demo" / "data"
    lines = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    trained = {json.loads(line)["messages"][0]["content"] for line in lines}
    assert len(lines) == 200
    assert len(questions()) == 10
    assert not trained & {question.prompt for question in questions()}
    assert (data / "README.md").read_text(encoding="utf-8").count("Apache-2.0") == 1
    for name in ("train.jsonl", "test.jsonl"):
        copy = ROOT / "tests" / "data" / "support_intents" / name
        assert (data / name).read_bytes() == copy.read_bytes()


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("[REFUND/high] I opened a refund.", True),
        ("[REFUND", False),
        ("[refund/high] I opened a refund.", False),
        ("Sure! [REFUND/high]", False),
        ("[BROKEN/high] I booked a repair.", False),
        ("", False),
    ],
)
def test_right_is_the_intent_in_capitals_at_the_start(reply: str, right: bool) -> None:
    assert Question(prompt="Money back?", intent="refund").right(reply) is right


def test_the_last_line_is_the_score(result: DemoResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert finish(Output(), result) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"score: 0/10 before, {result.after}/10 after"
    text = "\n".join(lines)
    for answer in result.answers:
        assert answer.question.prompt in text
        assert answer.after in text
    assert f'FTPROVIDERS_HOME={result.home} ftproviders chat {result.ref} "' in text
    assert "loss    " in text


@pytest.mark.parametrize(
    ("started_as", "written"),
    [
        ("/somewhere/bin/ftproviders", "/somewhere/bin/ftproviders"),
        ("/some where/ftproviders", "'/some where/ftproviders'"),
        ("/site/ftproviders/__main__.py", f"{sys.executable} -m ftproviders"),
    ],
)
def test_the_next_commands_name_the_program_that_runs(
    result: DemoResult,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    started_as: str,
    written: str,
) -> None:
    monkeypatch.setattr("sys.argv", [started_as, "demo"])
    monkeypatch.setenv("PATH", "")
    finish(Output(), result)
    text = capsys.readouterr().out
    assert f"FTPROVIDERS_HOME={result.home} {written} jobs" in text
    assert f"is in {result.home}; delete it" in text


def test_json_holds_the_same(result: DemoResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert finish(Output(json_mode=True), result) == 0
    body = json.loads(capsys.readouterr().out)
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"| demo | demo | {', '.join(f'`{key}`' for key in list(body)[1:])} |" in page
    assert body["schema"] == "ftproviders.demo/1"
    assert (body["before"], body["after"], body["total"]) == (0, result.after, 10)


def test_exit_1_when_the_score_does_not_rise(
    result: DemoResult, capsys: pytest.CaptureFixture[str]
) -> None:
    same = [
        Answer(question=answer.question, before=answer.after, after=answer.after)
        for answer in result.answers
    ]
    assert finish(Output(), replace(result, answers=same)) == 1
    score = f"score: {result.after}/10 before, {result.after}/10 after\n"
    assert capsys.readouterr().out.endswith(score)


def test_the_verb_refuses_epochs_below_zero(run: Run) -> None:
    assert run("demo", "--epochs", "-1").code == 2
