"""Saving what was trained: a folder is there whole or not at all. Imports torch."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ftproviders.worker.attention import stated_attention
from ftproviders.worker.checkpoints import sync_tree
from ftproviders.worker.distributed import is_main, whole_state
from ftproviders.worker.failures import WorkError
from ftproviders.worker.finite import check_weights
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.loading import MODEL_CARD
from ftproviders.worker.probe import PROBE_FILE, make_probe
from ftproviders.worker.rundir import now, write_json

__all__ = ["Saver"]


class Saver:
    """Saves the model so that a folder is there whole or not at all."""

    def __init__(self, run: Run, tokenizer: Any, *, dtype: torch.dtype) -> None:
        self.tokenizer = tokenizer
        self.settings = run.job["settings"]
        self.card = {
            "base_model": run.job["base_model"],
            "submission_id": run.job["submission_id"],
            "suffix": run.job.get("suffix"),
            "dtype": "bf16" if dtype == torch.bfloat16 else "fp32",
            "attention": stated_attention(run.job["settings"]),
            "tuning": run.job["settings"]["tuning"],
            "quantization": _quantization(run.job["settings"]),
        }

    def save(self, model: Any, folder: Path, **facts: object) -> None:
        """Save model, tokenizer and card in `folder`, which appears when it is on the disk."""
        draft = folder.with_name(f".new-{secrets.token_hex(4)}")
        try:
            draft.mkdir(mode=0o700)
            self.write(model, draft, **facts)
            sync_tree(draft)
            draft.rename(folder)
            sync_tree(folder.parent, deep=False)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def write(self, model: Any, folder: Path, **facts: object) -> None:
        """Write model, tokenizer and card into a folder that nobody looks at yet.

        Every process of a training calls it, and process 0 writes.

        Raises:
            WorkError: What was trained are no numbers any more.
        """
        state = whole_state(model)
        if not is_main():
            return
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        check_weights(trained if state is None else state.items(), settings=self.settings)
        how: dict[str, Any] = {} if state is None else {"state_dict": state}
        if hasattr(model, "peft_config"):
            how["save_embedding_layers"] = False
        model.save_pretrained(folder, safe_serialization=True, **how)
        self.tokenizer.save_pretrained(folder)
        # How this training reads a chat: a server must read it alike. A template that takes no
        # plain conversation has no such probe.
        with contextlib.suppress(WorkError):
            write_json(folder / PROBE_FILE, make_probe(self.tokenizer))
        write_json(folder / MODEL_CARD, {**self.card, "created_at": now(), **facts})


def _quantization(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what tells how the base model was quantised; None = it was not."""
    if settings["tuning"] != "qlora":
        return None
    return {k: v for k, v in settings.items() if k == "tuning" or k.startswith("bnb_4bit_")}
