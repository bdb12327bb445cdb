"""Models of the emulator: base models by a table, tuned ones from jobs; and who may use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ftproviders.testing.openai.bodies import CreatePermission, parse
from ftproviders.testing.openai.call import Call, page_of
from ftproviders.testing.openai.refusal import ApiError, invalid, not_found

__all__ = [
    "BASE_MODELS",
    "BaseModel",
    "allow",
    "allowed",
    "delete_model",
    "disallow",
    "keep",
    "list_models",
    "retrieve_model",
    "tunable",
    "tuned_model",
]

_CREATED = 1_700_000_000


@dataclass(frozen=True)
class BaseModel:
    """A model of the service's own."""

    name: str
    methods: frozenset[str]
    """Methods that tune it; empty = none."""
    shutdown_date: str | None = None


_SFT, _DPO, _RFT = {"supervised"}, {"supervised", "dpo"}, {"reinforcement"}

BASE_MODELS = tuple(
    BaseModel(name, frozenset(methods), date)
    for name, methods, date in (
        ("gpt-4.1-2025-04-14", _DPO, "2027-01-14"),
        ("gpt-4.1-mini-2025-04-14", _DPO, "2027-01-14"),
        ("gpt-4.1-nano-2025-04-14", _DPO, "2026-10-23"),
        ("gpt-4o-2024-08-06", _DPO, "2027-01-14"),
        ("gpt-4o-mini-2024-07-18", _DPO, "2027-01-14"),
        ("gpt-3.5-turbo-0125", _SFT, "2026-10-23"),
        ("o4-mini-2025-04-16", _RFT, "2026-10-23"),
        ("gpt-4o", set[str](), None),
        ("text-embedding-3-small", set[str](), None),
    )
)
"""What the emulator has. Methods and dates are examples for rehearsals: they came from the table of
`docs/providers/openai.md`, and the emulator does not act on the dates."""


def list_models(call: Call) -> dict[str, Any]:
    """List every model; this list has no pages."""
    tuned = [model for model in call.state.all("model") if not model["checkpoint"]]
    data = [_base_view(model) for model in call.service.base_models()]
    data += [_tuned_view(call, model) for model in tuned]
    return {"object": "list", "data": data}


def retrieve_model(call: Call) -> dict[str, Any]:
    """Tell about one model."""
    name = call.path["model"]
    base = call.service.base_model(name)
    return _base_view(base) if base else _tuned_view(call, tuned_model(call, name))


def delete_model(call: Call) -> dict[str, Any]:
    """Delete a tuned model with its checkpoints."""
    name = call.path["model"]
    if call.service.base_model(name):
        raise ApiError(
            "You have insufficient permissions for this operation.",
            status=403,
            code="insufficient_permissions",
        )
    model = tuned_model(call, name)
    call.service.admit_deletion(model)
    for other in call.state.all("model"):
        if other["job"] == model["job"] and (other["id"] == name or not model["checkpoint"]):
            call.state.delete("model", other["id"])
    return {"id": name, "object": "model", "deleted": True}


def tunable(call: Call, name: str, method: str) -> BaseModel:
    """Return the base model that a job with this model and method would tune.

    Raises:
        ApiError: There is no such model, or it cannot be tuned so.
    """
    base = call.service.base_model(name)
    if base is None:
        tuned = call.state.get("model", name)
        base = call.service.base_model(tuned["root"]) if tuned else None
        if base is None:
            raise ApiError(
                f"The model '{name}' does not exist or you do not have access to it.",
                status=404,
                param="model",
                code="model_not_found",
            )
    if not base.methods:
        raise invalid(
            f"Model {name} is not available for fine-tuning or does not exist.",
            param="model",
            code="model_not_available",
        )
    if method not in base.methods:
        raise invalid(
            f"Model {name} cannot be fine-tuned with method '{method}'.",
            param="method",
            code="unsupported_method",
        )
    return base


def keep(call: Call, job: Mapping[str, Any], checkpoints: Iterable[Mapping[str, Any]]) -> None:
    """Add the models that a job has made."""
    names = {job["model_name"]: None}
    names |= {c["fine_tuned_model_checkpoint"]: c["id"] for c in checkpoints}
    for name, checkpoint_id in names.items():
        record = {
            "id": name,
            "root": job["root"],
            "job": job["id"],
            "blob": job["blob"],
            "created": int(call.now),
            "checkpoint": name != job["model_name"],
            "checkpoint_id": checkpoint_id,
        }
        call.state.put("model", name, record)


def tuned_model(call: Call, name: str) -> dict[str, Any]:
    """Return the record of a tuned model.

    Raises:
        ApiError: There is no such model.
    """
    model = call.state.get("model", name)
    if model is None:
        raise ApiError(
            f"The model '{name}' does not exist or you do not have access to it.",
            status=404,
            param="model",
            code="model_not_found",
        )
    return model


def _base_view(model: BaseModel) -> dict[str, Any]:
    view = {"id": model.name, "object": "model", "created": _CREATED, "owned_by": "system"}
    return view | ({"shutdown_date": model.shutdown_date} if model.shutdown_date else {})


def _tuned_view(call: Call, model: Mapping[str, Any]) -> dict[str, Any]:
    view = {
        "id": model["id"],
        "object": "model",
        "created": model["created"],
        "owned_by": "org-emulated",
    }
    base = call.service.base_model(model["root"])
    date = base.shutdown_date if base else None
    return view | ({"shutdown_date": date} if date else {})


# --- permissions of checkpoints -----------------------------------------------------------------


def allow(call: Call) -> dict[str, Any]:
    """Let other projects use a checkpoint."""
    asked = parse(CreatePermission, call.body)
    name = call.path["fine_tuned_model_checkpoint"]
    tuned_model(call, name)
    made = []
    for project in asked.project_ids:
        key = call.new_id("cp_")
        view = {
            "id": key,
            "object": "checkpoint.permission",
            "created_at": int(call.now),
            "project_id": project,
        }
        call.state.put("permission", key, {"checkpoint": name, **view})
        made.append(view)
    ends = {"first_id": made[0]["id"], "last_id": made[-1]["id"]}
    return {"object": "list", "data": made, "has_more": False, **ends}


def allowed(call: Call) -> dict[str, Any]:
    """List the projects that may use a checkpoint."""
    name = call.path["fine_tuned_model_checkpoint"]
    order = call.query.get("order", "descending")
    if order not in ("ascending", "descending"):
        raise invalid("'order' must be 'ascending' or 'descending'.", param="order")
    project = call.query.get("project_id")
    shown = [
        {key: value for key, value in grant.items() if key != "checkpoint"}
        for grant in call.state.all("permission")
        if grant["checkpoint"] == name and project in (None, grant["project_id"])
    ]
    return page_of(call, shown if order == "ascending" else shown[::-1], default=10, most=100)


def disallow(call: Call) -> dict[str, Any]:
    """Take a permission back."""
    key = call.path["permission_id"]
    grant = call.state.get("permission", key)
    if grant is None or grant["checkpoint"] != call.path["fine_tuned_model_checkpoint"]:
        raise not_found("checkpoint permission", key)
    call.state.delete("permission", key)
    return {"id": key, "object": "checkpoint.permission", "deleted": True}
