"""Generic ingredients of recipes: the OpenAI cookbook's "How to fine-tune chat models".

    pip install 'ftproviders[openai]'
    export OPENAI_API_KEY=...              # to rehearse for nothing: docs/rehearsing.md
    python examples/recipes.py [MODEL]     # the guide's gpt-4o-mini-2024-07-18 ends 2027-01-13

The guide's steps: a table becomes chats, two files go up, a job is made and watched, its losses are
looked at, and the tuned model is asked about a recipe that it has not seen. Other than there: all
rows are checked and the tokens counted before anything is sent, a file that is still being
processed is waited for, every event is shown once and oldest first, a rise of the validation loss
is said, and a second run finds the job of the first. The rows are made up.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ftproviders as ft
from ftproviders.data import read_rows

MODEL = sys.argv[1] if sys.argv[1:] else "gpt-4.1-mini-2025-04-14"
MAPPING = ft.RowMapping(
    system="You help cooks. Name the generic ingredients of the recipe that you are given.",
    templates={"user": "Title: {title}\n\nIngredients: {ingredients}\n\nGeneric ingredients: "},
    columns={"assistant": "NER"},
)

# Rows of a table become chats: recipes.train.jsonl, recipes.validation.jsonl, recipes.test.jsonl
for table in (Path(__file__).parent / "data" / "recipes").glob("*.csv"):
    ft.convert(table, f"recipes.{table.stem}.jsonl", mapping=MAPPING, overwrite=True)

# Both files are checked here; nothing is sent.
plan = ft.plan(
    ft.JobSpec(
        provider="openai",
        base_model=MODEL,
        training_file="recipes.train.jsonl",
        validation_file="recipes.validation.jsonl",
        suffix="recipe-ner",
    )
)
print(f"{plan.training.rows} rows; cost: {plan.cost.basis}", *plan.warnings, sep="\n")

# Uploads, waits until the files are processed, creates the job; or finds the one of an earlier run.
job = ft.submit(plan, on_progress=print)
job.wait(on_update=lambda _, events: sys.stdout.writelines(f"{e.message}\n" for e in events))

losses = [
    (e.metrics["full_valid_loss"], e.step) for e in job.metrics() if "full_valid_loss" in e.metrics
]
print(
    "validation loss: {} at step {} at best,".format(*min(losses)), "{} at last".format(*losses[-1])
)

recipe = next(read_rows("recipes.test.jsonl"))[1]["messages"]
print(
    recipe[1]["content"] + job.chat(recipe[:-1], temperature=0, max_tokens=500).text,
    f"by {job.model}; in the data: {recipe[2]['content']}",
    sep="\n",
)
