"""Tune a small model on this machine with LoRA, and ask it before and after.

    pip install 'ftproviders[local]'      # about torch: see constraints.txt
    python examples/quickstart_local.py

The first run fetches SmolLM2-135M-Instruct (93 MB) and converts it once. Another base model is a
folder or a name on the Hugging Face Hub: --model PATH.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ftproviders as ft

QUESTION = "My kettle leaks from the bottom when I fill it."

parser = argparse.ArgumentParser(description="Tune a small model on this machine.")
parser.add_argument("--model", default="smollm2-135m", help="alias, folder or Hub name")
parser.add_argument("--epochs", type=int, default=3)
arguments = parser.parse_args()

print("before:", ft.chat("local", arguments.model, QUESTION, temperature=0, max_tokens=40).text)

job = ft.submit(
    ft.JobSpec(
        provider="local",
        base_model=arguments.model,
        training_file=str(Path(__file__).parent / "data" / "train.jsonl"),
        hyperparameters=ft.Hyperparameters(n_epochs=arguments.epochs),
    ),
    on_progress=print,
)
print(f"{job.ref}: Ctrl-C leaves it running; `ftproviders watch {job.ref}` comes back")
job.wait()
for event in job.metrics():
    if "train_loss" in event.metrics:
        print(f"step {event.step}: loss {event.metrics['train_loss']:.3f}")

print("after: ", job.chat(QUESTION, temperature=0, max_tokens=40).text)
