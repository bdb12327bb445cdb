"""What a bare loop and ``transformers.Trainer`` share: model, adapter and rows by the libraries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.local.task import SEED, Task

__all__ = ["encode", "lora", "model_and_tokenizer", "torch_dtype"]


def torch_dtype(task: Task) -> torch.dtype:
    """Return the data type of base model and adapter."""
    return torch.bfloat16 if task.dtype == "bf16" else torch.float32


def lora(task: Task) -> Any:
    """Return the adapter's settings."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=task.lora_r,
        lora_alpha=task.lora_alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
    )


def model_and_tokenizer(task: Task) -> tuple[Any, Any]:
    """Load the base model, put an adapter of the same data type on it, load the tokenizer."""
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    tokenizer = AutoTokenizer.from_pretrained(task.model)
    tokenizer.chat_template = task.chat_template
    set_seed(SEED)
    base = AutoModelForCausalLM.from_pretrained(task.model, dtype=torch_dtype(task))
    return get_peft_model(base, lora(task), autocast_adapter_dtype=False), tokenizer


def encode(task: Task, tokenizer: Any) -> Sequence[dict[str, list[int]]]:
    """Return the rows as token ids and labels, with loss on the assistant's words only."""
    rows = []
    for line in Path(task.rows).read_text(encoding="utf-8").splitlines():
        found = tokenizer.apply_chat_template(
            json.loads(line)["messages"], return_dict=True, return_assistant_tokens_mask=True
        )
        pairs = zip(found["input_ids"], found["assistant_masks"], strict=True)
        labels = [token if said else -100 for token, said in pairs]
        rows.append({"input_ids": found["input_ids"], "labels": labels})
    return rows
