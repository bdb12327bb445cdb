"""The base model's template: what it drops, refuses and masks, with a tokenizer made here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ftproviders.data import RULES, find_base_model, validate
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.template import (
    ChatTemplate,
    NotText,
    TemplateCheck,
    TemplateRefusal,
    TemplateTokenizer,
    default_template,
    given_template,
    model_folder,
    plain_messages,
)
from ftproviders.data.template import chat as chat_module
from ftproviders.data.template import check as check_module
from ftproviders.data.tokens import RowTokens
from ftproviders.errors import ConfigurationError, MissingDependencyError
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Issue
from ftproviders.schema.template import TemplateReport

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
)
STRICT = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{{ m['role'] + ': ' + m['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
"""Refuses system messages and two speakers in a row, as some families do."""
DEAF = (
    "{% for m in messages if m['role'] in ('user', 'assistant') %}"
    "{{ m['role'] + ': ' + m['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
"""Drops every other role without a word."""
FORGETFUL = (
    "{% for m in messages %}{% if loop.last or m['role'] != 'assistant' %}"
    "{{ m['role'] + ': ' + m['content'] + '<|im_end|>' }}{% else %}{{ 'assistant: (earlier)' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
"""Writes all answers but the last one differently."""
TOOLS = (
    "{% if tools %}{{ 'tools: ' + (tools | tojson) + '\n' }}{% endif %}"
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}"
    "{% if m['tool_calls'] %}{{ m['tool_calls'] | tojson }}{% endif %}{{ '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def save_model(folder: Path, template: str | None, **config: Any) -> Path:
    """Write tokenizer and template of a model of bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    words.train_from_iterator(["the answer is assistant user system"], trainer)
    words.save(str(folder / "tokenizer.json"))
    written = {"eos_token": {"content": "<|im_end|>"}, "bos_token": "<|im_start|>", **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(written))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def talk(*turns: tuple[str, str], **extra: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in turns], **extra}


def look(
    folder: Path, template: str, *rows: dict[str, Any], max_length: int | None = None
) -> tuple[TemplateReport, tuple[Issue, ...]]:
    """Check rows with a template."""
    chat = ChatTemplate(save_model(folder / "model", template))
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ledger = Ledger(judgements({"local": DataProfile()}), max_issues=20)
    check = TemplateCheck(chat, model="tiny", max_length=max_length)
    return check.check_file(file, ledger), ledger.issues()[0]


GOOD = talk(("system", "Be brief"), ("user", "Hello?"), ("assistant", "Yes."))
PAIR = talk(("user", "Hello?"), ("assistant", "Yes."))


def test_good_rows_are_shown_as_the_model_reads_them(tmp_path: Path) -> None:
    report, issues = look(tmp_path, CHATML, GOOD, PAIR, PAIR, PAIR)
    assert issues == ()
    assert (report.rows, report.complete, report.marked) == (4, True, False)
    assert report.template == "chat_template.jinja"
    assert [row.line for row in report.first_rows] == [1, 2, 3]
    first = report.first_rows[0]
    assert first.text == (
        "<|im_start|>system\nBe brief<|im_end|>\n<|im_start|>user\nHello?<|im_end|>\n"
        "<|im_start|>assistant\nYes.<|im_end|>\n"
    )
    assert first.tokens > first.learned_tokens == len("Yes.") + 1
    assert set(report.treatments.values()) <= {"kept", "dropped"}
    assert report.treatments["system"] == report.treatments["developer"] == "kept"
    assert report.treatments["tools"] == "dropped"


def test_refused_role_names_line_and_message(tmp_path: Path) -> None:
    late = talk(("user", "a"), ("assistant", "b"), ("assistant", "c"))
    report, issues = look(tmp_path, STRICT, PAIR, GOOD, late)
    assert [(i.line, i.rule, i.path) for i in issues] == [
        (2, "template.refused", "messages[0]"),
        (3, "template.refused", "messages[2]"),
    ]
    assert "System role not supported" in issues[0].message
    assert "must alternate" in issues[1].message
    assert all(issue.severity == "error" and issue.fix for issue in issues)
    assert issues[0].column == json.dumps(GOOD).index('{"role": "system"') + 1
    assert (report.refused, report.rows) == (2, 3)
    assert report.treatments["system"] == "refused"
    assert report.treatments["user twice"] == "refused"


@pytest.mark.parametrize("role", ["system", "developer", "tool"])
def test_dropped_role_is_a_warning(tmp_path: Path, role: str) -> None:
    row = talk(("user", "Hi"), (role, "Only rhymes"), ("assistant", "ok"))
    report, (issue,) = look(tmp_path, DEAF, PAIR, row)
    assert (issue.line, issue.rule, issue.path) == (2, "template.dropped", "messages[1]")
    assert issue.severity == "warning"
    assert role in issue.message
    assert (report.dropped, report.refused) == (1, 0)
    assert report.treatments["system"] == "dropped"


def test_dropped_tools_and_calls(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "fetch_it", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "fetch_it"}}
    calling = {"role": "assistant", "content": "Wait", "tool_calls": [call]}
    answered = {"messages": [{"role": "user", "content": "Hi"}, calling], "tools": [tool]}
    declared = {**PAIR, "tools": [tool]}
    _, issues = look(tmp_path, CHATML, answered, declared)
    assert [(i.line, i.rule, i.path) for i in issues] == [
        (1, "template.dropped", "messages[1].tool_calls"),
        (2, "template.dropped", "tools"),
    ]
    report, none = look(tmp_path, TOOLS, answered, declared)
    assert none == ()
    assert report.treatments["tools"] == report.treatments["tool answers"] == "kept"


def test_a_dropped_deprecated_call(tmp_path: Path) -> None:
    calling = {"role": "assistant", "function_call": {"name": "fetch_it", "arguments": "{}"}}
    row = {"messages": [{"role": "user", "content": "Hi"}, calling]}
    _, issues = look(tmp_path, CHATML, PAIR, row)
    dropped = [(i.line, i.path) for i in issues if i.rule == "template.dropped"]
    assert dropped == [(2, "messages[1].function_call")]
    _, issues = look(tmp_path, TOOLS.replace("tool_calls", "function_call"), PAIR, row)
    assert "template.dropped" not in {i.rule for i in issues}


def test_what_is_dropped_is_seen_though_its_words_stand_elsewhere(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "i"}}
    calling = {"role": "assistant", "content": "if", "tool_calls": [call]}
    called = {"messages": [{"role": "user", "content": "Hi"}, calling]}
    said_again = talk(("system", "Hi"), ("user", "Hi"), ("assistant", "Yes"))
    _, issues = look(tmp_path, DEAF, called, {**PAIR, "tools": [tool]}, said_again)
    assert [(i.line, i.rule) for i in issues] == [
        (1, "template.dropped"), (2, "template.dropped"), (3, "template.dropped"),
    ]  # fmt: skip
    _, none = look(tmp_path, TOOLS, called, {**PAIR, "tools": [tool]}, said_again)
    assert none == ()


def test_a_template_may_move_the_system_message(tmp_path: Path) -> None:
    late = CHATML.replace(
        "{% for m in messages %}",
        "{% for m in messages[1:2] + messages[:1] + messages[2:] %}",
        1,
    )
    row = talk(("system", "Be brief"), ("user", "Hello?"), ("assistant", "Yes."))
    assert look(tmp_path, late, row, row)[1] == ()


def test_rewritten_history_is_an_error(tmp_path: Path) -> None:
    twice = talk(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    report, (issue,) = look(tmp_path, FORGETFUL, PAIR, twice)
    assert (issue.line, issue.rule) == (2, "template.rewritten")
    assert report.rewritten == 1


@pytest.mark.parametrize("template", [CHATML, MARKED], ids=["difference", "marks"])
def test_rows_that_teach_nothing(tmp_path: Path, template: str) -> None:
    silent = talk(("user", "Hello?"), ("assistant", "Yes."))
    silent["messages"][1]["weight"] = 0
    long = talk(("user", "x" * 400), ("assistant", "Yes."))
    cut = talk(("user", "Hi"), ("assistant", "y" * 400))
    report, issues = look(tmp_path, template, PAIR, silent, long, cut, max_length=100)
    assert [(i.line, i.rule) for i in issues] == [
        (2, "template.masked"), (3, "template.masked"), (4, "template.truncated"),
    ]  # fmt: skip
    assert "weight 0" in issues[0].message
    assert "100 tokens" in issues[1].message
    assert (report.masked, report.truncated, report.max_length_tokens) == (2, 1, 100)


def test_marks_and_differences_find_the_same_words(tmp_path: Path) -> None:
    row = talk(("user", "Hi"), ("assistant", "One."), ("user", "More"), ("assistant", "Two."))
    plain = ChatTemplate(save_model(tmp_path / "a", CHATML)).encode(row["messages"])
    marked = ChatTemplate(save_model(tmp_path / "b", MARKED)).encode(row["messages"])
    assert plain == marked
    assert len(plain.learned) == 2 * 5
    row["messages"][1]["weight"] = 0
    assert len(ChatTemplate(tmp_path / "a").encode(row["messages"]).learned) == 5


def test_images_are_refused(tmp_path: Path) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]
    row = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "A"}]}
    _, (issue,) = look(tmp_path, CHATML, row)
    assert (issue.rule, issue.path) == ("template.refused", "messages[0].content")
    with pytest.raises(NotText) as caught:
        plain_messages(row["messages"])
    assert caught.value.index == 0


def test_what_is_no_row_is_left_to_other_rules(tmp_path: Path) -> None:
    chat = ChatTemplate(save_model(tmp_path / "model", CHATML))
    file = tmp_path / "rows.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"messages": 3}\n[]\n{broken\n\n{"messages": [1]}\n'
        b'{"messages": [{"role": "user"}, {"content": "x"}]}\n'
        b'{"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": 1}]}]}\n'
        b'{"messages": [{"role": ["x"], "content": "y"}]}\n\xff\xfe\n'
    )
    ledger = Ledger(judgements({}), max_issues=20)
    report = TemplateCheck(chat, model="tiny").check_file(file, ledger)
    assert report.refused == sum(ledger.counts.values()) <= 2
    assert report.complete


def test_many_rows_are_sampled_and_long_ones_never_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "_ROWS", 3)
    chat = ChatTemplate(save_model(tmp_path / "model", CHATML))
    file = tmp_path / "rows.jsonl"
    long = talk(("user", "x"), ("assistant", "y" * 2000))
    file.write_text("".join(json.dumps(row) + "\n" for row in [PAIR] * 9 + [long, PAIR]))

    def checked(*, max_length: int | None, every_row: bool = False) -> tuple[TemplateReport, int]:
        ledger = Ledger(judgements({}), max_issues=20)
        check = TemplateCheck(chat, model="tiny", max_length=max_length)
        report = check.check_file(file, ledger, every_row=every_row)
        return report, ledger.counts["template.truncated"]

    report, cut = checked(max_length=1000)
    assert (report.rows, report.complete, cut) == (4, False, 1)
    report, cut = checked(max_length=None)
    assert (report.rows, report.complete, cut) == (3, False, 0)
    report, cut = checked(max_length=1000, every_row=True)
    assert (report.rows, report.complete, cut) == (11, True, 1)


def test_secrets_are_masked_in_what_is_shown(tmp_path: Path) -> None:
    secret = "hf_" + "aB3dE6gH9j" * 4
    report, _ = look(tmp_path, CHATML, talk(("user", f"use {secret}"), ("assistant", "ok")))
    assert secret not in report.model_dump_json()
    assert "use hf_***" in report.first_rows[0].text


def test_tokens_are_the_models_own(tmp_path: Path) -> None:
    chat = ChatTemplate(save_model(tmp_path, CHATML))
    tokenizer = TemplateTokenizer(chat, model="tiny")
    counted = tokenizer.row(PAIR)
    text = chat.render(plain_messages(PAIR["messages"]))
    assert counted == RowTokens(chat.count(text), 5)
    assert tokenizer.name == "tiny"
    assert tokenizer.row({"prompt": "ab?", "completion": "yz"}) == RowTokens(
        chat.count("ab?") + chat.count("yz"), chat.count("yz"),
    )  # fmt: skip
    assert tokenizer.row([]) == RowTokens(0, 0)


def test_template_comes_from_where_the_model_has_it(tmp_path: Path) -> None:
    own = ChatTemplate(save_model(tmp_path / "a", None, chat_template=CHATML))
    assert own.source == "tokenizer_config.json"
    named = [{"name": "rag", "template": "x"}, {"name": "default", "template": MARKED}]
    listed = ChatTemplate(save_model(tmp_path / "b", None, chat_template=named))
    assert listed.marked
    none = ChatTemplate(save_model(tmp_path / "c", None))
    assert none.source.startswith("ChatML")
    assert none.render([{"role": "user", "content": "Hi"}]) == "<|im_start|>user\nHi<|im_end|>\n"
    given = ChatTemplate(tmp_path / "a", template=STRICT)
    assert given.source == "given by the user"
    assert "generation" in default_template()


def test_templates_run_in_a_sandbox(tmp_path: Path) -> None:
    escape = "{{ messages.__class__.__base__.__subclasses__() }}"
    chat = ChatTemplate(save_model(tmp_path, escape))
    with pytest.raises(TemplateRefusal):
        chat.render([{"role": "user", "content": "x"}])
    changing = ChatTemplate(tmp_path, template="{{ messages.append(1) }}")
    with pytest.raises(TemplateRefusal):
        changing.render([{"role": "user", "content": "x"}])


def test_unreadable_models_are_named(tmp_path: Path) -> None:
    save_model(tmp_path, "{% for %}")
    with pytest.raises(ConfigurationError, match=r"chat_template\.jinja.*line 1"):
        ChatTemplate(tmp_path)
    save_model(tmp_path, CHATML)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"tokenizer in .* cannot be read"):
        ChatTemplate(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(CHATML)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ChatTemplate(tmp_path)


def test_missing_library_has_a_line_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_module, "_MODULES", ("tokenizers_that_are_not_there",))
    with pytest.raises(MissingDependencyError) as caught:
        ChatTemplate(tmp_path)
    assert "ftproviders[tokens]" in (caught.value.hint or "")


def test_models_are_found_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_model(tmp_path / "mine", CHATML)
    cache = tmp_path / "cache"
    converted = save_model(cache / "models/small-1m/2", CHATML)
    snapshot = save_model(tmp_path / "hub/models--org--name/snapshots/abc123", CHATML)
    (tmp_path / "hub/models--org--name/refs").mkdir()
    (tmp_path / "hub/models--org--name/refs/main").write_text("abc123\n")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert model_folder(str(folder), cache=cache) == folder
    assert model_folder("small-1m", cache=cache) == converted
    assert model_folder("org/name", cache=cache) == snapshot
    for name in ("org/other", "unknown", "", "../x", "a/b/c", "gpt-4o"):
        assert model_folder(name, cache=cache) is None
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert model_folder("org/name", cache=cache) == snapshot
    (tmp_path / "hub/models--org--name/refs/main").write_text(f"..{os.sep}..")
    assert model_folder("org/name", cache=cache) is None


def test_every_rule_of_the_table_is_found(tmp_path: Path) -> None:
    """One row that breaks each rule; `PAIR` is inside all of them."""
    twice = talk(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    empty = talk(("user", "a"), ("assistant", "b"))
    empty["messages"][1]["weight"] = 0
    cases = {
        "template.refused": (STRICT, GOOD),
        "template.dropped": (DEAF, GOOD),
        "template.rewritten": (FORGETFUL, twice),
        "template.masked": (CHATML, empty),
        "template.truncated": (CHATML, talk(("user", "a"), ("assistant", "b" * 200))),
    }
    assert set(cases) == {rule for rule in RULES if rule.startswith("template.")}
    for rule, (template, broken) in cases.items():
        _, (issue,) = look(tmp_path, template, PAIR, broken, PAIR, max_length=100)
        assert (issue.rule, issue.line) == (rule, 2)
        assert issue.severity == RULES[rule].severity


def test_validate_shows_the_template_of_a_model(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", DEAF, model_max_length=150)
    file = tmp_path / "rows.jsonl"
    rows = [PAIR, GOOD, talk(("user", "a"), ("assistant", "b" * 300))]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = find_base_model(str(folder), exact=False, cache=tmp_path)
    report = validate(file, profiles={"local": DataProfile()}, model=model)[1]
    assert [(i.line, i.rule) for i in report.issues] == [
        (2, "template.dropped"), (3, "template.truncated"),
    ]  # fmt: skip
    assert report.template is not None
    assert report.template.max_length_tokens == 150
    assert report.template.rows == 3
    assert report.tokens.exact
    assert report.tokens.tokenizer == str(folder)
    assert (report.tokens.limit, report.tokens.rows_over_limit) == (150, 1)
    assert report.tokens.billable is not None
    assert report.tokens.billable < report.tokens.total
    smaller = {"local": DataProfile(maximum_row_tokens=100)}
    again = validate(file, profiles=smaller, model=model)[1]
    assert again.template is not None
    assert again.template.max_length_tokens == 100
    assert validate(file, profiles=smaller)[1].template is None


def test_strict_template_refuses_the_file(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", STRICT)
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(GOOD) + "\n")
    model = find_base_model(str(folder), exact=False, cache=tmp_path)
    report = validate(file, profiles={"local": DataProfile()}, model=model)[1]
    assert not report.ok("local")
    given = find_base_model(str(folder), exact=False, cache=tmp_path, template=CHATML)
    assert validate(file, profiles={"local": DataProfile()}, model=given)[1].ok("local")


_SAID = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '" + "END" + "' }}{% endfor %}"
_ASKED = "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
_INST = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST]' + m['content'] + '[/INST]' }}"
    "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
)
"""Needs no beginning of an answer: the end of the question is one."""


@pytest.mark.parametrize(
    ("template", "opens", "ends"),
    [
        (CHATML, True, True),
        (_INST, True, True),
        (MARKED, False, True),
        (_SAID.replace("END", "<|im_end|>") + _ASKED, True, True),
        (_SAID.replace("END", "\\n") + _ASKED, True, False),
        (_SAID.replace("END", "\\n"), False, False),
        (MARKED.replace("m['content'] + '<|im_end|>' }}{% endgen", "m['content'] }}{% endgen")
         + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}", True, False),
    ],
)  # fmt: skip
def test_the_form_of_an_answer_is_looked_at(
    tmp_path: Path, template: str, opens: bool, ends: bool
) -> None:
    report, _ = look(tmp_path, template, PAIR)
    assert (report.opens_answers, report.ends_answers) == (opens, ends)


def test_only_kinds_that_the_rows_have_are_told(tmp_path: Path) -> None:
    assert look(tmp_path, CHATML, PAIR)[0].kinds == ()
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    with_tools = talk(("user", "a"), ("user", "b"), ("assistant", "c"), tools=[tool])
    assert look(tmp_path, CHATML, GOOD, with_tools)[0].kinds == ("system", "tools", "user twice")


def test_a_broken_template_of_the_user_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.jinja"
    file.write_text("{% for m in messages %}\n{{ m['content'] \n{% endfor %}\n")
    with pytest.raises(ConfigurationError) as told:
        given_template(str(file), provider="local")
    assert str(file) in told.value.message
    assert "line 3" in told.value.message
    assert "model" not in told.value.message
    file.write_text(CHATML)
    assert given_template(str(file)).source == f"your file {file}"
    assert "ChatML" in given_template("chatml").source
