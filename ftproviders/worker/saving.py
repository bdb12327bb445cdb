"""Saving what was trained: a folder is there whole or not at all. Imports torch."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

import torch

from ftproviders.worker.lifecycle import Run
from ftproviders.worker.loading import MODEL_CARD
from ftproviders.worker.rundir import now, write_json

__all__ = ["Saver"]


class Saver:
    """Saves the adapter so that a folder is there whole or not at all."""

    def __init__(self, run: Run, tokenizer: Any, *, dtype: torch.dtype) -> None:
        self.tokenizer = tokenizer
        self.card = {
            "base_model": run.job["base_model"],
            "submission_id": run.job["submission_id"],
            "suffix": run.job.get("suffix"),
            "dtype": "bf16" if dtype == torch.bfloat16 else "fp32",
            "attention": run.job["settings"]["attn_implementation"],
        }

    def save(self, model: Any, folder: Path, **facts: object) -> None:
        """Save model, tokenizer and card in `folder`."""
        draft = folder.with_name(f".new-{secrets.token_hex(4)}")
        try:
            model.save_pretrained(draft, safe_serialization=True, save_embedding_layers=False)
            self.tokenizer.save_pretrained(draft)
            write_json(draft / MODEL_CARD, {**self.card, "created_at": now(), **facts})
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
