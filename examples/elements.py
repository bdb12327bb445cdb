"""Chemical elements in limericks: lesson 18 of Microsoft's "Generative AI for Beginners".

    pip install 'ftproviders[openai]'
    export OPENAI_API_KEY=...              # to rehearse for nothing: docs/rehearsing.md
    python examples/elements.py [MODEL]    # the lesson's gpt-3.5-turbo ended 2026-10-22

The notebook's steps: upload, create a job, watch it, ask the tuned model about strontium and
compare with the base model. Other than there: a badly formatted row is found before the upload
instead of by a failed job, and the system message of the question is that of the training rows,
which are made up. Ten rows teach a form, not facts: do not believe the answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ftproviders as ft

MODEL = sys.argv[1] if sys.argv[1:] else "gpt-4.1-mini-2025-04-14"

job = ft.submit(
    ft.JobSpec(
        provider="openai",
        base_model=MODEL,
        training_file=str(Path(__file__).parent / "data" / "elements" / "train.jsonl"),
    ),
    on_progress=print,
)
job.wait(on_update=lambda _, events: sys.stdout.writelines(f"{e.message}\n" for e in events))

for model in (MODEL, str(job.model)):
    reply = ft.chat(
        "openai",
        model,
        "Tell me about Strontium",
        system="You are Elle, who knows the chemical elements and answers every question with a "
        "limerick.",
        temperature=0,
    )
    print(f"{model} ({reply.prompt_tokens} + {reply.completion_tokens} tokens): {reply.text}")
