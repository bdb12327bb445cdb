"""Preference rows through the base model's template: both conversations, each part where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders.data import find_base_model, validate
from ftproviders.data.template import ChatTemplate, TemplateCheck, TemplateTokenizer
from ftproviders.data.template.pairs import readings
from ftproviders.data.tokens import count_file
from ftproviders.provider import DataProfile
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.test_template import (
    CHATML,
    DEAF,
    FORGETFUL,
    MARKED,
    STRICT,
    TOOLS,
    Ledger,
    judgements,
    look,
    save_model,
    talk,
)


def say(role: str, text: str, **extra: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **extra}


def pair(
    *asked: dict[str, Any], better: Any = "Yes.", worse: Any = "No.", **extra: Any
) -> dict[str, Any]:
    """Return a row in OpenAI's shape; answers are texts, or lists of messages."""
    outputs = [[say("assistant", one)] if isinstance(one, str) else one for one in (better, worse)]
    given = {"messages": list(asked) or [say("user", "Hello?")], **extra}
    return {"input": given, "preferred_output": outputs[0], "non_preferred_output": outputs[1]}


def columns(prompt: Any, chosen: Any, rejected: Any) -> dict[str, Any]:
    row = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    return {key: value for key, value in row.items() if value is not None}


def test_both_conversations_are_shown_and_only_the_answer_is_learned(tmp_path: Path) -> None:
    before = [say("user", "a"), say("assistant", "first"), say("user", "b")]
    report, issues = look(tmp_path, CHATML, pair(*before, better="Yes.", worse="Now!!"))
    assert issues == ()
    assert (report.rows, report.masked, report.complete) == (1, 0, True)
    assert [(row.line, row.answer, row.learned_tokens) for row in report.first_rows] == [
        (1, "preferred", len("Yes.") + 1),
        (1, "rejected", len("Now!!") + 1),
    ]
    assert [row.text.splitlines()[-1] for row in report.first_rows] == [
        "Yes.<|im_end|>",
        "Now!!<|im_end|>",
    ]


def test_three_rows_are_shown_whatever_they_are(tmp_path: Path) -> None:
    single = talk(("user", "Hi"), ("assistant", "Yo"))
    report, _ = look(tmp_path, CHATML, pair(), single, pair(), pair())
    shown = [(row.line, row.answer) for row in report.first_rows]
    assert shown == [
        (1, "preferred"), (1, "rejected"), (2, None), (3, "preferred"), (3, "rejected"),
    ]  # fmt: skip


def test_a_refused_role_is_said_once_and_where_it_stands(tmp_path: Path) -> None:
    system = say("system", "Be brief")
    rows = [
        pair(),
        pair(system, say("user", "a")),
        columns([system, say("user", "a")], [say("assistant", "b")], [say("assistant", "c")]),
        columns(None, [system, say("user", "a"), say("assistant", "b")],
                [system, say("user", "a"), say("assistant", "c")]),
        pair(worse=[say("assistant", "b"), say("assistant", "c")]),
        columns("q", "b", [say("user", "x")]),
    ]  # fmt: skip
    report, issues = look(tmp_path, STRICT, *rows)
    assert [(i.line, i.rule, i.path) for i in issues] == [
        (2, "template.refused", "input.messages[0]"),
        (3, "template.refused", "prompt[0]"),
        (4, "template.refused", "chosen[0]"),
        (4, "template.refused", "rejected[0]"),
        (5, "template.refused", "non_preferred_output[1]"),
        (6, "template.refused", "rejected[0]"),
    ]
    assert (report.refused, report.rows) == (5, 6), "rows are counted, not conversations"
    text = json.dumps(rows[1])
    assert issues[0].column == text.index('{"role": "system"') + 1


@pytest.mark.parametrize("role", ["system", "developer", "tool"])
def test_a_dropped_role_is_a_warning(tmp_path: Path, role: str) -> None:
    row = pair(say("user", "Hi"), say(role, "Only rhymes"))
    report, (issue,) = look(tmp_path, DEAF, pair(), row)
    assert (issue.line, issue.rule, issue.path) == (2, "template.dropped", "input.messages[1]")
    assert issue.severity == "warning"
    assert (report.dropped, report.refused) == (1, 0)


def test_dropped_tools_and_calls(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "fetch_it", "arguments": "{}"}}
    calling = [say("assistant", "Wait", tool_calls=[call])]
    tool = {"type": "function", "function": {"name": "fetch_it"}}
    rows = [pair(better=calling), pair(tools=[tool])]
    _, issues = look(tmp_path, CHATML, *rows)
    assert [(i.line, i.rule, i.path) for i in issues] == [
        (1, "template.dropped", "preferred_output[0].tool_calls"),
        (2, "template.dropped", "input.tools"),
    ]
    assert look(tmp_path, TOOLS, *rows)[1] == ()


@pytest.mark.parametrize("template", [CHATML, MARKED], ids=["difference", "marks"])
def test_answers_that_teach_nothing_and_cuts(tmp_path: Path, template: str) -> None:
    silent = [say("assistant", "No.", weight=0)]
    rows = [
        pair(),
        pair(worse=silent),
        pair(better=silent),
        pair(say("user", "x" * 400)),
        pair(better="y" * 400),
        columns("q", "b", "z" * 400),
        columns("x" * 400, "b", "c"),
    ]
    report, issues = look(tmp_path, template, *rows, max_length=100)
    assert [(i.line, i.rule.partition(".")[2], i.path) for i in issues] == [
        (2, "masked", "non_preferred_output"),
        (3, "masked", "preferred_output"),
        (4, "masked", "preferred_output"),
        (4, "masked", "non_preferred_output"),
        (5, "truncated", "preferred_output"),
        (6, "truncated", "rejected"),
        (7, "masked", "chosen"),
        (7, "masked", "rejected"),
    ]
    assert "rejected answer has no token" in issues[0].message
    assert "weight 0" in issues[0].message
    assert "beyond the 100 tokens" in issues[2].message
    assert "input with the preferred answer has" in issues[4].message
    assert (report.masked, report.truncated, report.too_long) == (4, 2, 4)


def test_rewritten_history_is_said_of_the_input(tmp_path: Path) -> None:
    history = [say("user", "a"), say("assistant", "b"), say("user", "c")]
    report, (issue,) = look(tmp_path, FORGETFUL, pair(), pair(*history))
    assert (issue.line, issue.rule, issue.path) == (2, "template.rewritten", "input.messages")
    assert report.rewritten == 1


def test_images_in_the_input(tmp_path: Path) -> None:
    shown = [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]
    _, (issue,) = look(tmp_path, CHATML, pair(say("user", "a"), {"role": "user", "content": shown}))
    assert (issue.rule, issue.path) == ("template.refused", "input.messages[1].content")


def test_long_pairs_are_never_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftproviders.data.template.check._ROWS", 2)
    rows = [pair()] * 5 + [pair(worse="y" * 2000), pair()]
    report, (issue,) = look(tmp_path, CHATML, *rows, max_length=500)
    assert (issue.line, issue.rule) == (6, "template.truncated")
    assert (report.rows, report.complete) == (3, False)


def test_what_is_no_pair_is_left_to_other_rules(tmp_path: Path) -> None:
    chat = ChatTemplate(save_model(tmp_path / "model", CHATML))
    good = [say("user", "a"), say("assistant", "b")]
    odd: list[Any] = [
        {"input": 3, "preferred_output": good, "non_preferred_output": good},
        {"input": {"messages": [1]}, "preferred_output": good, "non_preferred_output": good},
        {"input": {"messages": good}, "preferred_output": 5, "non_preferred_output": None},
        {"input": {"messages": ""}, "preferred_output": good, "non_preferred_output": good},
        {"prompt": "\ud800", "completion": "\udfff"},
        {"input": {}, "chosen": "a", "rejected": "b"},
        {"prompt": 3, "chosen": "a", "rejected": "b"},
        {"prompt": {"a": 1}, "chosen": "a", "rejected": "b"},
        {"prompt": None, "chosen": {"a": 1}, "rejected": [["b"]]},
        {"prompt": "", "chosen": "a", "rejected": "b"},
        {"prompt": [], "chosen": [{"role": 3}], "rejected": []},
        {"chosen": "a"},
        {"text": "a"},
        *({"messages": good, "tools": tools} for tools in (
            [1], [{}], {"a": 1}, "x", 5, [{"function": 3}], [{"function": {"name": 3}}])),
        {"messages": [good[0], {**good[1], "tool_calls": [{"function": {"name": 3}}]}]},
        {"messages": [say("user", "\U0010fa02"), good[1]]},
    ]  # fmt: skip
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in odd))
    for template in (CHATML, MARKED, DEAF, STRICT, TOOLS, FORGETFUL):
        chat = ChatTemplate(tmp_path / "model", template=template)
        ledger = Ledger(judgements({}), max_issues=99)
        report = TemplateCheck(chat, model="tiny").check_file(file, ledger)
        assert count_file(file, TemplateTokenizer(chat, model="tiny")).total > 0
        assert report.complete
        assert report.refused <= ledger.counts["template.refused"] <= 3


def test_marks_do_not_mix_with_what_rows_say(tmp_path: Path) -> None:
    chat = ChatTemplate(save_model(tmp_path, MARKED))
    odd = "\U0010fa02\U0010fa01\U0010fa03"
    plain = chat.encode([say("user", "a"), say("assistant", "Yes")])
    marked = chat.encode([say("user", odd), say("assistant", "Yes")])
    assert odd in marked.text
    assert len(marked.learned) == len(plain.learned) == len("Yes") + 1


def test_readings_know_where_everything_stands() -> None:
    common = [say("user", "a"), say("assistant", "b")]
    row = columns(None, [*common, say("assistant", "c")], [*common, say("assistant", "d")])
    better, worse = readings(row)
    assert better.places == (("chosen", 0), ("chosen", 1), ("chosen", 2))
    assert worse.places == (("rejected", 0), ("rejected", 1), ("rejected", 2))
    assert [m.get("weight") for m in worse.row["messages"]] == [0, 0, None]
    (own,) = readings(talk(("user", "a"), ("assistant", "b")))
    assert (own.answer, own.places, own.name) == (None, (("messages", 0), ("messages", 1)), "row")
    texts = readings(columns("q", "b", "c"))
    assert [one.places for one in texts] == [
        (("prompt",), (key,)) for key in ("chosen", "rejected")
    ]
    for one in (*texts, better, worse, own):
        assert len(one.places) == len(one.row["messages"])


def test_validate_looks_at_pairs(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", STRICT, model_max_length=150)
    rows = [pair(), pair(say("system", "s"), say("user", "q")), pair(better="y" * 300)]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = find_base_model(str(folder), exact=False, cache=tmp_path)
    report = validate(file, profiles={"local": DataProfile()}, method=Method.DPO, model=model)[1]
    assert [(i.line, i.rule) for i in report.issues] == [
        (2, "template.refused"), (3, "template.truncated"),
    ]  # fmt: skip
    assert report.template is not None
    assert (report.template.rows, report.tokens.rows_over_limit) == (3, 1)
    assert not report.ok("local")
