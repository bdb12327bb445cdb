"""Names that guides for transformers, TRL, PEFT and bitsandbytes use -> ours.

Tables and one pure function. A name is renamed, is how things are done here anyway, has no effect
here (and why), or is refused with what to do instead; none is dropped in silence. Names that are
ours too (``packing``, ``optim``, ``max_grad_norm`` ...) are not listed: they are options.

Sources: philschmid, "How to fine-tune LLMs in 2024 with Hugging Face" (2024-02 and 2024-08), and
the arguments of ``TrainingArguments``, ``SFTConfig``, ``LoraConfig``, ``BitsAndBytesConfig``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftproviders.errors import ConfigurationError
from ftproviders.schema.plan import IgnoredSetting, MappedSetting
from ftproviders.schema.value import JsonValue

__all__ = ["GUIDE_NAMES", "Guided", "from_guide", "short_dtype"]

_SAME = (
    "learning_rate", "max_steps", "gradient_accumulation_steps", "warmup_ratio", "weight_decay",
    "lora_alpha", "lora_dropout", "beta",
)  # fmt: skip

_KNOBS: Mapping[str, str] = {
    "num_train_epochs": "n_epochs",
    "lr_scheduler_type": "lr_scheduler",
    "max_seq_length": "max_length_tokens",
    "max_length": "max_length_tokens",
    "r": "lora_r",
} | {name: name for name in _SAME}
"""Name -> hyperparameter."""

_OPTIONS: Mapping[str, str] = {
    "torch_dtype": "dtype",
    "bias": "lora_bias",
    "save_total_limit": "checkpoints",
    "report_to": "trackers",
    "evaluation_strategy": "eval_strategy",
    "load_best_model_at_end": "keep_best",
    "completion_only_loss": "assistant_only_loss",
    "activation_checkpointing": "gradient_checkpointing",
}
"""Name -> option."""

_SWITCHES: Mapping[str, tuple[str, str]] = {
    "load_in_4bit": ("tuning", "qlora"),
    "bf16": ("dtype", "bf16"),
    "use_flash_attention_2": ("attn_implementation", "flash_attention_2"),
    "setup_chat_format": ("chat_template", "chatml"),
}
"""Name -> option and its value when it is on."""

_WORDS = {"true": True, "1": True, "yes": True, "on": True} | {
    "false": False, "0": False, "no": False, "off": False, "none": False,
}  # fmt: skip
"""How switches may be written: as options of type bool."""

_ONLY: Mapping[str, tuple[tuple[str, ...], str]] = {
    "task_type": (("causal_lm",), "Only causal language models are tuned here."),
    "padding_side": (("right",), "Rows are padded on the right; leave it out."),
    "metric_for_best_model": (("loss", "eval_loss"), "The best model is the one of lowest loss."),
    "greater_is_better": (("false",), "The best model is the one of lowest loss."),
    "logging_strategy": (("steps",), "Choose the steps with option logging_steps."),
    "inference_mode": (("false",), "An adapter that is trained is not in inference mode."),
    "init_lora_weights": (("true", "default"), "Only PEFT's default start is here."),
    "use_cache": (("false",), "Training never caches keys and values."),
    "fp16": (("false",), "Use dtype=bf16, or dtype=fp32."),
    "load_in_8bit": (("false",), "Use tuning=qlora, which loads the base model in 4 bit."),
    "trust_remote_code": (
        ("false",),
        "Code of models is never run here; choose a model that transformers knows by itself.",
    ),
    "push_to_hub": (
        ("false",),
        "Nothing is uploaded by a training; run `hf upload NAME FOLDER` when it has ended.",
    ),
    "padding_free": (("false",), "Use packing=true, which needs no padding either."),
}
"""Name -> what is so here anyway, and what to do when another value is wanted."""

_NO_EFFECT: Mapping[str, str] = {
    "output_dir": "each run has a folder of its own",
    "overwrite_output_dir": "each run has a folder of its own",
    "run_name": "a run is named by its submission",
    "logging_dir": "trackers write into the folder of the run",
    "hub_strategy": "nothing is uploaded by a training",
    "hub_model_id": "nothing is uploaded by a training",
    "device_map": "one device is chosen by what the machine has",
    "low_cpu_mem_usage": "weights are always loaded without a second copy",
    "per_device_eval_batch_size": "validation uses the micro-batches of the training",
    "group_by_length": "batches always hold rows of similar length",
    "dataset_kwargs": "rows are encoded with the chat template alone",
    "dataset_num_proc": "rows are encoded in one process",
    "gradient_checkpointing_kwargs": "checkpointing is always the one without re-entrance",
    "bnb_4bit_quant_storage": "weights are stored as bytes",
    "data_seed": "seed orders the rows too",
    "disable_tqdm": "progress is in the events of the job",
}
"""Name -> why it changes nothing here."""

_REFUSED: Mapping[str, str] = {
    "hub_token": "Keys and tokens do not belong into options. Log in with `hf auth login`.",
    "dataset_text_field": "Rows are chats. Run: ftproviders data convert FILE --to messages.",
    "formatting_func": "Rows are chats. Run: ftproviders data convert FILE --to messages.",
    "warmup_steps": "Give warmup_ratio, the share of all steps.",
    "lr_scheduler_kwargs": "Choose a schedule that needs no arguments, for instance cosine.",
}
"""Name -> what to do instead."""

_BATCH = "per_device_train_batch_size"

GUIDE_NAMES = frozenset({_BATCH, "seed"}).union(
    _KNOBS, _OPTIONS, _SWITCHES, _ONLY, _NO_EFFECT, _REFUSED
)
"""Every name that is known beside our own."""


@dataclass
class Guided:
    """What became of settings under guides' names."""

    knobs: dict[str, Any] = field(default_factory=dict)
    """Hyperparameters."""
    options: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    mapped: list[MappedSetting] = field(default_factory=list)
    ignored: list[IgnoredSetting] = field(default_factory=list)


def from_guide(
    stated: Mapping[str, JsonValue], *, knobs: Mapping[str, Any], options: Mapping[str, Any]
) -> Guided:
    """Translate settings under guides' names.

    Args:
        stated: The settings.
        knobs: Hyperparameters that are stated under our names; they must not differ.
        options: Options that are stated under our names; likewise.

    Raises:
        ConfigurationError: A setting cannot be had here, or is stated twice with two values.
    """
    found = Guided()
    for name, value in stated.items():
        _translate(found, name, value)
    if _BATCH in stated:
        _batch(found, stated[_BATCH], knobs)
    for ours, theirs in ((knobs, found.knobs), (options, found.options)):
        for name in ours.keys() & theirs.keys():
            if str(ours[name]) != str(theirs[name]):
                raise _twice(name, ours[name], theirs[name])
    return found


def _translate(found: Guided, name: str, value: JsonValue) -> None:
    if name in _REFUSED:
        raise _refusal(name, value, _REFUSED[name])
    if name in _NO_EFFECT:
        found.ignored.append(IgnoredSetting(name=name, value=value, reason=_NO_EFFECT[name]))
    elif name in _ONLY:
        _only(found, name, value)
    elif name in _KNOBS:
        _take(found, found.knobs, _KNOBS[name], name, value)
    elif name != _BATCH:
        _option(found, name, value)


def _only(found: Guided, name: str, value: JsonValue) -> None:
    allowed, instead = _ONLY[name]
    if str(value).lower() not in allowed:
        raise _refusal(name, value, instead)
    found.mapped.append(MappedSetting(name=name, value=value, sent_as="nothing: it is so anyway"))


def _option(found: Guided, name: str, value: JsonValue) -> None:
    if name == "seed":
        found.seed = _whole(name, value)
        found.mapped.append(MappedSetting(name=name, value=value, sent_as="seed of the job"))
    elif name in _OPTIONS:
        plain = "" if name == "report_to" and value in ("none", None, []) else value
        plain = short_dtype(value) if name == "torch_dtype" else plain
        _take(found, found.options, _OPTIONS[name], name, plain)
    elif name in _SWITCHES:
        _switch(found, name, value)
    else:
        raise _refusal(name, value, "No guide that is known here has it: see docs/providers.")


def _switch(found: Guided, name: str, value: JsonValue) -> None:
    on = _WORDS.get(str(value).lower())
    if on is None:
        raise _refusal(name, value, "Give true or false.")
    option, chosen = _SWITCHES[name]
    if not on and name != "bf16":
        nothing = "nothing: it is so anyway"
        found.mapped.append(MappedSetting(name=name, value=value, sent_as=nothing))
    elif found.options.get(option) != chosen or name != "load_in_4bit":
        # Without bf16 the guides' programs compute in fp32.
        _take(found, found.options, option, name, chosen if on else "fp32")


def short_dtype(value: object) -> str:
    """Return our name of a data type that may be named as in torch."""
    name = str(value).removeprefix("torch.")
    return {"bfloat16": "bf16", "float32": "fp32"}.get(name, name)


def _take(found: Guided, into: dict[str, Any], ours: str, name: str, value: Any) -> None:
    if ours in into and str(into[ours]) != str(value):
        raise _twice(ours, into[ours], value)
    into[ours] = value
    kind = "hyperparameter" if into is found.knobs else "option"
    found.mapped.append(MappedSetting(name=name, value=value, sent_as=f"{kind} {ours}"))


def _batch(found: Guided, value: JsonValue, knobs: Mapping[str, Any]) -> None:
    """Multiply: ours is the rows of an optimizer step, theirs those of one micro-batch."""
    pieces = found.knobs.get(
        "gradient_accumulation_steps", knobs.get("gradient_accumulation_steps", 1)
    )
    count = _whole(_BATCH, value) * _whole("gradient_accumulation_steps", pieces)
    found.knobs["batch_size"] = count
    several = "micro-batch" if _whole(_BATCH, pieces) == 1 else "micro-batches"
    how = f"hyperparameter batch_size = {count}, {pieces} {several} of {value}"
    found.mapped.append(MappedSetting(name=_BATCH, value=value, sent_as=how))


def _whole(name: str, value: Any) -> int:
    try:
        whole = int(value)
        if float(value) == whole:
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise _refusal(name, value, "It must be a whole number.")


def _refusal(name: str, value: object, instead: str) -> ConfigurationError:
    # The value of what may be a key is not shown.
    what = name if name.endswith("token") else f"{name}={value}"
    return ConfigurationError(
        f"local does not take {what}.", provider="local", operation="plan", hint=instead
    )


def _twice(name: str, one: object, other: object) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is stated twice, under two names: {one} and {other}.",
        provider="local",
        operation="plan",
        hint="State it once.",
    )
