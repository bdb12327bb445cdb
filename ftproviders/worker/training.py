"""A training: from ``job.json`` to an adapter or a whole model. Imports torch."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from ftproviders.worker.adapting import adapt
from ftproviders.worker.attention import choose_attention, stated_attention
from ftproviders.worker.belonging import model_digests
from ftproviders.worker.checkpointing import CheckpointWriter, Keeper
from ftproviders.worker.distributed import WrapperCheck, seed_rank, summed, world_size
from ftproviders.worker.evaluating import Evaluation
from ftproviders.worker.failures import WorkError
from ftproviders.worker.finishing import finish
from ftproviders.worker.hardware import describe
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.loading import (
    base_folder,
    choose_dtype,
    load_model,
    load_tokenizer,
    quantization_for,
    quiet,
)
from ftproviders.worker.reporting import Reporter
from ftproviders.worker.rows import Data, encode_job
from ftproviders.worker.saving import Saver
from ftproviders.worker.trainers import make_trainer

__all__ = ["train"]


def train(run: Run) -> Mapping[str, object]:
    """Do what ``job.json`` says.

    Args:
        run: The run.

    Returns:
        ``trained_tokens``: tokens without padding that went through the model, all epochs together.

    Raises:
        WorkError: It cannot be done, and why.
        WorkCancelled: Somebody asked to stop.
    """
    quiet()
    with run.interruptible():
        for file in run.job["files"]:
            _check_digest(run, file)
        base = base_folder(run.job["base_model"], Path(run.job["cache"]), run.event)
        keeper = Keeper(run, base)
        keeper.find()
    if not run.shared.adapter.is_dir():
        trained_tokens = _train(run, keeper)
    else:  # by a worker that died after it
        trained_tokens = run.shared.status().get("trained_tokens", 0)
        run.status("running")
    if world_size() == 1:  # several processes leave it to their worker
        finish(run)
    return {"trained_tokens": trained_tokens}


def _train(run: Run, keeper: Keeper) -> int:
    settings = run.job["settings"]
    with run.interruptible():
        tokenizer = load_tokenizer(keeper.base, run.job.get("chat_template"))
        dtype = choose_dtype(settings["dtype"])
        set_seed(settings["seed"])
        base_model = load_model(
            keeper.base,
            dtype=dtype,
            attention=stated_attention(settings),
            quantization=quantization_for(settings, dtype),
        )
        data = encode_job(run, tokenizer, base_model.config)
        if run.job["method"] == "supervised":
            rows = [*data.training.rows, *(data.validation.rows if data.validation else ())]
            run.found(attention=choose_attention(base_model, settings, rows))
        model = adapt(base_model, settings, dtype=dtype)
        _tell(run, model, tokenizer, dtype=dtype, data=data)
        keeper.compare()
    run.status("running")
    saver = Saver(run, tokenizer, dtype=dtype)
    trained_tokens = 0
    if settings["n_epochs"] > 0:
        trained_tokens = _fit(run, model, tokenizer, data, keeper)
    else:
        run.event("n_epochs is 0: the adapter is saved as it is, untrained.", level="warning")
    run.check()
    run.directory.write_status({"trained_tokens": trained_tokens})
    run.found(base_model_files=model_digests(keeper.base))
    best = Evaluation.best_of(run.directory.path)
    if best is None:
        saver.save(model, run.directory.adapter)
    else:
        best.rename(run.directory.adapter)
    return trained_tokens


# --- before ----------------------------------------------------------------------------------


def _check_digest(run: Run, file: Mapping[str, Any]) -> None:
    path = run.directory.data(file["purpose"])
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise WorkError(
            f"The {file['purpose']} file {file['name']} is missing. Put it back as {path}, or "
            "submit it again.",
            code="file_missing",
            param=file["purpose"],
        ) from error
    if digest != file["sha256"]:
        raise WorkError(
            f"The {file['purpose']} file {file['name']} is no longer the one that was submitted "
            f"(SHA-256 {digest} instead of {file['sha256']}). Put it back, or submit it again.",
            code="file_changed",
            param=file["purpose"],
        )


def _tell(run: Run, model: Any, tokenizer: Any, *, dtype: torch.dtype, data: Data) -> None:
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    name = str(dtype).removeprefix("torch.")
    how = "template marks" if data.training.marked else "template difference"
    run.found(
        dtype=name,
        device=str(next(model.parameters()).device),
        hardware={**describe(), "threads": torch.get_num_threads()},
        chat_template=tokenizer.chat_template,
        assistant_tokens_by=how,
        parameters={"trainable": trainable, "total": total},
    )
    run.event(
        f"{len(data.training.rows)} rows, {data.training.tokens} tokens, "
        f"{data.training.label_tokens} of them the "
        f"assistant's; {trainable:,} of {total:,} parameters are trained in {name}."
    )


# --- training --------------------------------------------------------------------------------


def _fit(run: Run, model: Any, tokenizer: Any, data: Data, keeper: Keeper) -> int:
    settings = run.job["settings"]
    saver = keeper.saver = Saver(run, tokenizer, dtype=choose_dtype(settings["dtype"]))
    trainer, measure = make_trainer(run, model, tokenizer, data=data, base=keeper.base)
    trainer.add_callback(WrapperCheck(trainer, settings))
    trainer.add_callback(Reporter(run, trainer))
    evaluation = Evaluation(
        run,
        measure=measure,
        saver=saver,
        trackers=trainer.log,
    )
    trainer.add_callback(evaluation)
    keeper.latest = lambda: evaluation.latest
    trainer.add_callback(CheckpointWriter(run, keeper, trainer))
    seed_rank(settings["seed"])
    keeper.train(trainer)
    shutil.rmtree(run.directory.path / "trainer", ignore_errors=True)
    return int(summed(trainer.trained_tokens)[0])
