"""Provider ``local``: training on this machine. Pure data, no torch."""

from __future__ import annotations

from ftproviders.adapters.local.options import LocalOptions, LocalSettings
from ftproviders.provider import (
    DataProfile,
    Feature,
    HostingFeature,
    HyperparameterInfo,
    ProviderInfo,
)
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import ModelSource

__all__ = ["PROVIDER"]

_KNOBS = (
    HyperparameterInfo(
        name="n_epochs", minimum=0, maximum=10_000, auto=True, default="3; 1 for dpo"
    ),
    HyperparameterInfo(name="batch_size", minimum=1, maximum=65_536, auto=True, default="8"),
    HyperparameterInfo(
        name="learning_rate",
        maximum=1,
        auto=True,
        default="1e-3; 1e-4 with tuning=full; for dpo 5e-5, with tuning=full 1e-6",
    ),
    HyperparameterInfo(name="max_steps", minimum=1, default="no limit"),
    HyperparameterInfo(
        name="max_length_tokens", minimum=8, default="2048, or the model's own limit if smaller"
    ),
    HyperparameterInfo(name="gradient_accumulation_steps", minimum=1, default="1"),
    HyperparameterInfo(name="warmup_ratio", minimum=0, maximum=1, default="0"),
    HyperparameterInfo(name="weight_decay", minimum=0, maximum=1, default="0"),
    HyperparameterInfo(name="lr_scheduler", default="linear"),
    HyperparameterInfo(name="lora_r", minimum=1, maximum=4096, default="8"),
    HyperparameterInfo(name="lora_alpha", default="16"),
    HyperparameterInfo(name="lora_dropout", minimum=0, maximum=1, default="0"),
    HyperparameterInfo(
        name="beta", maximum=2, auto=True, default="0.1", methods=frozenset({Method.DPO})
    ),
)

PROVIDER = ProviderInfo(
    name="local",
    summary="this machine: LoRA, QLoRA, DoRA, whole models and DPO in a process of its own, free",
    training="ftproviders.adapters.local.adapter:LocalTrainingAdapter",
    hosting="ftproviders.adapters.local.hosting:LocalHostingAdapter",
    measuring="ftproviders.adapters.local.measuring:measure",
    extra="local",
    install="pip install 'ftproviders[local]'  (first take the CPU build of torch where there is "
    "no NVIDIA GPU: docs/providers/local.md)",
    modules=("torch", "transformers", "peft", "accelerate", "safetensors", "gguf"),
    optional_modules={
        "quantized": "bitsandbytes",
        "serving": "fastapi",
        "distributed": "deepspeed",
        "trackers": "tensorboard",
        "plot": "plotext",
    },
    settings_type=LocalSettings,
    options_type=LocalOptions,
    methods=frozenset({Method.SUPERVISED, Method.DPO}),
    features=frozenset(
        {
            Feature.CANCEL,
            Feature.PAUSE,
            Feature.RESUME,
            Feature.EVENTS,
            Feature.CHECKPOINTS,
            Feature.EXPORT,
            Feature.JOBS,
            Feature.MODELS,
            Feature.FILES,
            Feature.FIND_FILE,
            Feature.DOWNLOAD_FILE,
            Feature.DELETE_FILE,
        }
    ),
    hosting_features=frozenset(HostingFeature),
    hyperparameters=_KNOBS,
    job_settings=frozenset({"seed", "suffix", "validation_file"}),
    accepts=frozenset({ModelSource.LOCAL_PATH, ModelSource.HUB}),
    produces=ModelSource.LOCAL_PATH,
    data=DataProfile(
        minimum_training_rows=1,
        minimum_validation_rows=1,
        # Models are loaded for text alone, and the worker refuses other rows.
        maximum_image_rows=0,
        maximum_row_tokens=2048,
        row_shapes=frozenset({"messages", "preference", "chosen-rejected"}),
        # The worker then trains with a template of ours; see `rendering`.
        severities={"template.rewritten": Severity.WARNING},
        source="ftproviders.worker.encoding: rows beyond max_length_tokens, 2048 unless stated, "
        "are cut by the worker",
    ),
    free=True,
    reads_own_writes=True,
    poll_seconds=0.5,
    docs="docs/providers/local.md",
)
