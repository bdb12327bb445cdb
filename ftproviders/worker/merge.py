"""Merge a LoRA adapter into its base model: one folder that any program can load.

Torch and its family are imported only when something has to be merged.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftproviders.worker import process
from ftproviders.worker.failures import WorkError
from ftproviders.worker.probe import PROBE_FILE, make_probe
from ftproviders.worker.rundir import now, private_folder, read_json, write_json

__all__ = [
    "CARD",
    "MERGED_CARD",
    "convert_weights",
    "folder_digest",
    "is_adapter",
    "is_merged",
    "merge_adapter",
]

CARD = "ftproviders.json"
"""File beside an adapter that says how it was made."""
MERGED_CARD = "merged.json"
"""File in a merged folder that says of what it was made."""


def is_adapter(folder: Path) -> bool:
    """Say whether `folder` holds a PEFT adapter, which cannot answer without its base model."""
    return (folder / "adapter_config.json").is_file()


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 over names and content of the files in `folder`."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        with file.open("rb") as content:
            inner = hashlib.file_digest(content, "sha256").hexdigest()
        digest.update(f"{file.name}\0{inner}\n".encode())
    return digest.hexdigest()


def is_merged(adapter: Path, target: Path, *, weights: str | None = None) -> bool:
    """Say whether `target` was made of `adapter` as it is now, in this number format."""
    card = read_json(target / MERGED_CARD)
    same = bool(card) and card.get("weights") == weights
    return same and card.get("adapter_sha256") == folder_digest(adapter)


def merge_adapter(
    adapter: Path,
    target: Path,
    *,
    cache: Path,
    report: Callable[[str], None] = print,
    weights: str | None = None,
) -> Path:
    """Merge an adapter into its base model; a merge of the same adapter is used again.

    The folder appears whole or not at all. A model that needs no merging is returned as it is.

    Args:
        adapter: Folder of an adapter, or of a whole model (full fine-tuning).
        target: Folder for safetensors weights, tokenizer and chat template.
        cache: Our cache folder, from which the base model comes.
        report: Gets a line for everything that takes a while.
        weights: ``fp32`` adds base weights and update up without rounding the sum; ``bf16``
            rounds it; None = as trained.

    Returns:
        `target`, or `adapter` when it is a whole model.

    Raises:
        WorkError: It cannot be merged, and why.
    """
    if not is_adapter(adapter):
        if (adapter / "config.json").is_file():
            return adapter
        raise WorkError(
            f"{adapter} holds neither an adapter (adapter_config.json) nor a model (config.json). "
            "Give the folder that training left.",
            code="no_model",
        )
    private_folder(target.parent)
    with process.exclusive(target.with_name(f".{target.name}.lock")):
        if is_merged(adapter, target, weights=weights):
            report(f"The merged model in {target} is still good.")
            return target
        _check_free(target)
        draft = target.with_name(f".{target.name}.new-{secrets.token_hex(4)}")
        try:
            _merge(adapter, draft, cache=cache, report=report, weights=weights)
            _put(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return target


def _check_free(target: Path) -> None:
    ours = (target / MERGED_CARD).is_file()
    if target.exists() and not ours and (not target.is_dir() or any(target.iterdir())):
        raise WorkError(
            f"{target} is there already and is no merged model of ours, so it is left alone. Name "
            "another folder, or remove it.",
            code="target_taken",
            param="target",
        )


def _merge(
    adapter: Path,
    draft: Path,
    *,
    cache: Path,
    report: Callable[[str], None],
    weights: str | None,
) -> None:
    from ftproviders.worker.loading import load_adapter

    # Before anything is read, so that an adapter that changes meanwhile is merged again.
    digest = folder_digest(adapter)
    report(f"Merging the adapter {adapter} into its base model.")
    tuned, tokenizer = load_adapter(adapter, cache)
    card = read_json(adapter / CARD)
    if weights == "fp32":
        tuned = tuned.float()
    model = tuned.merge_and_unload(safe_merge=True)
    if weights == "bf16":
        model = model.bfloat16()
    _end_as_taught(model, tokenizer)
    # The name of the base model is a path of this machine, and no longer where this comes from.
    model.config._name_or_path = ""
    draft.mkdir(mode=0o700)
    model.save_pretrained(draft, safe_serialization=True)
    tokenizer.save_pretrained(draft)
    write_json(draft / PROBE_FILE, read_json(adapter / PROBE_FILE) or make_probe(tokenizer))
    facts = {
        "adapter_sha256": digest,
        "adapter": str(adapter),
        "merged_at": now(),
        "weights": weights,
    }
    write_json(draft / MERGED_CARD, {**card, **facts})


def convert_weights(model: Path, target: Path, *, weights: str) -> None:
    """Write a whole model once more in another number format.

    Args:
        model: Folder of the model.
        target: Folder to write in.
        weights: ``bf16`` or ``fp32``.
    """
    import torch

    from ftproviders.worker.loading import load_model, load_tokenizer

    dtype = torch.float32 if weights == "fp32" else torch.bfloat16
    loaded = load_model(model, dtype=dtype, attention="sdpa")
    loaded.config._name_or_path = ""
    tokenizer = load_tokenizer(model)
    loaded.save_pretrained(target, safe_serialization=True)
    tokenizer.save_pretrained(target)
    write_json(target / PROBE_FILE, read_json(model / PROBE_FILE) or make_probe(tokenizer))


def _end_as_taught(model: Any, tokenizer: Any) -> None:
    """Let answers end with the tokenizer's end-of-text token too: training taught that one."""
    settings = model.generation_config
    named = settings.eos_token_id
    several = named if isinstance(named, list) else [named]
    settings.eos_token_id = sorted({tokenizer.eos_token_id, *several} - {None})
    settings.pad_token_id = tokenizer.pad_token_id


def _put(draft: Path, target: Path) -> None:
    """Rename a finished folder into place; what was there goes."""
    old = target.with_name(f".{target.name}.old-{secrets.token_hex(4)}")
    if target.exists():
        target.rename(old)
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)
