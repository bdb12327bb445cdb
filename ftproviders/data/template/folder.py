"""Finds the folder of a base model on this machine. Never goes to the network."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["model_folder"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_ALIAS = re.compile(r"[A-Za-z0-9][\w.-]*")
_TOKENIZER = "tokenizer.json"


def model_folder(name: str, *, cache: Path) -> Path | None:
    """Return the folder with the tokenizer of model `name`, or None when it is not here.

    Args:
        name: A folder, a model that was converted into the cache, or a name on the Hugging Face
            Hub whose files are in the Hub's own cache.
        cache: Our cache folder.
    """
    path = Path(name).expanduser()
    if (path / _TOKENIZER).is_file():
        return path
    if _ALIAS.fullmatch(name):
        versions = sorted((cache / "models" / name).glob(f"*/{_TOKENIZER}"))
        return versions[-1].parent if versions else None
    return _in_hub_cache(name) if _HUB_NAME.fullmatch(name) else None


def _in_hub_cache(name: str) -> Path | None:
    """Look where ``huggingface_hub`` keeps files: a snapshot for each commit."""
    model = _hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        commit = (model / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    folder = model / "snapshots" / commit
    return folder if re.fullmatch(r"\w+", commit) and (folder / _TOKENIZER).is_file() else None


def _hub_cache() -> Path:
    """Return the Hub's cache folder; source: huggingface_hub documentation, environment variables.

    It is read here because ``huggingface_hub`` need not be installed.
    """
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{base}/huggingface"
    return Path(home).expanduser() / "hub"
