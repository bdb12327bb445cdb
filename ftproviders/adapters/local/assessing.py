"""What a plan says of a local job: settings, what became of them, what the machine lacks."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftproviders.adapters.local.inputs import (
    about_dtype,
    about_model,
    base_model,
    known_dtype,
    template,
)
from ftproviders.adapters.local.parallel import about_parallel, missing_means
from ftproviders.adapters.local.rendering import rendered_row
from ftproviders.adapters.local.settings import Chosen, resolve, warnings
from ftproviders.errors import ConfigurationError, MissingDependencyError
from ftproviders.provider import ProviderInfo
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.plan import Assessment, IgnoredSetting
from ftproviders.worker import hardware

__all__ = ["complete", "used_packages"]

TRACKERS: Mapping[str, tuple[str, str]] = {
    "tensorboard": ("tensorboard", "pip install 'ftproviders[trackers]'"),
    "wandb": ("wandb", "pip install wandb"),
    "mlflow": ("mlflow", "pip install mlflow"),
    "trackio": ("trackio", "pip install trackio"),
}
"""Tracker -> its module, and what installs it."""

_ONLY_WITH: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "save_steps": lambda settings: settings["save_strategy"] == "steps",
    "eval_steps": lambda settings: settings["eval_strategy"] == "steps",
    "early_stopping_threshold": lambda settings: settings["early_stopping_patience"] is not None,
    "tf32": lambda _settings: hardware.has_nvidia_device(),
}
"""Setting -> whether it says anything for a job with such settings."""

_KINDS: Mapping[str, str] = {
    "lora": "LoRA: small matrices are trained beside the frozen base model",
    "rslora": "rsLoRA: LoRA, scaled by the root of its rank",
    "dora": "DoRA: LoRA that trains the length of each output by itself",
    "qlora": "QLoRA: LoRA beside a base model that is held in 4 bit",
    "full": "full: every weight is trained, and the result is a whole model",
}


def complete(answer: Assessment, chosen: Chosen, cache: Path) -> Assessment:
    """Add to the answer worked out from `ProviderInfo` what this machine makes of the job.

    Args:
        answer: That answer, for `chosen.spec`.
        chosen: The spec and its options, guides' names translated.
        cache: Our cache folder.

    Raises:
        ConfigurationError: Settings do not go together, or a file cannot be read.
        MissingDependencyError: A package is missing that the settings need.
    """
    settings = resolve(chosen.spec, chosen.options)
    model = base_model(chosen.spec)
    rendered = rendered_row(
        chosen.spec, cache, template=template(chosen.options), settings=settings
    )
    for problem in _missing(settings, chosen.spec.method):
        raise problem
    optional = dict(_shown(settings))
    ignored = (
        *answer.ignored,
        *chosen.guided.ignored,
        *_without_lora(settings, answer),
        *_without_device(settings),
    )
    resolved = {**answer.resolved, **optional}
    return answer.model_copy(
        update={
            "resolved": resolved,
            "defaults": tuple(sorted(resolved.keys() - _stated(chosen, settings))),
            "mapped": (*answer.mapped, *chosen.guided.mapped),
            "ignored": ignored,
            "warnings": (*answer.warnings, *warnings(settings, chosen)),
            "notes": (*answer.notes, *_notes(settings), about_model(model, cache), *rendered),
        }
    )


def used_packages(chosen: Chosen, info: ProviderInfo) -> list[str]:
    """Return the packages that a job's result depends on, for its record of versions.

    Args:
        chosen: The job.
        info: What the provider says of itself.
    """
    names = ["ftproviders", *info.modules, "tokenizers", "numpy"]
    if chosen.options.tuning == "qlora":
        names.append("bitsandbytes")
    if chosen.spec.method is Method.DPO:
        names += ["trl", "datasets"]
    return names


def _shown(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings that say something for this job."""
    for name, value in settings.items():
        if value is None or value == "":
            continue
        if name.startswith("bnb_4bit_") and settings["tuning"] != "qlora":
            continue
        needed = _ONLY_WITH.get(name)
        if needed is not None and not needed(settings):
            continue
        yield name, known_dtype(value) if name == "dtype" else value


def _notes(settings: Mapping[str, Any]) -> Iterator[str]:
    yield f"Tuning: {_KINDS[settings['tuning']]}."
    yield from about_parallel(settings)
    yield about_dtype(settings["dtype"], whole=settings["tuning"] == "full")
    if not settings["assistant_only_loss"]:
        yield "Every token of a row is learned, the prompts too (assistant_only_loss=false)."


def _stated(chosen: Chosen, settings: Mapping[str, Any]) -> set[str]:
    """Return the settings that the user stated, or that follow from one of these."""
    knobs = chosen.spec.hyperparameters.stated
    stated = {name for name, value in knobs.items() if value != "auto"}
    stated |= chosen.options.model_fields_set
    stated |= {n for n in ("seed", "suffix", "validation_file") if getattr(chosen.spec, n)}
    stated |= {name for name in ("use_rslora", "use_dora") if settings[name]}
    if settings["parallel"] != "none":
        stated.add("parallel")
    return stated


def _without_device(settings: Mapping[str, Any]) -> Iterator[IgnoredSetting]:
    if settings["tf32"] and not hardware.has_nvidia_device():
        reason = "only NVIDIA devices multiply in TensorFloat-32, and none is here"
        yield IgnoredSetting(name="tf32", value=True, reason=reason)


def _without_lora(settings: Mapping[str, Any], answer: Assessment) -> Iterator[IgnoredSetting]:
    if settings["tuning"] == "full":
        for name in ("lora_r", "lora_alpha", "lora_dropout"):
            if name in answer.resolved:
                reason = "tuning=full trains every weight, without LoRA"
                yield IgnoredSetting(name=name, value=answer.resolved[name], reason=reason)


def _missing(settings: Mapping[str, Any], method: Method) -> Iterator[ConfigurationError]:
    """Yield what is not installed, or not in the machine, and is needed for the settings."""
    yield from missing_means(settings)
    if settings["tuning"] == "qlora":
        yield from _needs("bitsandbytes", "tuning=qlora", "pip install 'ftproviders[quantized]'")
    if method is Method.DPO:
        for module in ("trl", "datasets"):
            yield from _needs(module, "Method dpo", "pip install 'ftproviders[local]'")
    for name in filter(None, (word.strip() for word in settings["trackers"].split(","))):
        if name not in TRACKERS:
            yield ConfigurationError(
                f"local does not know the tracker {name}.",
                provider="local",
                operation="plan",
                hint=f"It has: {', '.join(TRACKERS)}.",
            )
        yield from _needs(TRACKERS[name][0], f"trackers={name}", TRACKERS[name][1])
    if settings["attn_implementation"] == "flash_attention_2":
        yield from _flash_attention()


def _flash_attention() -> Iterator[ConfigurationError]:
    if not hardware.has_nvidia_device():
        yield ConfigurationError(
            "attn_implementation=flash_attention_2 needs an NVIDIA device, and none is here.",
            provider="local",
            operation="plan",
            hint="Leave it out: auto chooses what is fast on this machine.",
        )
    yield from _needs(
        "flash_attn", "attn_implementation=flash_attention_2", "pip install flash-attn"
    )


def _needs(module: str, what: str, install: str) -> Iterator[MissingDependencyError]:
    if importlib.util.find_spec(module) is None:
        yield MissingDependencyError(
            f"{what} needs {module}, which is not installed.",
            provider="local",
            operation="plan",
            hint=f"Run: {install}",
        )
