"""Arguments and flags that several verbs share, each described once."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

__all__ = [
    "SPEC_FLAGS",
    "Again",
    "DeploymentName",
    "JobFile",
    "MethodName",
    "Ref",
    "Timeout",
    "Ttl",
    "Wait",
    "parameters",
]


def _whole_or_auto(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a whole number nor 'auto'.") from None


def _number_or_auto(text: str) -> float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor 'auto'.") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if 0 <= seconds < math.inf:
            return seconds
        raise typer.BadParameter(f"{text!r} is no time to wait.")
    from ftproviders.errors import ConfigurationError
    from ftproviders.runtime.leases import parse_ttl

    try:
        return parse_ttl(text).total_seconds()
    except ConfigurationError:
        raise typer.BadParameter(
            f"{text!r} is no time to wait: write 30m, 2h or 1h30m, or seconds."
        ) from None


Ref: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="The job: provider:id or provider:account/id; the id alone where it is unique.",
        show_default=False,
    ),
]
DeploymentName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="The deployment: provider:id or provider:account/id; the id alone where it is unique.",
        show_default=False,
    ),
]
Ttl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ttl",
        metavar="TIME",
        help="How long it may live: 30m, 2h, 1d; then `deployments --reap` deletes it. Without "
        "it, it stays until it is undeployed.",
    ),
]
JobFile: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        metavar="JOB.yaml",
        help="Job file, YAML or JSON, with the field names of JobSpec. Paths in it are relative "
        "to the file's own folder; flags win over the file.",
        show_default=False,
    ),
]
_FromRef: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="REF",
        help="Take data, method and settings of this job, whoever made it; what else is stated "
        "wins.",
    ),
]
_ProviderName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--provider", metavar="NAME", help="Where to tune; `ftproviders providers` lists them."
    ),
]
_BaseModel: TypeAlias = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Base model to tune.")
]
_TrainingFile: TypeAlias = Annotated[
    Path | None, typer.Option("--training-file", metavar="FILE", help="Chat JSONL to train on.")
]
_ValidationFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--validation-file", metavar="FILE", help="Chat JSONL for the validation loss."),
]
MethodName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="NAME",
        help="supervised (sft), dpo, reinforcement (rft), orpo or reward.",
    ),
]
_Epochs: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N|auto",
        parser=_whole_or_auto,
        help="Passes over the training file.",
    ),
]
_BatchSize: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="N|auto",
        parser=_whole_or_auto,
        help="Rows in one optimizer step.",
    ),
]
_LearningRate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        metavar="X|auto",
        parser=_number_or_auto,
        help="Peak learning rate itself.",
    ),
]
_LearningRateMultiplier: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--learning-rate-multiplier",
        metavar="X|auto",
        parser=_number_or_auto,
        help="Factor on the learning rate that the provider chooses.",
    ),
]
_LoraR: TypeAlias = Annotated[
    int | None, typer.Option("--lora-r", help="Rank of the LoRA matrices.")
]
_LoraAlpha: TypeAlias = Annotated[
    float | None,
    typer.Option("--lora-alpha", help="LoRA scale; the update is multiplied by alpha / r."),
]
_LoraDropout: TypeAlias = Annotated[
    float | None, typer.Option("--lora-dropout", help="Dropout before the LoRA matrices.")
]
_Seed: TypeAlias = Annotated[int | None, typer.Option("--seed", help="Random seed.")]
_Suffix: TypeAlias = Annotated[
    str | None, typer.Option("--suffix", help="Text for the tuned model's name.")
]
_OptionPairs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        metavar="KEY=VALUE",
        help="A hyperparameter, or an option that the provider alone has (repeatable); "
        "`ftproviders providers NAME` lists both.",
    ),
]
_MaxCost: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="USD",
        help="Refuse when the estimate is higher, or when the cost is unknown.",
    ),
]
_Strict: TypeAlias = Annotated[
    bool | None,
    typer.Option("--strict", help="Refuse when the provider would ignore a setting."),
]
Again: TypeAlias = Annotated[
    bool,
    typer.Option("--again", help="Train once more although this submission has a job already."),
]
Wait: TypeAlias = Annotated[bool, typer.Option("--wait", help="Stay until the job has ended.")]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="TIME",
        parser=_seconds,
        help="With --wait: stop waiting after so long (30m, 2h, or seconds; exit 5); the job goes "
        "on.",
    ),
]

SPEC_FLAGS: tuple[tuple[str, Any], ...] = (
    ("job_file", JobFile),
    ("from_ref", _FromRef),
    ("provider", _ProviderName),
    ("model", _BaseModel),
    ("training_file", _TrainingFile),
    ("validation_file", _ValidationFile),
    ("method", MethodName),
    ("epochs", _Epochs),
    ("batch_size", _BatchSize),
    ("learning_rate", _LearningRate),
    ("learning_rate_multiplier", _LearningRateMultiplier),
    ("lora_r", _LoraR),
    ("lora_alpha", _LoraAlpha),
    ("lora_dropout", _LoraDropout),
    ("seed", _Seed),
    ("suffix", _Suffix),
    ("option", _OptionPairs),
    ("max_cost", _MaxCost),
    ("strict", _Strict),
)
"""What `plan` and `submit` take to make a `JobSpec`; every one is optional."""


def parameters(flags: tuple[tuple[str, Any], ...]) -> list[inspect.Parameter]:
    """Return `flags` as parameters of a function, the way Typer reads them."""
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in flags
    ]
