"""GGUF file -> ordinary checkpoint of safetensors. Imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

__all__ = ["convert_gguf"]


def convert_gguf(file: Path, folder: Path) -> None:
    """Unpack the weights of `file` to bf16 and save model and tokenizer in `folder`.

    Args:
        file: The GGUF file.
        folder: Where to save; made here.
    """
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    # Dequantized on loading: a model whose weights stay packed cannot be saved.
    model: Any = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(gguf_file=file.name, dequantize=True),
    )
    model.to(torch.bfloat16)
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
