"""What is trained of a base model: an adapter that is put on it, or all of it. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from ftproviders.worker.failures import WorkError

__all__ = ["adapt", "is_adapter"]


def adapt(model: Any, settings: Mapping[str, Any], *, dtype: torch.dtype) -> Any:
    """Return the base model with what is trained on it.

    Args:
        model: The base model, quantised where the job says so.
        settings: The job's resolved settings.
        dtype: Data type of what is trained.

    Raises:
        WorkError: The settings do not fit the model.
    """
    if settings["gradient_checkpointing"]:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if settings["tuning"] == "full":
        return model.requires_grad_(True)
    targets = settings["target_modules"]
    for param in ("target_modules", "modules_to_save"):
        _check_names(model, settings[param], param=param)
    try:
        # The adapter keeps the base model's data type: in bf16 that was measured to be a third
        # faster.
        tuned = get_peft_model(model, _config(settings), autocast_adapter_dtype=False)
    except (ValueError, TypeError, KeyError) as error:
        raise WorkError(
            f"LoRA cannot be put on target_modules={targets}"
            f"{_with(settings['modules_to_save'])}: {error}. Name linear layers of the model, or "
            "leave it at all-linear.",
            code="target_modules",
            param="target_modules",
        ) from error
    for parameter in tuned.parameters():
        # Beside quantised weights PEFT makes fp32 adapters, having no data type to follow.
        if parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)
    return tuned


def is_adapter(model: Any) -> bool:
    """Say whether a model is a base model with an adapter on it."""
    return hasattr(model, "peft_config")


def _config(settings: Mapping[str, Any]) -> Any:
    targets, saved = settings["target_modules"], settings["modules_to_save"]
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings["lora_r"],
        lora_alpha=settings["lora_alpha"],
        lora_dropout=settings["lora_dropout"],
        target_modules=targets if targets == "all-linear" else targets.split(","),
        modules_to_save=saved.split(",") if saved else None,
        bias=settings["lora_bias"],
        use_rslora=settings["use_rslora"],
        use_dora=settings["use_dora"],
    )


def _check_names(model: Any, stated: str | None, *, param: str) -> None:
    """Refuse names that no module has: PEFT leaves them out as long as another one is there."""
    if not stated or stated == "all-linear":
        return
    modules = [name for name, _ in model.named_modules()]
    for name in stated.split(","):
        if not any(module == name or module.endswith(f".{name}") for module in modules):
            last = {module.rpartition(".")[2] for module in modules}
            found = sorted(part for part in last if part and not part.isdigit())
            raise WorkError(
                f"The model has no layer called {name}, which {param}={stated} names. "
                f"It has: {', '.join(found)}.",
                code=param,
                param=param,
            )


def _with(saved: str | None) -> str:
    return f" with modules_to_save={saved}" if saved else ""
