"""Which existing server answers for a model, and how it is started. Standard library only.

``transformers`` runs everywhere. ``vllm`` is taken where it is installed and an NVIDIA device is
there; it serves an adapter beside its base model, unmerged.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftproviders.worker import process
from ftproviders.worker.hardware import has_nvidia_device
from ftproviders.worker.rundir import read_json

__all__ = ["choose_engine", "lora_rank", "vllm_command"]

_RANKS = (8, 16, 32, 64, 128, 256, 512)
"""Values that vLLM takes as its largest rank."""


def choose_engine() -> str:
    """Return ``vllm`` or ``transformers``."""
    there = importlib.util.find_spec("vllm") is not None
    return "vllm" if there and has_nvidia_device() else "transformers"


def lora_rank(adapter: Path) -> int | None:
    """Return the rank of an adapter that vLLM can serve as it is, or None when it must be merged.

    vLLM adds low-rank matrices to linear layers and nothing else: what DoRA, trained biases or
    whole trained layers need, it does not have.
    """
    config = read_json(adapter / "adapter_config.json")
    more = ("use_dora", "modules_to_save", "trainable_token_indices", "alora_invocation_tokens")
    plain = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none"
    if not plain or any(config.get(name) for name in more):
        return None
    ranks = [config.get("r", 0), *(config.get("rank_pattern") or {}).values()]
    rank = max(int(rank) for rank in ranks)
    return rank if 0 < rank <= _RANKS[-1] else None


def vllm_command(model: Mapping[str, Any], *, name: str, port: int, template: Path) -> list[str]:
    """Return the command that starts vLLM on this machine's own address.

    The token is in no argument: `ftproviders.worker.guard.Guard` reads it from its file.

    Args:
        model: What the preparation found (``model.json``).
        name: Name that clients send.
        port: Port to listen on.
        template: File with the chat template of training.
    """
    command = [*process.python_command("vllm.entrypoints.cli.main"), "serve", model["folder"]]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--tokenizer", model["tokenizer"], "--chat-template", str(template)]
    command += ["--generation-config", "vllm"]
    command += ["--middleware", "ftproviders.worker.guard.Guard"]
    if not model.get("adapter"):
        return [*command, "--served-model-name", name]
    command += ["--served-model-name", f"{name}-base", "--enable-lora"]
    command += ["--lora-modules", f"{name}={model['adapter']}"]
    rank = next(size for size in _RANKS if size >= int(model["rank"]))
    return [*command, "--max-lora-rank", str(rank)]
