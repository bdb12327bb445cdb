"""Training methods and hyperparameters in the field's standard names.

``None`` means that the user did not say; ``"auto"`` means that the provider decides. What a given
provider takes, within which bounds, is data in its ``ProviderInfo``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import override

from ftproviders.schema.value import Value

__all__ = ["Auto", "Hyperparameters", "Method", "method_flag"]

Auto = Literal["auto"]


class Method(StrEnum):
    """How a model is tuned."""

    SUPERVISED = "supervised"
    DPO = "dpo"
    REINFORCEMENT = "reinforcement"
    ORPO = "orpo"
    REWARD = "reward"

    @classmethod
    @override
    def _missing_(cls, value: object) -> Method | None:
        aliases = {"sft": cls.SUPERVISED, "rft": cls.REINFORCEMENT}
        return aliases.get(str(value).lower())


def method_flag(method: Method) -> str:
    """Return what a command needs beside its file for `method`; nothing for the default."""
    return "" if method is Method.SUPERVISED else f" --method {method.value}"


class Hyperparameters(Value):
    """Tuning knobs. Only those that are stated take part in a submission's identity."""

    model_config = ConfigDict(use_attribute_docstrings=True, allow_inf_nan=False)

    n_epochs: Annotated[int, Field(ge=0)] | Auto | None = None
    """Passes over the training file."""
    batch_size: Annotated[int, Field(ge=1)] | Auto | None = None
    """Rows in one optimizer step."""
    learning_rate: Annotated[float, Field(gt=0)] | Auto | None = None
    """Peak learning rate itself; not the same setting as the multiplier."""
    learning_rate_multiplier: Annotated[float, Field(gt=0)] | Auto | None = None
    """Factor on the learning rate that the provider chooses."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps after which training stops, whatever the epochs."""
    max_length_tokens: Annotated[int, Field(ge=8)] | None = None
    """Longest row in tokens; a longer one is cut."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] | None = None
    """Micro-batches that make one optimizer step."""
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Share of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """AdamW weight decay."""
    lr_scheduler: str | None = None
    """Learning-rate schedule, for instance ``linear`` or ``cosine``."""
    lora_r: Annotated[int, Field(ge=1)] | None = None
    """Rank of the LoRA matrices."""
    lora_alpha: Annotated[float, Field(gt=0)] | None = None
    """LoRA scale; the update is multiplied by alpha / r."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Dropout before the LoRA matrices."""
    beta: Annotated[float, Field(gt=0, le=2)] | Auto | None = None
    """DPO: how strongly the policy is held to the reference model."""

    @property
    def stated(self) -> Mapping[str, int | float | str]:
        """The settings that the user stated, in declaration order."""
        return {name: value for name, value in self if value is not None}
