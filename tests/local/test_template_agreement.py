"""What is shown before training is what training sees: data.template against worker.encoding."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ftproviders.data.template import ChatTemplate, TemplateRefusal, default_template
from ftproviders.worker.encoding import IGNORED, encode_row
from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import load_tokenizer
from tests.local.conftest import MARKED, PLAIN, make_tokenizer

STRICT = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('alternate') }}{% endif %}{{ m['role'] + m['content'] + '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant' }}{% endif %}"
)
SPACED = (
    "{%- set ns = namespace(n=0) -%}\n  {% for m in messages %}\n    {% set ns.n = ns.n + 1 %}\n"
    "{{- bos_token }}{{ ns.n }} {{ m['role'] | upper }}: {{ m['content'] | trim }}"
    "{% if m['tool_calls'] is defined %}{{ m['tool_calls'] | tojson(indent=1) }}{% endif %}"
    "{{- eos_token }}\n  {% if ns.n > 7 %}{% break %}{% endif %}\n{% endfor %}\n"
    "{% if tools %}{{ tools | tojson }}{% endif %}"
    "{% if add_generation_prompt %}{{ bos_token }}{{ ns.n + 1 }} ASSISTANT: {% endif %}"
)


def conversation(chance: random.Random) -> dict[str, Any]:
    """Make a row with everything that a row may have."""
    words = ["kettle", "leaks", "Où?", "東京", " ", "<|im_end|>x", "[REFUND]", "a\nb", ""]
    messages: list[dict[str, Any]] = []
    for _ in range(chance.randrange(1, 7)):
        role = chance.choice(("system", "user", "user", "assistant", "assistant", "tool"))
        text = " ".join(chance.choices(words, k=chance.randrange(4)))
        message: dict[str, Any] = {"role": role, "content": text}
        if role == "assistant" and chance.random() < 0.3:
            call = {"name": "look", "arguments": chance.choice(('{"q": 1}', "no json"))}
            message["tool_calls"] = [{"id": "c", "type": "function", "function": call}]
            message["content"] = chance.choice((text, None))
        if role == "assistant" and chance.random() < 0.3:
            message["weight"] = chance.choice((0, 1))
        if role == "user" and chance.random() < 0.2:
            message["content"] = [{"type": "text", "text": text}, {"type": "text", "text": "z"}]
        messages.append(message)
    row: dict[str, Any] = {"messages": [*messages, {"role": "assistant", "content": "end"}]}
    if chance.random() < 0.2:
        row["tools"] = [{"type": "function", "function": {"name": "look"}}]
    return row


@pytest.mark.parametrize(
    "template", [PLAIN, MARKED, STRICT, SPACED, None],
    ids=["plain", "marked", "strict", "spaced", "none"],
)  # fmt: skip
def test_both_see_the_same_tokens_and_learn_the_same(tmp_path: Path, template: str | None) -> None:
    make_tokenizer(template).save_pretrained(tmp_path)
    theirs = load_tokenizer(tmp_path)
    ours = ChatTemplate(tmp_path)
    if template is None:
        assert theirs.chat_template == default_template()
    chance = random.Random(11)
    refused = 0
    for _ in range(150):
        row = conversation(chance)
        try:
            expected = encode_row(row, theirs, max_length=60)
        except WorkError:
            refused += 1
            with pytest.raises(TemplateRefusal):
                ours.encode(row["messages"], tools=row.get("tools"))
            continue
        found = ours.encode(row["messages"], tools=row.get("tools"), max_length=60)
        labelled = [at for at, label in enumerate(expected.labels) if label != IGNORED]
        assert list(found.learned) == labelled, json.dumps(row)
        assert (found.tokens > 60) == expected.cut
        if not expected.cut:
            assert found.tokens == len(expected.input_ids)
    assert refused < 150 if template == STRICT else refused < 75
