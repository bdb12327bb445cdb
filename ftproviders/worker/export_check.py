"""Does an exported model answer like the tuned one? Compared in numbers. Imports torch."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import (
    load_adapter,
    load_model,
    load_tokenizer,
    quiet,
)
from ftproviders.worker.merge import is_adapter
from ftproviders.worker.probe import PROBE_FILE, difference, make_probe
from ftproviders.worker.rundir import read_json

__all__ = ["Bounds", "Reference", "bounds_for", "verify"]

_ANSWER_TOKENS = 24
_FP32_BYTES = 4
_SHARE_OF_MEMORY = 0.5
"""A model is compared in fp32 when that takes at most this share of the memory that is free."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How far an exported model may be from the tuned one."""

    kl_nats: float
    """Mean Kullback-Leibler divergence of the next-token distributions, at most this."""
    top1_agreement: float
    """Share of positions at which both prefer the same token, at least this."""
    largest_margin_lost: float
    """How much the tuned model may have preferred its own first choice where the exported one has
    another, in standard deviations of the tuned model's logits."""
    logit_difference: float
    """Largest difference of two logits, in the same deviations: a guard against gross damage. It
    is the largest of some million numbers, most of tokens that nobody would write, so it grows
    with positions and vocabulary and says little about the answers."""


_ROUNDED = Bounds(kl_nats=0.005, top1_agreement=0.9, largest_margin_lost=1.0, logit_difference=2.0)
_BOUNDS: Mapping[str, Bounds] = {
    "fp32": Bounds(
        kl_nats=1e-6, top1_agreement=0.99, largest_margin_lost=1e-3, logit_difference=1e-3
    ),
    "bf16": _ROUNDED,
    "f16": _ROUNDED,
    "q8_0": Bounds(
        kl_nats=0.03, top1_agreement=0.85, largest_margin_lost=1.5, logit_difference=2.0
    ),
}
"""By number format; measurements are in docs/providers/local-export.md."""

_ADVICE: Mapping[str, str] = {
    "fp32": "Nothing is rounded in fp32, so this is a fault: please report it with these numbers.",
    "bf16": "Export it as merged with --weights fp32, which rounds nothing; if that is refused "
    "too, report it with these numbers.",
    "f16": "Export it as merged with --weights fp32, which rounds nothing; if that is refused "
    "too, report it with these numbers.",
    "q8_0": "Try --weights bf16 or f16, which round less.",
}


def bounds_for(weights: str) -> Bounds:
    """Return the bounds for a number format of weights."""
    return _BOUNDS[weights]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the tuned model says to the probe conversation."""

    probe: Mapping[str, Any]
    dtype: str
    """Data type of the tuned model's weights: ``bf16`` or ``fp32``."""
    computed_in: str
    """Data type that its logits were computed in: ``float32``, or another where the memory is too
    small."""
    answer: tuple[int, ...]
    """Its greedy answer, as token ids."""
    text: str
    logits: torch.Tensor
    """fp32, shape (probe and answer, vocabulary)."""

    @classmethod
    def of(cls, folder: Path, cache: Path) -> Reference:
        """Ask a tuned model.

        Args:
            folder: Its adapter, or the whole model.
            cache: Our cache folder, from which the base model comes.
        """
        quiet()
        if is_adapter(folder):
            model, tokenizer = load_adapter(folder, cache)
        else:
            tokenizer = load_tokenizer(folder)
            model = _load_merged(folder)
        dtype = "fp32" if _weights_dtype(model) == torch.float32 else "bf16"
        model = _exact(model)
        # What was rendered at training time counts; older runs have kept none.
        probe = read_json(folder / PROBE_FILE) or make_probe(tokenizer)
        answer = _greedy(model, probe["ids"], tokenizer)
        return cls(
            probe=probe,
            dtype=dtype,
            computed_in=_name(model),
            answer=tuple(answer),
            text=tokenizer.decode(answer, skip_special_tokens=True).strip(),
            logits=_logits(model, [*probe["ids"], *answer]),
        )


def verify(
    reference: Reference, folder: Path, *, weights: str, gguf_file: str | None = None
) -> dict[str, Any]:
    """Load an exported model anew, ask it the same and compare.

    Args:
        reference: What the tuned model said.
        folder: Folder of the exported model.
        weights: Number format that decides the bounds: fp32, bf16, f16 or q8_0.
        gguf_file: Name of the GGUF file in `folder`; None = safetensors.

    Returns:
        Numbers and bounds, for the card and for people.

    Raises:
        WorkError: It answers otherwise (code ``export_differs``).
    """
    gc.collect()
    tokenizer = _tokenizer(folder, gguf_file)
    _same_ids(reference, tokenizer)
    model = _exact(_load_merged(folder, gguf_file))
    answer = _greedy(model, reference.probe["ids"], tokenizer)
    logits = _logits(model, [*reference.probe["ids"], *reference.answer])
    found = _numbers(reference, logits, answer)
    found["exported_answer"] = tokenizer.decode(answer, skip_special_tokens=True).strip()
    # What is computed in bf16 is rounded while it is computed, whatever the weights are.
    exact = reference.computed_in == _name(model) == "float32"
    bounds = bounds_for(weights if exact or weights != "fp32" else "bf16")
    found["bounds"] = asdict(bounds)
    _judge(found, bounds, advice=_ADVICE[weights])
    return {"method": "probe conversation, computed in " + _name(model), **found}


def _numbers(reference: Reference, logits: torch.Tensor, answer: list[int]) -> dict[str, Any]:
    tuned = reference.logits
    spread = tuned.std(dim=-1).mean().item()
    gap = (tuned - logits).abs()
    log_tuned, log_made = tuned.log_softmax(-1), logits.log_softmax(-1)
    divergence = (log_tuned.exp() * (log_tuned - log_made)).sum(-1)
    best = tuned.argmax(-1)
    other = logits.argmax(-1)
    # How sure the tuned model was where the exported one prefers another token.
    margin = (tuned.gather(1, best[:, None]) - tuned.gather(1, other[:, None])).max().item()
    return {
        "positions": len(tuned),
        "greedy_answer_equal": tuple(answer) == reference.answer,
        "top1_agreement": (best == other).float().mean().item(),
        "kl_nats": max(divergence.mean().item(), 0.0),
        "max_logit_difference": gap.max().item(),
        "logit_difference": gap.max().item() / spread,
        "largest_margin_lost": margin / spread,
        "tuned_answer": reference.text,
    }


def _judge(found: Mapping[str, Any], bounds: Bounds, *, advice: str) -> None:
    """Refuse what is out of bounds, or prefers other tokens where the tuned model was sure.

    A token that the tuned model likes about as much as its first choice is a tie, and may fall
    either way.
    """
    problems = [
        f"{name} is {found[name]:.3g}, more than {limit:g}"
        for name, limit in asdict(bounds).items()
        if name != "top1_agreement" and not found[name] <= limit
    ]
    if not found["top1_agreement"] >= bounds.top1_agreement:
        problems.append(
            f"top1_agreement is {found['top1_agreement']:.3g}, less than {bounds.top1_agreement:g}"
        )
    if not problems:
        return
    raise WorkError(
        "The exported model does not answer like the tuned one: "
        f"{'; '.join(problems)}. To the probe the tuned model says {found['tuned_answer']!r}, "
        f"the exported one {found['exported_answer']!r}. Nothing was kept. {advice}",
        code="export_differs",
    )


def _same_ids(reference: Reference, tokenizer: Any) -> None:
    """Refuse a tokenizer or template that reads the probe otherwise than training did."""
    probe = reference.probe
    ids = tokenizer(probe["text"], add_special_tokens=False)["input_ids"]
    text = probe["text"]
    if not probe.get("dated"):  # a template that writes the date is right on its day only
        text = tokenizer.apply_chat_template(
            probe["messages"], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    told = difference(probe, ids, text)
    if told is not None:
        raise WorkError(
            f"The exported tokenizer or template differs. {told}", code="export_differs"
        )


def _tokenizer(folder: Path, gguf_file: str | None) -> Any:
    if gguf_file is None:
        return load_tokenizer(folder)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, gguf_file=gguf_file, local_files_only=True)


def _load_merged(folder: Path, gguf_file: str | None = None) -> Any:
    if gguf_file is None:
        config = read_json(folder / "config.json")
        name = str(config.get("dtype") or config.get("torch_dtype") or "float32")
        dtype = torch.float32 if name == "float32" else torch.bfloat16
        return load_model(folder, dtype=dtype, attention="sdpa")
    from transformers import AutoModelForCausalLM, GgufConfig

    return AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=gguf_file,
        dtype=torch.float32,
        local_files_only=True,
        # Dequantized on loading: what is compared are the weights that the file really holds.
        quantization_config=GgufConfig(gguf_file=gguf_file, dequantize=True),
    )


def _weights_dtype(model: Any) -> torch.dtype:
    return next(p.dtype for p in model.parameters() if p.is_floating_point())


def _exact(model: Any) -> Any:
    """Return the model in fp32 where the memory allows it, so that rounding is not compared."""
    import psutil

    model.eval()
    quantised = any(not p.is_floating_point() for p in model.parameters())
    need = sum(p.numel() for p in model.parameters()) * _FP32_BYTES
    if quantised or need > psutil.virtual_memory().available * _SHARE_OF_MEMORY:
        return model
    return model.float()


def _name(model: Any) -> str:
    return str(_weights_dtype(model)).removeprefix("torch.")


def _greedy(model: Any, ids: list[int], tokenizer: Any) -> list[int]:
    prompt = torch.tensor([ids], device=model.device)
    with torch.inference_mode():
        output = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=_ANSWER_TOKENS,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
        )
    return [int(token) for token in output[0, len(ids) :]]


def _logits(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids], device=model.device)).logits[0].float().cpu()
