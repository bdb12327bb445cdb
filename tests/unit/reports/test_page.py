"""The page: whole, closed, escaped, and honest about what is not known."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from typing_extensions import override

from ftproviders.reports import DataFile, SampleAnswer, render_page
from ftproviders.reports.markup import clean, withheld
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.job import EventLevel, JobEvent, JobFailure, JobSpec
from tests.unit.reports.cases import WHEN, falling, number, report

EVIL = '"><img src=x onerror=alert(1)><script>alert(2)</script>&lt;'
KEY = "sk-" + "proj-" + "abcdefgh" * 4


class Reader(HTMLParser):
    """What a browser would see: elements, attributes, and text outside of the style sheet."""

    VOID = ("meta", "line", "path", "circle")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(**parts: Any) -> Reader:
    return Reader(render_page(report(**parts)))


def full(text: str) -> dict[str, Any]:
    """Return the parts of a report in which every text from outside is `text`."""
    message = ChatMessage(role=Role.USER, content=text)
    return {
        "seen": {"error": JobFailure(message=text, code=text)},
        "facts": {
            "settings": {text: text}, "versions": {text: text}, "hardware": {text: [text]},
            "units": {"train_loss": text}, "chat_template": text, text: {text: text},
        },
        "spec": JobSpec(provider="elsewhere", base_model=text, training_file=text, suffix=text,
                        options={"elsewhere": {"colour": text}}),
        "metrics": [*falling(3), number(4, **{text: 1.0})],
        "events": [JobEvent(id="1", created_at=WHEN, level=EventLevel.WARNING, message=text)],
        "files": [DataFile(purpose="training", name=text, sha256="ab" * 32, note=text)],
        "answers": [SampleAnswer(messages=[message], expected=text, before=text, after=text)],
        "answers_notes": [text], "account": text, "submission_id": text, "version": text,
    }  # fmt: skip


def test_a_page_is_one_closed_file_without_script() -> None:
    page = render_page(report(metrics=falling()))
    seen = Reader(page)

    assert seen.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(seen.tags)
    assert not {"src", "href", "srcset", "data"} & {name for name, _ in seen.attributes}
    assert not re.search(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert page.startswith("<!DOCTYPE html>")


def test_nothing_from_outside_becomes_markup() -> None:
    harmless = "harmless"
    seen, usual = read(**full(EVIL)), read(**full(harmless))

    assert seen.tags == usual.tags
    assert [name for name, _ in seen.attributes] == [name for name, _ in usual.attributes]
    assert not any(name.startswith("on") for name, _ in seen.attributes)
    assert seen.text.count("<script>alert(2)</script>") == usual.text.lower().count(harmless) > 20


def test_characters_that_no_page_can_hold_are_replaced() -> None:
    page = render_page(report(**full("a\x00b\x1b[31m")))

    assert "a\ufffdb\ufffd[31m" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", page)
    assert clean("half a pair: \ud800") == "half a pair: \ufffd"


def test_secrets_are_masked_everywhere() -> None:
    assert "sk-***" in render_page(report(**full(f"use {KEY} now")))
    assert KEY not in render_page(report(**full(f"use {KEY} now")))


def test_values_whose_names_are_secret_are_withheld() -> None:
    facts = {"settings": {"hub_token": "abc123", "nested": [{"api_key": "def456"}], "lr": 1}}
    spec = JobSpec(provider="elsewhere", base_model="m", training_file="t.jsonl",
                   options={"elsewhere": {"password": "ghi789"}})  # fmt: skip
    page = render_page(report(facts=facts, spec=spec))

    assert not [value for value in ("abc123", "def456", "ghi789") if value in page]
    assert "An option is not shown" in page
    assert withheld({"pad_token": "<pad>", "max_tokens": 4}) == {"pad_token": "<pad>",
                                                                 "max_tokens": 4}  # fmt: skip


def test_what_is_not_known_is_said() -> None:
    text = read(events_note="elsewhere has no events.").text

    for words in (
        "no numbers, so there is no curve",
        "No question was asked",
        "does not tell which settings were in force",
        "What was asked for is not known here either",
        "Neither journal nor provider names the data files",
        "does not tell its versions",
        "does not tell its hardware",
        "elsewhere has no events.",
        "there is no exact command to give",
    ):
        assert words in text


def test_what_is_known_is_shown() -> None:
    facts = {"settings": {"learning_rate": 0.001, "seed": 42, "packing": True, "max_steps": None},
             "versions": {"torch": "2.13.0"}, "hardware": {"cores": 8}, "dtype": "bfloat16",
             "units": {"train_loss": "nats per token"}}  # fmt: skip
    spec = JobSpec(provider="elsewhere", base_model="small", training_file="data/t.jsonl",
                   hyperparameters={"learning_rate": 0.001})  # fmt: skip
    text = read(
        facts=facts,
        spec=spec,
        metrics=falling(4),
        files=[DataFile(purpose="training", name="t.jsonl", sha256="c" * 64, bytes=1234, rows=56)],
    ).text

    for words in (
        "learning_rate 0.001 you", "seed 42 the provider's default", "packing true",
        "loss (nats per token)", "torch 2.13.0", "cores 8", "dtype bfloat16",
        f"training t.jsonl 56 1,234 {'c' * 64}", "training loss 2.6 from 2.9",
        "The seed was 42, the provider's default", "--seed 42", "sha256sum --check",
    ):  # fmt: skip
        assert words in text, words


def test_warnings_stand_before_the_other_events() -> None:
    events = [
        JobEvent(id="1", created_at=WHEN, message="began"),
        JobEvent(id="2", created_at=WHEN, level=EventLevel.ERROR, message="disk is full"),
        number(1, loss=2.0),
    ]
    text = read(events=events).text

    assert "2 events beside the numbers, 1 of them warnings or errors." in text
    assert text.index("disk is full") < text.index("began")


def test_an_answer_as_expected_is_marked_in_words() -> None:
    ask = [ChatMessage(role=Role.USER, content="Why?")]
    answers = [SampleAnswer(messages=ask, expected="Because.", before="Er", after=" Because.\n")]
    text = read(answers=answers).text

    assert "after (tuned model), word for word as expected" in text
    assert "before (base model), word" not in text


def test_values_that_are_no_numbers_are_said_below_the_curve() -> None:
    text = read(metrics=[*falling(2), number(3, train_loss=float("nan"))]).text

    assert "1 value of train_loss not drawn, being no finite number: at step 3." in text
    assert "nan" in text.partition("Values")[2]


@pytest.mark.parametrize("count", [1, 500, 1301])
def test_the_table_of_values_is_thinned_when_it_is_long(count: int) -> None:
    seen = read(metrics=falling(count))
    rows = re.findall(r"\b(\d+) (?:of \d+ )?lines", seen.text)

    assert int(rows[0]) <= 501
    assert (f"of {count} lines are shown" in seen.text) is (count > 500)
    assert "ftproviders metrics elsewhere:job-1 --csv" in seen.text
