"""A plan for this machine shows what the base model's template makes of the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders import FineTuneClient, JobSpec
from ftproviders.config import Config
from ftproviders.errors import DatasetError
from ftproviders.schema.plan import JobPlan
from ftproviders.worker.pairs import encode_pair
from tests.local.conftest import ANSWERS, chat, make_tokenizer

DEAF = (
    "{% for m in messages if m['role'] in ('user', 'assistant') %}"
    "{{ m['role'] + m['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant' }}{% endif %}"
)


def plan(folder: Path, base: Path, rows: list[dict[str, Any]], **changes: Any) -> JobPlan:
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = Config.load(home=folder / "home", cache=folder / "cache")
    spec = {"provider": "local", "base_model": str(base), "training_file": str(file), **changes}
    return FineTuneClient(config).plan(JobSpec(**spec))


ROWS = [chat(question, answer) for question, answer in ANSWERS.items()]


def test_plan_counts_tokens_as_the_training_does(tmp_path: Path, base: Path) -> None:
    made = plan(tmp_path, base, ROWS)
    assert made.report.tokens.exact
    assert made.report.template is not None
    assert made.report.template.max_length_tokens == 256  # the model's own limit
    assert made.trained_tokens == made.report.tokens.total * made.resolved["n_epochs"]
    assert any(note.startswith("Tokens: ") for note in made.notes)
    assert not [note for note in made.notes if "dropped" in note]  # no row has any tools
    assert made.warnings == ()


def test_plan_warns_of_what_is_dropped_cut_and_secret(tmp_path: Path, base: Path) -> None:
    template = tmp_path / "deaf.jinja"
    template.write_text(DEAF)
    rows = [*ROWS, chat("x", "y " * 200), chat("use hf_" + "aB3dE6gH9j" * 4, "no")]
    rows[0]["messages"].insert(0, {"role": "system", "content": "Only rhymes"})
    options = {"local": {"chat_template": str(template)}}
    knobs = {"max_length_tokens": 80}
    made = plan(tmp_path, base, rows, options=options, hyperparameters=knobs)
    told = " ".join(made.warnings)
    assert "a possible secret. Line 6" in told
    assert "2 rows that the model's chat template does not write as they stand. Line 1" in told
    assert "aB3dE6gH9j" not in made.model_dump_json()


def test_rows_that_teach_nothing_stop_the_plan(tmp_path: Path, base: Path) -> None:
    long = chat("x " * 300, "y")
    with pytest.raises(DatasetError) as caught:
        plan(tmp_path, base, [*ROWS, long])
    assert "line 5" in str(caught.value)
    assert "no token to learn from" in str(caught.value)


def pair(question: str, better: str, worse: str) -> dict[str, Any]:
    return {
        "input": {"messages": [{"role": "user", "content": question}]},
        "preferred_output": [{"role": "assistant", "content": better}],
        "non_preferred_output": [{"role": "assistant", "content": worse}],
    }


PAIRS = [pair(question, answer, "no " * 9) for question, answer in ANSWERS.items()]


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("limit", [256, 24])
def test_both_answers_of_a_pair_are_counted_as_in_training(
    tmp_path: Path, base: Path, limit: int, columns: bool
) -> None:
    rows = PAIRS
    if columns:
        rows = [
            {
                "prompt": row["input"]["messages"],
                "chosen": row["preferred_output"],
                "rejected": row["non_preferred_output"],
            }
            for row in PAIRS
        ]
    read = [encode_pair(row, make_tokenizer(), max_length=limit) for row in rows]
    made = plan(tmp_path, base, rows, method="dpo", hyperparameters={"max_length_tokens": limit})
    counted = made.report.tokens
    assert counted.exact
    assert made.trained_tokens == counted.billable == sum(one.tokens for one in read) > 0
    assert counted.rows_over_limit == sum(one.cut for one in read)


def test_both_answers_of_the_first_pair_are_shown(tmp_path: Path, base: Path) -> None:
    made = plan(tmp_path, base, PAIRS, method="dpo")
    better, worse = (note for note in made.notes if note.startswith("First row, "))
    answer = next(iter(ANSWERS.values()))
    assert "preferred answer" in better
    assert f"⟦{answer}" in better
    assert "rejected answer" in worse
    assert "⟦no no" in worse
