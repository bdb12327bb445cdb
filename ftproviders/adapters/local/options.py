"""Settings of this machine as a provider, and what a local job alone can have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from ftproviders.adapters.local.guide_names import GUIDE_NAMES, short_dtype
from ftproviders.adapters.local.parallel import ParallelOptions
from ftproviders.provider import ProviderSettings
from ftproviders.schema.value import JsonValue

__all__ = ["LocalOptions", "LocalSettings", "Tuning"]

Tuning = Literal["lora", "rslora", "dora", "qlora", "full"]


class LocalSettings(ProviderSettings):
    """How jobs are run on this machine."""

    grace_seconds: Annotated[float, Field(ge=0)] = 30.0
    """How long a cancelled worker may take to stop; the next look at it after that kills it."""
    start_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long a new worker may take to say that it has taken over its job."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Processor threads for training and chats; None = all cores."""
    chat_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long a model may take to load, and to answer."""
    chat_models: Annotated[int, Field(ge=1)] = 2
    """How many models are kept in memory for chats at the same time."""
    gguf_converter: str | None = None
    """Path of llama.cpp's ``convert_hf_to_gguf.py`` for GGUF exports; None = the one on PATH."""
    deploy_seconds: Annotated[float, Field(gt=0)] = 1800.0
    """How long the server of a deployment may take from its start to an answered chat."""
    server_restarts: Annotated[int, Field(ge=0)] = 5
    """How often a server that dies is started again within `server_restart_window_seconds`."""
    server_restart_window_seconds: Annotated[float, Field(gt=0)] = 600.0
    """Older deaths of a server do not count any more."""


def _with_commas(value: object) -> object:
    """Take a list of names too, and names with blanks around them."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)):
        return given
    return ",".join(filter(None, (str(name).strip() for name in given)))


Dtype = Annotated[Literal["auto", "bf16", "fp32"], BeforeValidator(short_dtype)]
Names = Annotated[str, BeforeValidator(_with_commas), Field(min_length=1)]


class LocalOptions(ParallelOptions):
    """Options of a local job.

    The names of the usual guides for transformers, TRL and PEFT are taken beside these
    (`guide_names`), and are kept in `guide`.
    """

    also_known: ClassVar[frozenset[str]] = GUIDE_NAMES

    tuning: Tuning = "lora"
    """What is trained: a LoRA adapter, one of its kinds, or the whole model (``full``)."""
    use_rslora: bool = False
    """Scale LoRA by alpha / sqrt(r); what ``tuning=rslora`` switches on."""
    use_dora: bool = False
    """Train a magnitude for each output beside LoRA; what ``tuning=dora`` switches on."""
    target_modules: Names = "all-linear"
    """Layers that get LoRA matrices: ``all-linear`` or names separated by commas."""
    modules_to_save: Names | None = None
    """Layers trained whole beside LoRA, for instance ``lm_head``; names separated by commas."""
    lora_bias: Literal["none", "all", "lora_only"] = "none"
    """Which biases are trained beside LoRA."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """QLoRA: number format of the base model's weights."""
    bnb_4bit_use_double_quant: bool = True
    """QLoRA: quantise the quantisation's own constants too."""
    bnb_4bit_compute_dtype: Dtype = "auto"
    """QLoRA: data type that weights are multiplied in; ``auto`` = as `dtype`."""
    dtype: Dtype = "auto"
    """Data type of weights and adapter; ``auto`` = bf16 where the hardware computes in it."""
    tf32: bool = False
    """Multiply fp32 in TensorFloat-32 on an NVIDIA device that has it."""
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    """How attention is computed: ``auto`` = ``eager`` on a CPU where no row has more than 128
    tokens, else ``sdpa``; ``flash_attention_2`` needs an NVIDIA device and flash-attn."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third slower."""
    chat_template: str | None = None
    """Path of a Jinja chat template to use instead of the model's own, or ``chatml`` for ours."""
    assistant_only_loss: bool = True
    """Learn the assistant's words only; False = every token of a row."""
    packing: bool = False
    """Join rows to sequences of `max_length_tokens`; `batch_size` then counts these."""
    optim: Literal["adamw_torch_fused", "adamw_torch", "sgd", "adafactor", "adagrad", "rmsprop"] = (
        "adamw_torch_fused"
    )
    """Optimizer."""
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    """Longer gradients are cut to this norm; 0 = never."""
    neftune_noise_alpha: Annotated[float, Field(gt=0)] | None = None
    """Noise on embeddings in training (NEFTune); None = none."""
    eval_strategy: Literal["epoch", "steps", "no"] = "epoch"
    """When the validation loss is computed; needs a validation file."""
    eval_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between validations with ``eval_strategy=steps``."""
    early_stopping_patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many validations in a row without a better loss; None = never."""
    early_stopping_threshold: Annotated[float, Field(ge=0)] = 0.0
    """By how much a validation loss must be lower to count as better for early stopping."""
    keep_best: bool = False
    """The result is the model with the lowest validation loss instead of the last one."""
    logging_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between metrics; None = about 200 metrics for a training."""
    save_strategy: Literal["epoch", "steps", "no"] = "epoch"
    """When a checkpoint is written; one is also written at a pause, and after the last step."""
    save_steps: Annotated[int, Field(ge=1)] = 500
    """Optimizer steps between checkpoints with ``save_strategy=steps``."""
    checkpoints: Annotated[int, Field(ge=0)] = 3
    """How many of the newest checkpoints are kept; 0 = none but what going on needs meanwhile."""
    merge: bool = False
    """Also leave the tuned model in one piece: adapter and base model merged."""
    trackers: Annotated[str, BeforeValidator(_with_commas)] = ""
    """Trackers that also get the metrics: ``tensorboard``, ``wandb``, ``mlflow``, ``trackio``."""
    guide: Mapping[str, JsonValue] = {}
    """Settings under the names of the usual guides, for instance ``num_train_epochs``."""

    @model_validator(mode="before")
    @classmethod
    def _lift_guide_names(cls, given: Any) -> Any:
        """Move names that are not ours, but known from the guides, into `guide`."""
        if not isinstance(given, Mapping):
            return given
        known = {k: v for k, v in given.items() if k in GUIDE_NAMES and k not in cls.model_fields}
        if not known:
            return given
        rest = {k: v for k, v in given.items() if k not in known}
        return {**rest, "guide": {**rest.get("guide", {}), **known}}
