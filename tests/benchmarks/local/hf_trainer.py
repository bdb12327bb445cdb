"""Peer: ``transformers.Trainer`` with ``DataCollatorForSeq2Seq``."""

from __future__ import annotations

from tests.benchmarks.local.meter import Meter
from tests.benchmarks.local.plain import encode, model_and_tokenizer
from tests.benchmarks.local.task import SEED, Task


def main() -> None:
    """Train."""
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    task = Task.from_argument()
    meter = Meter(task)
    model, tokenizer = model_and_tokenizer(task)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=f"{task.output}/trainer",
            max_steps=task.steps or -1,
            num_train_epochs=task.epochs,
            per_device_train_batch_size=task.batch_size,
            learning_rate=task.learning_rate,
            lr_scheduler_type="linear",
            # Rows come in the order in which all peers visit them.
            train_sampling_strategy="sequential",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
            seed=SEED,
        ),
        train_dataset=encode(task, tokenizer),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
    )
    trainer.train()
    trainer.save_model(str(task.adapter))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    meter.report(losses=losses, adapter=task.adapter)


if __name__ == "__main__":
    main()
