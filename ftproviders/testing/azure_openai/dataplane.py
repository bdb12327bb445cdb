"""The data plane in Azure's manners: names, words, events, files, limits, chats by deployment."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from ftproviders.testing.azure_openai.bodies import parse_job
from ftproviders.testing.azure_openai.call import AzureBehaviour, Route
from ftproviders.testing.azure_openai.models import AZURE_MODELS, AzureModel, find_model
from ftproviders.testing.azure_openai.resource import Resource
from ftproviders.testing.openai import training
from ftproviders.testing.openai.bodies import CreateJob
from ftproviders.testing.openai.call import Call
from ftproviders.testing.openai.models import BaseModel
from ftproviders.testing.openai.refusal import ApiError, invalid, unknown_parameter
from ftproviders.testing.openai.service import Service

__all__ = ["AzureService"]

_WORDS = {"validating_files": "pending"}
_KNOBS = ("n_epochs", "batch_size", "learning_rate_multiplier")
_ECHO = {
    "standard": "standard",
    "globalstandard": "globalStandard",
    "developertier": "developerTier",
}
_TRAINING_TYPES_SINCE = "2025-04-01"
_LOG_EVERY_STEPS = 10
_COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "train_mean_token_accuracy": "train_mean_token_accuracy",
    "valid_loss": "valid_loss",
    "validation_mean_token_accuracy": "valid_mean_token_accuracy",
    "full_valid_loss": "full_valid_loss",
    "full_valid_mean_token_accuracy": "full_valid_mean_token_accuracy",
}
_GONE = (
    "The API deployment for this resource does not exist. If you created the deployment within the "
    "last 5 minutes, please wait a moment and try again."
)
_SILENT = "The deployment is not ready to take requests."


class AzureService(Service):
    """One request's view of the resource.

    Args:
        route: By which it came; None = none of the data plane's.
        version: Its api-version; empty = none.
        resource: What the management plane has deployed.
    """

    id_digits = 32
    results_name = "results.csv"

    def __init__(self, route: Route | None, version: str, resource: Resource) -> None:
        self._route = route
        self._version = version
        self._resource = resource

    # --- jobs --------------------------------------------------------------------------------

    @override
    def job_request(self, body: object) -> CreateJob:
        asked = parse_job(body)
        if self._old and asked.trainingType is not None:
            raise unknown_parameter("trainingType")
        if self._old and _python_grader(asked):
            raise invalid(
                f"Python graders need api-version {_TRAINING_TYPES_SINCE}-preview.", param="method"
            )
        return asked

    @property
    def _old(self) -> bool:
        return self._version[:1].isdigit() and self._version[:10] < _TRAINING_TYPES_SINCE

    @override
    def admit_job(self, call: Call, asked: CreateJob, base: BaseModel) -> None:
        if isinstance(call.behaviour, AzureBehaviour):
            _hold(len(call.state.all("job")), call.behaviour.jobs_limit, "fine-tuning jobs")
        kind = (getattr(asked, "trainingType", None) or "").lower()
        types = base.training_types if isinstance(base, AzureModel) else ()
        if kind not in types and not self._old:
            word = {"standard": " with Standard TrainingType"}.get(kind, "")
            raise invalid(
                f"The specified base model does not support fine-tuning{word}.",
                code="InvalidRequest",
            )
        tuned = call.state.get("model", asked.model)
        if tuned is not None and isinstance(base, AzureModel) and base.open_weights:
            raise invalid(
                "The specified base model does not support fine-tuning.", code="InvalidRequest"
            )

    @override
    def base_model(self, name: str) -> BaseModel | None:
        return find_model(name)

    @override
    def base_models(self) -> tuple[BaseModel, ...]:
        return AZURE_MODELS

    @override
    def model_name(self, job_id: str, root: str, suffix: str, *, organization: str) -> str:
        del organization
        name = f"{root.lower()}.ft-{job_id.removeprefix('ftjob-')}"
        return f"{name}-{suffix}" if suffix else name

    @override
    def shown_job(self, view: dict[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
        body, status = job["body"], view["status"]
        undecided = dict.fromkeys(_KNOBS[:2], -1) | {"learning_rate_multiplier": 1}
        knobs = view["hyperparameters"]
        method = view["method"]
        inner = {**method[method["type"]]}
        for one in (knobs, inner["hyperparameters"]):
            one |= {name: undecided[name] for name in _KNOBS if one[name] == "auto"}
        kind = str(body.get("trainingType") or "standard")
        failed = status == "failed"
        return {
            **view,
            "status": status if job["word"] else _WORDS.get(status, status),
            "organization_id": None,
            "result_files": view["result_files"] or None,
            "error": view["error"] if failed else None,
            "hyperparameters": knobs,
            "method": {**method, method["type"]: inner},
            "integrations": view["integrations"] or None,
            "suffix": body.get("suffix"),
            "trainingType": _ECHO.get(kind.lower(), kind),
        }

    @override
    def admit_pause(self, job: Mapping[str, Any], at: training.Moment) -> None:
        first = training.step_after(job, 1)
        if at.status != "running" or at.elapsed_seconds < first:
            raise invalid(
                "A job can be paused only when it is running and has trained for at least one "
                f"step; this one is {_WORDS.get(at.status, at.status)}.",
                code="InvalidRequest",
            )

    @override
    def story(self, job: Mapping[str, Any]) -> Iterator[training.Told]:
        plan = job["plan"]
        validated, started, ends = plan["queued_after"], plan["running_after"], plan["ends_after"]
        kinds = ["training", *(["validation"] if job["body"].get("validation_file") else [])]
        yield 0.0, 0.0, "Job enqueued. Waiting for jobs ahead to complete.", {}
        for kind in kinds:
            yield 0.0, 0.0, f"Preprocessing started for file {kind} file.", {}
            yield validated, 0.0, f"Preprocessing completed for file {kind} file.", {}
        for text in ("Job started.", "Data Import started.", "Finetuning started.",
                     "Job queued, waiting for GPUs.", "Training started."):  # fmt: skip
            yield started, 0.0, text, {}
        total = plan["epochs"] * plan["steps_an_epoch"]
        for step in range(1, total + 1):
            if step in (1, total) or step % _LOG_EVERY_STEPS == 0:
                _, data = training.step_metrics(job, step, total)
                del data["total_steps"]
                loss = data["train_loss"]
                yield (
                    training.step_after(job, step),
                    0.0,
                    f"Step {step}: training loss={loss}",
                    data,
                )
        yield ends, 0.0, "Job succeeded.", {}
        late, tokens = plan["late"], math.ceil(plan["trained_tokens"] / 1000) * 1000
        yield ends, late, "Model Evaluation Passed.", {}
        yield ends, late, "Completed results file: results.csv", {}
        yield ends, late, f"Training tokens billed: {tokens}", {}

    @override
    def shown_checkpoint(self, view: dict[str, Any]) -> dict[str, Any]:
        digest = hashlib.sha256(view["id"].encode()).hexdigest()[:32]
        return {**view, "id": f"ftchkpt-{digest}"}

    @override
    def results(self, job: Mapping[str, Any]) -> bytes:
        return training.results_table(job, _COLUMNS).encode("ascii")

    @override
    def admit_deletion(self, model: Mapping[str, Any]) -> None:
        names = [model["id"], model["checkpoint_id"]]
        used = [one for name in names if name for one in self._resource.serving(name)]
        if used:
            raise ApiError(
                f"The model is deployed as {', '.join(used)}; delete the deployment first.",
                status=409,
                code="Conflict",
            )

    # --- files -------------------------------------------------------------------------------

    @override
    def admit_file(self, call: Call, *, size_bytes: int, lifetime_seconds: int | None) -> None:
        if lifetime_seconds is None and self._route is not None and self._route.kind != "dated":
            raise invalid(
                "Missing required parameter: 'expires_after'.",
                param="expires_after",
                code="InvalidRequest",
            )
        if not isinstance(call.behaviour, AzureBehaviour):
            return
        there = [file for file in call.state.all("file") if not file["deleted"]]
        _hold(len(there), call.behaviour.files_limit, "files")
        together = size_bytes + sum(file["bytes"] for file in there)
        _hold(together, call.behaviour.total_bytes_limit + 1, "bytes in files")

    # --- chats -------------------------------------------------------------------------------

    @override
    def served(self, call: Call, name: str) -> dict[str, Any] | None:
        silence = self._resource.silence(name)
        if silence == "DeploymentNotReady":
            raise ApiError(_SILENT, status=503, code=silence)
        model = self._resource.answering(name) if silence is None else None
        if model is None:
            raise ApiError(_GONE, status=404, code="DeploymentNotFound")
        found = call.state.get("model", model)
        if found is None:
            models = call.state.all("model")
            found = next((one for one in models if one["checkpoint_id"] == model), None)
        return found

    @override
    def refused(self, error: ApiError) -> dict[str, Any]:
        # No field "type" here, and a code wherever there is none: the status as a word.
        told = {"code": error.code or str(error.status), "message": error.message}
        return {"error": told | ({"param": error.param} if error.param else {})}


def _hold(count: int, limit: int, noun: str) -> None:
    if count >= limit:
        raise ApiError(
            f"The resource has reached its limit of {limit} {noun}.",
            status=429,
            code="429",
            headers={"Retry-After": "1"},
        )


def _python_grader(asked: CreateJob) -> bool:
    own = asked.method.reinforcement if asked.method else None
    return own is not None and own.grader.get("type") == "python"
