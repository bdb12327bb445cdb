"""What each request to the in-memory server does. The server's own vocabulary, none of ours.

`OPERATIONS` is the table of requests. Jobs move in `lifecycle`; answers of models are in `recall`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ftproviders.testing.memory import lifecycle, recall
from ftproviders.testing.memory.faults import Fault, FaultKind
from ftproviders.testing.memory.options import MARKER
from ftproviders.testing.memory.refusal import MemoryServerError, invalid, missing
from ftproviders.testing.memory.store import Transaction

__all__ = ["BASE_MODELS", "OPERATIONS", "Call"]

BASE_MODELS: Mapping[str, str] = {
    "memory-small": "answers with the nearest training example",
    "memory-large": "the same under another name",
}
RETIRED_MODELS = frozenset({"memory-retired"})

_HYPERPARAMETERS: Mapping[str, frozenset[str]] = {
    "supervised": frozenset({"n_epochs", "rows_per_step", "learning_rate_multiplier"}),
    "dpo": frozenset({"n_epochs", "rows_per_step", "learning_rate_multiplier", "beta"}),
}
_CREATE_FIELDS = frozenset(
    {
        "model", "method", "training_file", "validation_file", "hyperparameters", "seed",
        "suffix", "metadata", "priority", "walk",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request with everything that its handler may need."""

    state: Transaction
    body: dict[str, Any]
    account: str
    now: datetime
    lag_seconds: float
    page_size: int
    walk: tuple[str, ...]
    misbehaviour: Mapping[FaultKind, Fault]

    def need(self, field: str) -> Any:
        """Return a field of the body, or refuse the request."""
        if self.body.get(field) in (None, ""):
            raise invalid(f"The field {field} is missing.", field)
        return self.body[field]

    def owned(self, kind: str, key: str) -> dict[str, Any]:
        """Return a document of the caller's account, or refuse the request."""
        found = self.state.get(kind, key)
        if found is None or found["account"] != self.account:
            raise missing(kind, key)
        return found

    def only(self, *fields: str) -> None:
        """Refuse the request when it has any field but these."""
        for field in self.body:
            if field not in fields:
                raise invalid(f"The field {field} is not known.", field)

    def page(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Cut one page out of `items`: those after the item that the request names."""
        after = self.body.get("after")
        start = 0
        if after is not None:
            known = [item["id"] for item in items]
            if after not in known:
                raise missing("item to go on from", str(after))
            start = known.index(after) + 1
        data = items[start : start + self.page_size]
        return {"data": data, "has_more": start + self.page_size < len(items)}


# --- files ------------------------------------------------------------------------------------


def _upload(call: Call) -> dict[str, Any]:
    call.only("name", "purpose", "content", "metadata")
    content = base64.b64decode(str(call.body.get("content", "")))
    entry = {
        "id": f"file-{call.state.next_number('file'):04d}",
        "account": call.account,
        "name": call.need("name"),
        "purpose": call.need("purpose"),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "created_at": call.now.isoformat(),
        "metadata": call.body.get("metadata") or {},
    }
    call.state.put("file", entry["id"], entry)
    call.state.put("content", entry["id"], {"content": call.body.get("content", "")})
    return entry


def _files(call: Call) -> dict[str, Any]:
    call.only("after")
    mine = [f for f in call.state.all("file") if f["account"] == call.account]
    return call.page(mine[::-1])


def _file_content(call: Call) -> dict[str, Any]:
    call.only("id")
    entry = call.owned("file", call.need("id"))
    return {**entry, "content": base64.b64encode(_content(call, entry["id"])).decode("ascii")}


def _delete_file(call: Call) -> dict[str, Any]:
    call.only("id")
    entry = call.owned("file", call.need("id"))
    call.state.delete("file", entry["id"])
    # The content stays: jobs that were made with the file have learned it.
    return {"id": entry["id"], "deleted": True}


# --- jobs -------------------------------------------------------------------------------------


def _create(call: Call) -> dict[str, Any]:
    call.only(*_CREATE_FIELDS)
    model, method = call.need("model"), call.need("method")
    if model in RETIRED_MODELS:
        raise MemoryServerError(f"{model} takes no new jobs.", status=410, code="retired")
    if model not in BASE_MODELS:
        raise invalid(f"There is no model {model!r}.", "model")
    if method not in _HYPERPARAMETERS:
        raise invalid(f"There is no method {method!r}.", "method")
    stated = call.body.get("hyperparameters") or {}
    for name in stated:
        if name not in _HYPERPARAMETERS[method]:
            raise invalid(f"{method} has no hyperparameter {name!r}.", f"hyperparameters.{name}")
    training = call.owned("file", call.need("training_file"))
    if call.body.get("validation_file") is not None:
        call.owned("file", call.body["validation_file"])
    job = _new_job(call, training)
    rows = recall.rows(_content(call, training["id"]))
    lifecycle.start(call.state, job, rows=len(rows), tokens=training["bytes"] // 4, now=call.now)
    return lifecycle.shown(job)


def _new_job(call: Call, training: dict[str, Any]) -> dict[str, Any]:
    metadata = dict(call.body.get("metadata") or {})
    marker = metadata.get(MARKER)
    skew = call.misbehaviour.get(FaultKind.CLOCK_SKEW)
    lag = call.misbehaviour.get(FaultKind.LIST_LAG)
    if FaultKind.DROP_METADATA in call.misbehaviour:
        metadata = {}
    return {
        **{name: call.body.get(name) for name in sorted(_CREATE_FIELDS)},
        "id": f"job-{call.state.next_number('job'):04d}",
        "account": call.account,
        "metadata": metadata,
        "sent_marker": marker,
        "training_file_name": training["name"],
        "walk": call.body.get("walk") or list(call.walk),
        "made_at": call.now.isoformat(),
        "created_at": (call.now + timedelta(seconds=skew.seconds if skew else 0)).isoformat(),
        "lag_seconds": lag.seconds if lag else 0.0,
    }


def _content(call: Call, file_id: str) -> bytes:
    entry = call.state.get("content", file_id) or {"content": ""}
    return base64.b64decode(entry["content"])


def _retrieve(call: Call) -> dict[str, Any]:
    call.only("id")
    job = call.owned("job", call.need("id"))
    if FaultKind.STALE in call.misbehaviour:
        return lifecycle.shown({**job, "reads": 1, "walk": job["first_walk"]})
    lifecycle.advance(call.state, job, now=call.now)
    return _worded(call, lifecycle.shown(job))


def _worded(call: Call, shown: dict[str, Any]) -> dict[str, Any]:
    fault = call.misbehaviour.get(FaultKind.UNKNOWN_STATUS)
    return {**shown, "status": fault.word} if fault else shown


def _jobs(call: Call) -> dict[str, Any]:
    call.only("after", "metadata")
    wanted = call.body.get("metadata") or {}
    if FaultKind.LYING_FILTER in call.misbehaviour:
        wanted = {}
    listed = [
        lifecycle.shown(job)
        for job in reversed(call.state.all("job"))
        if job["account"] == call.account
        and _listed(call, job)
        and all(job["metadata"].get(key) == value for key, value in wanted.items())
    ]
    page = call.page(listed)
    return {**page, "data": [_worded(call, job) for job in page["data"]]}


def _listed(call: Call, job: dict[str, Any]) -> bool:
    lag = timedelta(seconds=max(call.lag_seconds, job["lag_seconds"]))
    return call.now >= datetime.fromisoformat(job["made_at"]) + lag


def _change(change: Callable[[Transaction, dict[str, Any], datetime], None]) -> Handler:
    def handler(call: Call) -> dict[str, Any]:
        call.only("id")
        job = call.owned("job", call.need("id"))
        change(call.state, job, call.now)
        return lifecycle.shown(job)

    return handler


def _part(kind: str) -> Handler:
    def handler(call: Call) -> dict[str, Any]:
        call.only("id", "after")
        job = call.owned("job", call.need("id"))
        return call.page(call.state.all(f"{kind}:{job['id']}"))

    return handler


# --- models -----------------------------------------------------------------------------------


def _models(call: Call) -> dict[str, Any]:
    call.only("after")
    base = [{"id": name, "description": text} for name, text in BASE_MODELS.items()]
    tuned = [
        {"id": name, "description": f"tuned by {job['id']}", "base_model": job["model"]}
        for job in call.state.all("job")
        if job["account"] == call.account
        for name in [lifecycle.shown(job)["fine_tuned_model"]]
        if name is not None
    ]
    return call.page([*base, *tuned])


def _chat(call: Call) -> dict[str, Any]:
    call.only("model", "messages", "temperature", "max_tokens")
    name = call.need("model")
    job = lifecycle.job_of_model(call.state, name, account=call.account)
    if job is None and name not in BASE_MODELS:
        raise missing("model", name)
    rows = [] if job is None else recall.rows(_content(call, job["training_file"]))
    return recall.answer(rows, call.need("messages"), max_tokens=call.body.get("max_tokens"))


def _weights(call: Call) -> dict[str, Any]:
    call.only("model")
    job = lifecycle.job_of_model(call.state, call.need("model"), account=call.account)
    if job is None:
        raise missing("model", call.body["model"])
    learned = recall.rows(_content(call, job["training_file"]))
    return {"base_model": job["model"], "rows": [list(row) for row in learned]}


# --- deployments ------------------------------------------------------------------------------


def _deploy(call: Call) -> dict[str, Any]:
    call.only("name", "model", "tags", "options")
    name, model = call.need("name"), call.need("model")
    if lifecycle.job_of_model(call.state, model, account=call.account) is None:
        raise missing("model", model)
    if call.state.get("deployment", f"{call.account}/{name}") is not None:
        raise MemoryServerError(f"{name} is there already.", status=409, code="conflict")
    entry = {
        "id": name,
        "account": call.account,
        "model": model,
        "status": "creating",
        "walk": ["ready"],
        "tags": call.body.get("tags") or {},
        "options": call.body.get("options") or {},
        "created_at": call.now.isoformat(),
    }
    call.state.put("deployment", f"{call.account}/{name}", entry)
    return entry


def _deployment(call: Call) -> dict[str, Any]:
    call.only("id")
    key = call.need("id")
    entry = call.owned("deployment", f"{call.account}/{key}")
    # One step a read, as jobs do; the last word stays.
    status, *walk = entry["walk"] or [entry["status"]]
    call.state.put("deployment", f"{call.account}/{key}", {**entry, "status": status, "walk": walk})
    return entry


def _deployments(call: Call) -> dict[str, Any]:
    call.only("after")
    mine = [d for d in call.state.all("deployment") if d["account"] == call.account]
    return call.page(mine[::-1])


def _extend(call: Call) -> dict[str, Any]:
    call.only("id", "tags")
    key = call.need("id")
    entry = call.owned("deployment", f"{call.account}/{key}")
    changed = {**entry, "tags": {**entry["tags"], **call.need("tags")}}
    call.state.put("deployment", f"{call.account}/{key}", changed)
    return changed


def _undeploy(call: Call) -> dict[str, Any]:
    call.only("id")
    key = call.need("id")
    call.owned("deployment", f"{call.account}/{key}")
    call.state.delete("deployment", f"{call.account}/{key}")
    return {"id": key, "deleted": True}


Handler = Callable[[Call], dict[str, Any]]

OPERATIONS: Mapping[str, Handler] = {
    "upload": _upload,
    "files": _files,
    "download_file": _file_content,
    "delete_file": _delete_file,
    "create": _create,
    "retrieve": _retrieve,
    # The same list under two names, so that a script of faults can tell who asks.
    "find": _jobs,
    "jobs": _jobs,
    "cancel": _change(lifecycle.cancel),
    "pause": _change(lifecycle.pause),
    "resume": _change(lifecycle.resume),
    "events": _part("event"),
    "checkpoints": _part("checkpoint"),
    "models": _models,
    "chat": _chat,
    "weights": _weights,
    "deploy": _deploy,
    "deployment": _deployment,
    "deployments": _deployments,
    "undeploy": _undeploy,
    "extend": _extend,
}
