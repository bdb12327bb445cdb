"""Weights of a Llama-shaped model -> a GGUF file, with the rest from a template. Imports numpy.

The template is a GGUF file of the same base model: its metadata and tokenizer are copied, its
weights are not read. Llama.cpp interleaves the two halves of rotary dimensions, so the rows of the
query and key projections change places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors import safe_open

from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import load_tokenizer
from ftproviders.worker.rundir import read_json

__all__ = ["plain_template", "write_gguf"]

_ARCHITECTURE = "llama"
_Q8_BLOCK = 32
"""Weights that share one scale in Q8_0; a row must be whole blocks."""
_MARK = re.compile(r"\{%(?P<left>[-+]?)\s*(?P<end>end)?generation\s*(?P<right>[-+]?)%\}")
_TYPES: Mapping[str, tuple[gguf.GGMLQuantizationType, gguf.LlamaFileType]] = {
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def plain_template(template: str) -> str:
    """Return a chat template without the marks of answers, which other programs do not know.

    A mark becomes a condition that always holds: the text stays the same, with the white space
    around it.
    """
    return _MARK.sub(
        lambda m: f"{{%{m['left']} {'endif' if m['end'] else 'if true'} {m['right']}%}}", template
    )


def write_gguf(merged: Path, target: Path, *, template: Path, weights: str) -> None:
    """Write a merged model.

    Args:
        merged: Folder with config.json, safetensors and tokenizer.
        target: The file to write.
        template: GGUF file of the same base model.
        weights: ``bf16``, ``f16`` or ``q8_0``; vectors, such as norms, are fp32 in each.

    Raises:
        WorkError: Model and template do not belong together.
    """
    config = read_json(merged / "config.json")
    source = gguf.GGUFReader(template)
    _check_same(config, source, template)
    kind, file_type = _TYPES[weights]
    writer = gguf.GGUFWriter(target, _ARCHITECTURE)
    try:
        _metadata(writer, source, load_tokenizer(merged), file_type=file_type)
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
        for name, tensor in _tensors(merged):
            theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if theirs is None:
                raise _unlike(f"it has the tensor {name}, which has no place in a llama GGUF file")
            _add(writer, theirs, _reordered(name, tensor, config), kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _check_same(config: Mapping[str, Any], source: Any, template: Path) -> None:
    """Refuse a template of another model."""
    ours = {
        "general.architecture": str(config.get("model_type")),
        "llama.block_count": config.get("num_hidden_layers"),
        "llama.embedding_length": config.get("hidden_size"),
        "llama.feed_forward_length": config.get("intermediate_size"),
        "llama.attention.head_count": config.get("num_attention_heads"),
        "llama.attention.head_count_kv": config.get("num_key_value_heads"),
    }
    for key, value in ours.items():
        theirs = _field(source, key)
        if theirs != value:
            raise _unlike(f"{key} is {value}, and {theirs} in {template.name}")
    tokens = len(_field(source, "tokenizer.ggml.tokens") or ())
    if tokens != config.get("vocab_size"):
        raise _unlike(f"it has {config.get('vocab_size')} tokens, and {template.name} has {tokens}")


def _unlike(what: str) -> WorkError:
    return WorkError(
        f"This model cannot be written over the base model's GGUF file: {what}. Use llama.cpp's "
        "converter (FTPROVIDERS_LOCAL_GGUF_CONVERTER), or export as merged.",
        code="gguf_template",
    )


def _field(source: Any, key: str) -> Any:
    field = source.get_field(key)
    return None if field is None else field.contents()


def _metadata(writer: Any, source: Any, tokenizer: Any, *, file_type: Any) -> None:
    written_anew = {"general.architecture", "general.file_type", "general.quantization_version"}
    written_anew |= {"tokenizer.chat_template", "tokenizer.ggml.eos_token_id"}
    for key, field in source.fields.items():
        if key.startswith("GGUF.") or key in written_anew:
            continue
        inner = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(key, field.contents(), field.types[0], inner)
    writer.add_file_type(int(file_type))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_chat_template(plain_template(str(tokenizer.chat_template)))
    writer.add_eos_token_id(tokenizer.eos_token_id)


def _tensors(merged: Path) -> Iterator[tuple[str, Any]]:
    for file in sorted(merged.glob("*.safetensors")):
        with safe_open(file, "pt") as content:
            for name in content.keys():  # noqa: SIM118 - it is no mapping
                yield name, content.get_tensor(name).to(torch.float32).numpy()


def _reordered(name: str, tensor: Any, config: Mapping[str, Any]) -> Any:
    heads = config["num_attention_heads"]
    if ".k_proj." in name:
        heads = config.get("num_key_value_heads") or heads
    elif ".q_proj." not in name:
        return tensor
    halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
    return halves.swapaxes(1, 2).reshape(tensor.shape)


def _add(writer: Any, name: str, tensor: Any, kind: gguf.GGMLQuantizationType) -> None:
    if tensor.ndim == 1:
        writer.add_tensor(name, tensor.astype(np.float32))
        return
    blocks = kind is not gguf.GGMLQuantizationType.Q8_0 or tensor.shape[-1] % _Q8_BLOCK == 0
    used = kind if blocks else gguf.GGMLQuantizationType.F16
    writer.add_tensor(name, gguf.quants.quantize(tensor, used), raw_dtype=used)
