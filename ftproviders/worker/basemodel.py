"""Which base model is meant, and whether it may be loaded. Standard library only.

A base model is an alias, a folder, or a name on the Hugging Face Hub. Only safetensors weights are
loaded: pickle files can run code.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["ALIAS", "HUB_FILES", "BaseModel", "alias_folder", "folder_problem", "locate"]

ALIAS = "smollm2-135m"
"""SmolLM2-135M-Instruct, which comes in a Python package, so it needs no model hub."""

HUB_FILES = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.model", "*.txt", "*.jinja")
"""What is fetched from the Hub: no code and no pickle files."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A base model that was named."""

    name: str
    """As the user wrote it; a folder as an absolute path."""
    kind: Literal["alias", "path", "hub"]


def alias_folder(cache: Path) -> Path:
    """Return where the alias' converted checkpoint is kept."""
    return cache / "models" / ALIAS / "1"


def locate(name: str) -> BaseModel:
    """Say which base model `name` means.

    Raises:
        ValueError: It is none; the message says why and what to write.
    """
    if name == ALIAS:
        return BaseModel(name=name, kind="alias")
    path = Path(name).expanduser()
    if path.is_dir():
        problem = folder_problem(path)
        if problem is not None:
            raise ValueError(problem)
        return BaseModel(name=str(path.resolve()), kind="path")
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or path.exists():
        raise ValueError(
            f"{name} is not a folder. Give the folder of a model with config.json and safetensors "
            f"weights, a name on the Hugging Face Hub, or {ALIAS}."
        )
    near = difflib.get_close_matches(name.lower(), [ALIAS], n=1, cutoff=0.6)
    if not _HUB_NAME.fullmatch(name) or ("/" not in name and near):
        guess = f"Did you mean {ALIAS}? " if near else ""
        raise ValueError(
            f"There is no base model {name!r}. {guess}Give {ALIAS}, the folder of a model, or a "
            f"name "
            "on the Hugging Face Hub such as organisation/model."
        )
    return BaseModel(name=name, kind="hub")


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}  # transformers will say what is wrong with it
    return content if isinstance(content, dict) else {}


def folder_problem(folder: Path) -> str | None:
    """Say why the model in `folder` cannot be used, or None."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            return (
                f"{folder} holds an adapter, not a whole model. To tune on from it, export the job "
                "with --format merged and give the folder of that."
            )
        return f"{folder} holds no model: config.json is missing. Give the folder that has it."
    if not any(folder.glob("*.safetensors")):
        if any(file for pattern in _PICKLES for file in folder.glob(pattern)):
            return (
                f"{folder} holds only pickle weights, which can run code when they are loaded. "
                "Convert them to safetensors: model.save_pretrained(FOLDER) in transformers."
            )
        return f"{folder} holds no *.safetensors weights. Give the folder of a whole model."
    if "quantization_config" in _config(folder):
        return (
            f"{folder} holds weights that are quantised already, on which no tuned model can be "
            "merged again. Name the model that they were made from; tuning=qlora quantises it "
            "while it is loaded."
        )
    tokenizers = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
    if not any((folder / name).is_file() for name in tokenizers):
        return f"{folder} holds no tokenizer. Save it there: tokenizer.save_pretrained(FOLDER)."
    return None
