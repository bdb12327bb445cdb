"""Load base models, tokenizers and adapters, with code from outside always off. Imports torch."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from ftproviders.data.template import default_template
from ftproviders.worker import smollm2
from ftproviders.worker.basemodel import HUB_FILES, BaseModel, folder_problem, locate
from ftproviders.worker.failures import WorkError
from ftproviders.worker.hardware import cpu_has_bf16
from ftproviders.worker.rundir import read_json

__all__ = [
    "MODEL_CARD",
    "base_folder",
    "choose_dtype",
    "default_template",
    "load_adapter",
    "load_model",
    "load_tokenizer",
    "load_tuned",
    "quantization_for",
    "quiet",
]

MODEL_CARD = "ftproviders.json"
"""File beside an adapter that says how it was made: base model as written, data type, attention."""


def quiet() -> None:
    """Keep progress bars out of the log."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def base_folder(name: str, cache: Path, report: Callable[[str], None]) -> Path:
    """Return the folder of base model `name`; download or convert it when that is needed.

    Args:
        name: Alias, folder or name on the Hub.
        cache: Our cache folder (what comes from the Hub stays in the Hub's own cache).
        report: Gets a line for everything that takes a while.

    Raises:
        WorkError: There is no such model, or it must not be loaded.
    """
    try:
        model = locate(name)
    except ValueError as error:
        raise WorkError(str(error), code="base_model", param="base_model") from error
    if model.kind == "alias":
        return smollm2.prepare(cache, report)
    folder = Path(model.name) if model.kind == "path" else _from_hub(model, report)
    problem = folder_problem(folder)
    if problem is not None:
        raise WorkError(problem, code="base_model", param="base_model")
    return folder


def _from_hub(model: BaseModel, report: Callable[[str], None]) -> Path:
    from huggingface_hub import snapshot_download

    report(f"Looking for {model.name} in the Hub's cache and on the Hub.")
    try:
        return Path(snapshot_download(model.name, allow_patterns=list(HUB_FILES)))
    # The Hub's client raises many kinds; each means that the model cannot be had.
    except Exception as error:
        raise WorkError(
            f"{model.name} could not be fetched from the Hugging Face Hub "
            f"({type(error).__name__}). Check the name, "
            "the network and HF_TOKEN, or give the folder of a model that is on this machine.",
            code="model_unavailable",
            param="base_model",
        ) from error


def choose_dtype(wanted: str) -> torch.dtype:
    """Return the data type for weights and adapter: ``bf16`` where the hardware computes in it.

    Args:
        wanted: ``auto``, ``bf16`` or ``fp32``.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = cpu_has_bf16()
        wanted = "bf16" if fast else "fp32"
    return torch.bfloat16 if wanted == "bf16" else torch.float32


def load_tokenizer(folder: Path, template: str | None = None) -> Any:
    """Load a tokenizer that has a chat template and a padding token.

    Args:
        folder: Folder of the model or adapter.
        template: Chat template to use instead of the model's own.

    Raises:
        WorkError: It cannot say where a token stands in the text.
    """
    tokenizer = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    if not tokenizer.is_fast:
        raise WorkError(
            f"The tokenizer in {folder} is a slow one, which cannot say where its tokens stand in "
            f"the text. Save a fast "
            "tokenizer (tokenizer.json) with the model.",
            code="tokenizer",
            param="base_model",
        )
    if template is not None:
        tokenizer.chat_template = template
    elif not tokenizer.chat_template:
        tokenizer.chat_template = default_template()
    if tokenizer.eos_token is None:
        raise WorkError(
            f"The tokenizer in {folder} has no end-of-text token, so answers would never end. "
            "Set eos_token and save it again.",
            code="tokenizer",
            param="base_model",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(
    folder: Path, *, dtype: torch.dtype, attention: str, quantization: Any = None
) -> Any:
    """Load a base model on the best device here.

    Args:
        folder: Folder with safetensors weights.
        dtype: Data type of the weights.
        attention: ``sdpa``, ``eager`` or ``flash_attention_2``.
        quantization: What `quantization_for` returned.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    quantized: dict[str, Any] = {}
    if quantization is not None:
        # Quantised while they are read, and read one after the other: readers that run ahead of the
        # quantiser were measured to have the whole weights in memory at once.
        os.environ.setdefault("HF_DEACTIVATE_ASYNC_LOAD", "1")
        quantized = {"quantization_config": quantization, "device_map": {"": device}}
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=attention,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        **quantized,
    )
    if not quantized:
        return model.to(device)
    for module in model.modules():
        # bitsandbytes would repack weights for the processor at each validation and back after it,
        # which rounds them anew, and fails for widths that are no multiple of its blocks.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def quantization_for(settings: Mapping[str, Any], dtype: torch.dtype) -> Any:
    """Return how the base model is quantised, or None when it is not.

    Args:
        settings: The job's resolved settings.
        dtype: The job's data type; weights are multiplied in it unless another one is stated.
    """
    if settings["tuning"] != "qlora":
        return None
    stated = settings["bnb_4bit_compute_dtype"]
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=settings["bnb_4bit_quant_type"],
        bnb_4bit_use_double_quant=settings["bnb_4bit_use_double_quant"],
        bnb_4bit_compute_dtype=dtype if stated == "auto" else choose_dtype(stated),
    )


def load_tuned(folder: Path, cache: Path) -> tuple[Any, Any]:
    """Load what a training left: an adapter on its base model, or a whole model.

    Args:
        folder: The run's ``adapter`` folder, or a checkpoint's.
        cache: Our cache folder, from which a base model comes.

    Returns:
        Model and tokenizer.
    """
    if (folder / "adapter_config.json").is_file():
        return load_adapter(folder, cache)
    card = read_json(folder / MODEL_CARD)
    dtype = choose_dtype(str(card.get("dtype", "auto")))
    attention = _attention_here(str(card.get("attention", "sdpa")))
    return load_model(folder, dtype=dtype, attention=attention), load_tokenizer(folder)


def _quantization_of(card: Mapping[str, Any], dtype: torch.dtype) -> Any:
    """Return how the base model was quantised when an adapter was trained; None = it was not."""
    settings = card.get("quantization")
    if not settings or importlib.util.find_spec("bitsandbytes") is None:
        return None
    return quantization_for(settings, dtype)


def _attention_here(wanted: str) -> str:
    """Return an implementation that gives the same numbers, where the wanted one is missing."""
    there = torch.cuda.is_available() and importlib.util.find_spec("flash_attn") is not None
    return "sdpa" if wanted == "flash_attention_2" and not there else wanted


def load_adapter(folder: Path, cache: Path) -> tuple[Any, Any]:
    """Load a tuned model for answering.

    Args:
        folder: An adapter's folder, as training left it.
        cache: Our cache folder, from which the base model comes.

    Returns:
        Model and tokenizer.
    """
    from peft import PeftModel

    card = read_json(folder / MODEL_CARD)
    name = card.get("base_model") or read_json(folder / "adapter_config.json").get(
        "base_model_name_or_path", ""
    )
    base = base_folder(str(name), cache, print)
    dtype = choose_dtype(str(card.get("dtype", "auto")))
    attention = _attention_here(str(card.get("attention", "sdpa")))
    quantization = _quantization_of(card, dtype)
    model = load_model(base, dtype=dtype, attention=attention, quantization=quantization)
    if quantization is not None:
        # The rounded weights that the adapter was trained with, as usual layers: what answers is
        # what was trained, and it can be merged.
        model = model.dequantize(dtype)
    tuned = PeftModel.from_pretrained(model, folder, autocast_adapter_dtype=False)
    return tuned, load_tokenizer(folder)
