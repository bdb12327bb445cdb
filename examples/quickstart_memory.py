"""From a data file to an answer, with the in-memory provider: free, no account, a second.

    python examples/quickstart_memory.py

Change the provider and the model in `spec`, and the same lines tune a real model.
"""

from __future__ import annotations

from pathlib import Path

import ftproviders as ft

data = Path(__file__).parent / "data" / "train.jsonl"
spec = ft.JobSpec(
    provider="memory",
    base_model="memory-small",
    training_file=str(data),
    hyperparameters=ft.Hyperparameters(n_epochs=2, lora_r=8),
)

# Look first: nothing is sent.
plan = ft.plan(spec)
print(f"{plan.training.rows} rows, about {plan.trained_tokens} tokens, {plan.cost.basis}")
for item in plan.ignored:
    print(f"ignored: {item.name}: {item.reason}")

# Submitting the same plan again returns the same job.
job = ft.submit(plan)
again = ft.submit(plan)
print(f"{job.ref} (and again: {again.ref}, reused: {again.reused})")

job.wait(on_update=lambda snapshot, _events: print(f"  {snapshot.status.value}"))

# In another process, tomorrow, the text of the ref is enough.
same = ft.job(str(job.ref))
print(same.model)
print(same.chat("My kettle leaks from the bottom").text)
