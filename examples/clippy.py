"""Clippy, sarcastic and factual: Microsoft's tutorial for fine-tuning with Azure OpenAI.

    pip install 'ftproviders[azure-openai,tokens]'
    export AZURE_OPENAI_ENDPOINT=https://NAME.openai.azure.com/ AZURE_OPENAI_API_KEY=...
    export AZURE_SUBSCRIPTION_ID=... AZURE_RESOURCE_GROUP=...   # and `az login`, to deploy
    python examples/clippy.py [MODEL]                            # to rehearse: docs/rehearsing.md

The tutorial's steps: check the rows and count their tokens, upload, create the job with seed 105,
watch it, look at checkpoints and results, deploy, ask, clean up. Other than there: a job that is
cancelled ends the loop too, both spellings of the validation accuracy are one column, the
deployment has answered a chat before it is called ready, and it is deleted even when a question
fails. The tutorial's gpt-4o-mini-2024-07-18 would do as well.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ftproviders as ft
from ftproviders.data.tokens import ChatTokenizer, count_file

DATA = Path(__file__).parent / "data" / "clippy"
FILES = [DATA / "sft_training_set.jsonl", DATA / "sft_validation_set.jsonl"]
SPREAD = "min / max: {0.minimum:g} / {0.maximum:g}, mean / median: {0.mean:.1f} / {0.median:.1f}"

for file in FILES:
    for encoding in ("cl100k_base", "o200k_base"):
        tokens = count_file(file, ChatTokenizer(encoding), exact=True)
        print(f"{file.name}, {encoding}: {SPREAD.format(tokens.per_row)}")
        print(f"  of the assistant: {SPREAD.format(tokens.assistant_per_row)}")

job = ft.submit(
    ft.JobSpec(
        provider="azure-openai",
        base_model=sys.argv[1] if sys.argv[1:] else "gpt-4.1-mini-2025-04-14",
        training_file=str(FILES[0]),
        validation_file=str(FILES[1]),
        seed=105,
    ),
    on_progress=print,
)
job.wait(on_update=lambda _, events: sys.stdout.writelines(f"{e.message}\n" for e in events))
print("checkpoints:", *[f"step {one.step}: {one.id}" for one in job.checkpoints()])
print("results:", *[f"step {e.step}: {dict(e.metrics)}" for e in job.metrics()[-3:]], sep="\n")

with job.deploy(ttl="1h", on_progress=print) as deployment:
    print(deployment.wait_ready().ref, "answers:")
    print(
        deployment.chat(
            "Who discovered Antarctica?",
            system="Clippy is a factual chatbot that is also sarcastic.",
        ).text
    )
