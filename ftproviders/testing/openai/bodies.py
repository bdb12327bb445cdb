"""The JSON bodies that the emulator takes, held to the rules of OpenAI's description 2.3.0.

Where the description lets unknown fields through, the emulator does not: a misspelt field is the
mistake that a rehearsal should find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ftproviders.testing.openai.refusal import ApiError, invalid, missing, unknown_parameter

__all__ = [
    "CompleteUpload",
    "CreateJob",
    "CreatePermission",
    "CreateUpload",
    "GraderOnly",
    "RunGrader",
    "parse",
]

_UPLOAD_LIMIT_BYTES = 8 * 1024**3


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_ModelT = TypeVar("_ModelT", bound=BaseModel)


def parse(kind: type[_ModelT], body: object) -> _ModelT:
    """Read a body.

    Raises:
        ApiError: It breaks a rule; told is the first one.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_input=False)[0]
    param = ".".join(str(piece) for piece in first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_parameter(param)
    if first["type"] == "missing":
        return missing(param)
    said = first["msg"].removeprefix("Value error, ")
    return invalid(f"Invalid value for '{param}': {said}.", param=param, code="invalid_value")


def _auto_or(kind: type[int | float], check: Callable[[Any], bool], words: str) -> AfterValidator:
    """Let through ``auto`` and numbers within bounds."""

    def validate(value: object) -> object:
        numbers = (int, float) if kind is float else (int,)
        number = isinstance(value, numbers) and not isinstance(value, bool)
        if value != "auto" and not (number and check(value)):
            raise ValueError(f"it must be 'auto' or {words}")
        return value

    return AfterValidator(validate)


_Epochs = Annotated[Any, _auto_or(int, lambda n: 1 <= n <= 50, "an integer from 1 to 50")]
_Batch = Annotated[Any, _auto_or(int, lambda n: 1 <= n <= 256, "an integer from 1 to 256")]
_Rate = Annotated[Any, _auto_or(float, lambda x: x > 0, "a number above 0")]
_Beta = Annotated[Any, _auto_or(float, lambda x: 0 < x <= 2, "a number above 0 and at most 2")]
_Compute = Annotated[
    Any, _auto_or(float, lambda x: 1e-5 < x <= 10, "a number above 0.00001 and at most 10")
]
_Count = Annotated[Any, _auto_or(int, lambda n: n >= 1, "an integer of at least 1")]


class _Supervised(_Body):
    n_epochs: _Epochs = "auto"
    batch_size: _Batch = "auto"
    learning_rate_multiplier: _Rate = "auto"


class _Dpo(_Supervised):
    beta: _Beta = "auto"


class _Reinforcement(_Supervised):
    reasoning_effort: Literal["default", "low", "medium", "high"] = "default"
    compute_multiplier: _Compute = "auto"
    eval_interval: _Count = "auto"
    eval_samples: _Count = "auto"


class _StringCheck(_Body):
    type: Literal["string_check"]
    name: str
    input: str
    reference: str
    operation: Literal["eq", "ne", "like", "ilike"]


class _TextSimilarity(_Body):
    type: Literal["text_similarity"]
    name: str
    input: str
    reference: str
    evaluation_metric: Literal[
        "cosine", "fuzzy_match", "bleu", "gleu", "meteor",
        "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l",
    ]  # fmt: skip


class _Python(_Body):
    type: Literal["python"]
    name: str
    source: str
    image_tag: str | None = None


class _ScoreModel(_Body):
    type: Literal["score_model"]
    name: str
    model: str
    input: list[dict[str, Any]]
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    sampling_params: dict[str, Any] | None = None


class _LabelModel(_Body):
    type: Literal["label_model"]
    name: str
    model: str
    input: list[dict[str, Any]]
    labels: list[str]
    passing_labels: list[str]


class _Multi(_Body):
    type: Literal["multi"]
    name: str
    graders: dict[str, Any]
    calculate_output: str

    @field_validator("graders")
    @classmethod
    def _each(cls, graders: dict[str, Any]) -> dict[str, Any]:
        # The description has one grader here, the guide has several by name: both are taken.
        inner = [graders] if isinstance(graders.get("type"), str) else list(graders.values())
        if not inner:
            raise ValueError("it must hold a grader")
        for grader in inner:
            check_grader(grader, inner=True)
        return graders


_GRADERS: Mapping[str, type[_Body]] = {
    "string_check": _StringCheck,
    "text_similarity": _TextSimilarity,
    "python": _Python,
    "score_model": _ScoreModel,
    "label_model": _LabelModel,
    "multi": _Multi,
}


def check_grader(grader: object, *, inner: bool = False) -> dict[str, Any]:
    """Hold a grader to the rules of its type.

    Raises:
        ValueError: It breaks one.
    """
    kind = str(grader.get("type")) if isinstance(grader, dict) else ""
    # A label model is known only as a part of `multi`, and `multi` not within itself.
    misplaced = "multi" if inner else "label_model"
    if not isinstance(grader, dict) or kind not in _GRADERS or kind == misplaced:
        raise ValueError(f"{kind!r} is no type of grader here")
    try:
        _GRADERS[kind].model_validate(grader)
    except ValidationError as error:
        raise ValueError(_refusal(error).message.rstrip(".")) from None
    return grader


_Grader = Annotated[dict[str, Any], AfterValidator(check_grader)]


class _SupervisedMethod(_Body):
    hyperparameters: _Supervised | None = None


class _DpoMethod(_Body):
    hyperparameters: _Dpo | None = None


class _ReinforcementMethod(_Body):
    grader: _Grader
    hyperparameters: _Reinforcement | None = None


class _Method(_Body):
    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: _SupervisedMethod | None = None
    dpo: _DpoMethod | None = None
    reinforcement: _ReinforcementMethod | None = None

    @model_validator(mode="after")
    def _one(self) -> _Method:
        if self.model_fields_set - {"type", self.type}:
            raise ValueError(f"only '{self.type}' may stand beside type '{self.type}'")
        if self.type == "reinforcement" and self.reinforcement is None:
            raise ValueError("'reinforcement.grader' is required")
        return self


class _Wandb(_Body):
    project: str
    name: str | None = None
    entity: str | None = None
    tags: list[str] | None = None


class _Integration(_Body):
    type: Literal["wandb"]
    wandb: _Wandb


class CreateJob(_Body):
    """``POST /fine_tuning/jobs``."""

    model: str
    training_file: str
    validation_file: str | None = None
    hyperparameters: _Supervised | None = None
    method: _Method | None = None
    suffix: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    seed: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    integrations: Annotated[list[_Integration], Field(max_length=5)] | None = None
    metadata: (
        Annotated[
            dict[
                Annotated[str, Field(max_length=64)],
                Annotated[str, Field(max_length=512)],
            ],
            Field(max_length=16),
        ]
        | None
    ) = None


class _Expiry(_Body):
    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2592000)]


class CreateUpload(_Body):
    """``POST /uploads``."""

    filename: Annotated[str, Field(min_length=1)]
    purpose: Literal["assistants", "batch", "fine-tune", "vision"]
    bytes: Annotated[int, Field(ge=1, le=_UPLOAD_LIMIT_BYTES)]
    mime_type: str
    expires_after: _Expiry | None = None


class CompleteUpload(_Body):
    """``POST /uploads/{upload_id}/complete``."""

    part_ids: list[str]
    md5: str | None = None


class CreatePermission(_Body):
    """``POST /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions``."""

    project_ids: Annotated[list[str], Field(min_length=1)]


class GraderOnly(_Body):
    """``POST /fine_tuning/alpha/graders/validate``."""

    grader: _Grader


class RunGrader(GraderOnly):
    """``POST /fine_tuning/alpha/graders/run``."""

    model_sample: str
    item: dict[str, Any] | None = None
