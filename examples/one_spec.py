"""One job file on this machine and at OpenAI; what each takes, renames and ignores.

pip install 'ftproviders[local,openai]'      # about torch: see constraints.txt
export OPENAI_API_KEY=...                    # to rehearse for nothing: docs/rehearsing.md
python examples/one_spec.py [FILE.yaml]      # the local half takes some minutes on two cores
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

import ftproviders as ft

FILE = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_suffix(".yaml")
QUESTION = "My kettle leaks from the bottom when I fill it."

content = yaml.safe_load(FILE.read_text("utf-8"))
content["training_file"] = str(FILE.parent / content["training_file"])

jobs = []
for provider in ("local", "openai"):
    plan = ft.plan(ft.JobSpec(provider=provider, **content))
    print(f"{provider}: {plan.base_model}, {plan.training.rows} rows, cost: {plan.cost.basis}")
    for name in sorted(plan.resolved.keys() & {*content, *content["hyperparameters"]}):
        print(f"  taken    {name} = {plan.resolved[name]}")
    for mapped in plan.mapped:
        print(f"  mapped   {mapped.name} = {mapped.value} -> {mapped.sent_as}")
    for ignored in plan.ignored:
        print(f"  ignored  {ignored.name} = {ignored.value}: {ignored.reason}")
    jobs.append(ft.submit(plan))

for job in jobs:
    job.wait()
    print(f"{job.ref}: {job.chat(QUESTION, temperature=0, max_tokens=40).text}")
