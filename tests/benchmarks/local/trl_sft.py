"""Peer: TRL's ``SFTTrainer`` with loss on the assistant's words only.

``extra`` may hold ``attention``, ``adapter_dtype`` (``auto`` = TRL makes the adapter itself, in
fp32) and any setting of ``SFTConfig``.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks.local.meter import Meter
from tests.benchmarks.local.plain import lora, model_and_tokenizer, torch_dtype
from tests.benchmarks.local.task import SEED, Task


def main() -> None:
    """Train."""
    from datasets import load_dataset
    from trl import SFTTrainer

    task = Task.from_argument()
    meter = Meter(task)
    extra = dict(task.extra)
    attention = extra.pop("attention", "sdpa")
    model, tokenizer, adapter = _model(task, attention, extra.pop("adapter_dtype", "base"))
    trainer = SFTTrainer(
        model=model,
        args=_config(task, extra),
        train_dataset=load_dataset(
            "json", data_files=task.rows, split="train", cache_dir=f"{task.output}/datasets"
        ),
        processing_class=tokenizer,
        peft_config=adapter,
    )
    trainer.train()
    trainer.save_model(str(task.adapter))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    meter.report(losses=losses, adapter=task.adapter)


def _model(task: Task, attention: str, adapter_dtype: str) -> tuple[Any, Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if adapter_dtype == "base":
        model, tokenizer = model_and_tokenizer(task)
        model.set_attn_implementation(attention)
        return model, tokenizer, None
    tokenizer = AutoTokenizer.from_pretrained(task.model)
    tokenizer.chat_template = task.chat_template
    model = AutoModelForCausalLM.from_pretrained(
        task.model, dtype=torch_dtype(task), attn_implementation=attention
    )
    return model, tokenizer, lora(task)


def _config(task: Task, extra: dict[str, Any]) -> Any:
    from trl import SFTConfig

    settings: dict[str, Any] = {
        "output_dir": f"{task.output}/trainer",
        "max_steps": task.steps or -1,
        "num_train_epochs": task.epochs,
        "per_device_train_batch_size": task.batch_size,
        "learning_rate": task.learning_rate,
        "lr_scheduler_type": "linear",
        "assistant_only_loss": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        # The weights are bf16 already; casting on top of that only costs.
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "seed": SEED,
    }
    if task.steps is not None:
        settings["train_sampling_strategy"] = "sequential"
    return SFTConfig(**(settings | extra))


if __name__ == "__main__":
    main()
