"""Peer: the loop that one would write by hand with PEFT, logits everywhere, nothing around it."""

from __future__ import annotations

import torch

from tests.benchmarks.local.meter import Meter
from tests.benchmarks.local.plain import encode, model_and_tokenizer
from tests.benchmarks.local.task import Task


def main() -> None:
    """Train."""
    from transformers import DataCollatorForSeq2Seq

    task = Task.from_argument()
    meter = Meter(task)
    model, tokenizer = model_and_tokenizer(task)
    rows = encode(task, tokenizer)
    collate = DataCollatorForSeq2Seq(tokenizer)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=task.learning_rate, weight_decay=0.0)
    steps = task.steps or 0
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    losses = []
    model.train()
    for step in range(steps):
        batch = collate(rows[step * task.batch_size : (step + 1) * task.batch_size])
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.save_pretrained(task.adapter)
    meter.report(losses=losses, adapter=task.adapter)


if __name__ == "__main__":
    main()
