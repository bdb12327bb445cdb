"""Fine-tuning jobs of the emulator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ftproviders.testing.openai import models, training
from ftproviders.testing.openai.call import ORGANIZATION, Call, page_of
from ftproviders.testing.openai.faults import WireFaultKind
from ftproviders.testing.openai.files import ready_file, store_result
from ftproviders.testing.openai.refusal import ApiError, invalid
from ftproviders.testing.openai.rows import Inspection, inspect

__all__ = [
    "cancel_job",
    "create_job",
    "find_job",
    "list_checkpoints",
    "list_events",
    "list_jobs",
    "pause_job",
    "resume_job",
    "retrieve_job",
    "settle",
    "view",
]

_METHODS = ("supervised", "dpo", "reinforcement")
_STAGES = {"validating_files": "queued_after", "running": "ends_after", "moderation": "ends_after"}


def create_job(call: Call) -> dict[str, Any]:
    """Make a job; whatever is wrong inside its files it finds while it validates them."""
    asked = call.service.job_request(call.body)
    if call.behaviour.closed:
        raise ApiError(
            "Fine-tuning is no longer available to your organization.",
            status=403,
            code="fine_tuning_not_available",
        )
    body: dict[str, Any] = asked.model_dump(mode="json", exclude_unset=True)
    method = asked.method.type if asked.method else "supervised"
    base = models.tunable(call, asked.model, method)
    call.service.admit_job(call, asked, base)
    if method == "reinforcement" and asked.validation_file is None:
        raise invalid(
            "Reinforcement fine-tuning needs a validation file.",
            param="validation_file",
            code="missing_required_parameter",
        )
    training_file, path = ready_file(call, asked.training_file, param="training_file")
    found = inspect(path, method)
    checked: Mapping[str, Any] | None = found.error
    if asked.validation_file is not None:
        _, held_out = ready_file(call, asked.validation_file, param="validation_file")
        checked = checked or inspect(held_out, method, param="validation_file").error
    job = _record(call, body, method, base.name, found)
    job["blob"] = training_file["blob"]
    job["failure"] = _failure(call, job["plan"], checked)
    call.state.put("job", job["id"], job)
    return view(call, job)


def _record(
    call: Call, body: dict[str, Any], method: str, root: str, found: Inspection
) -> dict[str, Any]:
    job_id = call.new_id("ftjob-")
    behaviour = call.behaviour
    knobs = (body.get("method") or {}).get(method, {}).get("hyperparameters")
    times = {
        "validating": behaviour.validating_seconds,
        "queued": behaviour.queued_seconds,
        "running": behaviour.running_seconds,
        "late": behaviour.late_events_seconds,
    }
    suffix = body.get("suffix") or ""
    dropped = WireFaultKind.DROP_METADATA in call.misbehaviour
    return {
        "id": job_id,
        "body": body,
        "metadata": None if dropped else body.get("metadata"),
        "method": method,
        "created_at": call.now,
        "hidden_until": call.hidden_until(),
        "plan": training.plan(
            found.rows, found.tokens, knobs or body.get("hyperparameters") or {}, times
        ),
        "root": root,
        "model_name": call.service.model_name(
            job_id, root, suffix, organization=behaviour.organization
        ),
        "pauses": [],
        "acts": [],
        "cancelled_at": None,
        "word": None,
        "settled": False,
        "result_file": None,
    }


def _failure(
    call: Call, plan: Mapping[str, Any], checked: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    if checked is not None:
        return {**checked, "after": plan["queued_after"]}
    planned = call.state.all("planned_failure")
    if not planned:
        return None
    first = planned[0]
    call.state.delete("planned_failure", first["id"])
    after = plan[_STAGES[first["stage"]]]
    if first["stage"] == "running":
        after = (plan["running_after"] + plan["ends_after"]) / 2
    error = {name: first[name] for name in ("code", "message", "param")}
    return {**error, "after": after}


# --- reading ------------------------------------------------------------------------------------


def find_job(call: Call) -> dict[str, Any]:
    """Return the record of the job that the request names.

    Raises:
        ApiError: There is no such job.
    """
    key = call.path["fine_tuning_job_id"]
    job = call.state.get("job", key)
    if job is None:
        raise ApiError(
            f"Could not find fine tune: {key}",
            status=404,
            param="fine_tune_id",
            code="fine_tune_not_found",
        )
    return job


def retrieve_job(call: Call) -> dict[str, Any]:
    """Tell about one job."""
    return view(call, find_job(call))


def list_jobs(call: Call) -> dict[str, Any]:
    """List jobs, newest first, by metadata where that is asked for."""
    wanted = {
        name.removeprefix("metadata[").removesuffix("]"): value
        for name, value in call.query.items()
        if name.startswith("metadata[")
    }
    shown = [
        job
        for job in reversed(call.state.all("job"))
        if job["hidden_until"] <= call.now
        and (not call.filters_hold or wanted.items() <= (job["metadata"] or {}).items())
    ]
    page = page_of(call, shown, default=20, most=100, cursors=False)
    return {**page, "data": [view(call, job) for job in page["data"]]}


def list_events(call: Call) -> dict[str, Any]:
    """List a job's events, newest first."""
    job = find_job(call)
    told = training.events(
        job,
        call.now,
        story=call.service.story(job),
        metrics_in_data=call.behaviour.metrics_in_data,
    )
    return page_of(call, told[::-1], default=20, most=1000, cursors=False)


def list_checkpoints(call: Call) -> dict[str, Any]:
    """List a job's checkpoints, newest first."""
    return page_of(call, _checkpoints(call, find_job(call)), default=10, most=100)


def _checkpoints(call: Call, job: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [call.service.shown_checkpoint(c) for c in training.checkpoints(job, call.now)]


def view(call: Call, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job as the API shows it."""
    at = training.moment(job, call.now)
    body, plan = job["body"], job["plan"]
    status = job["word"] or at.status
    known = at.status not in ("validating_files", "failed")
    knobs = {
        "n_epochs": plan["epochs"] if known else "auto",
        "batch_size": plan["batch_size"] if known else "auto",
        "learning_rate_multiplier": plan["rate"] if known else "auto",
    }
    method: dict[str, Any] = {**(body.get("method") or {"type": "supervised"})}
    inner: dict[str, Any] = {**(method.get(job["method"]) or {})}
    stated = inner.get("hyperparameters") or body.get("hyperparameters") or {}
    method[job["method"]] = {**inner, "hyperparameters": {**knobs, **stated}}
    succeeded = status == "succeeded"
    shown = {
        "object": "fine_tuning.job",
        "id": job["id"],
        "model": body["model"],
        "created_at": int(job["created_at"]),
        "finished_at": None if at.finished_at is None else int(at.finished_at),
        "estimated_finish": int(training.ended_at(job)) if at.status == "running" else None,
        "fine_tuned_model": job["model_name"] if succeeded else None,
        "organization_id": ORGANIZATION,
        "result_files": [job["result_file"]] if succeeded and job["result_file"] else [],
        "status": status,
        "validation_file": body.get("validation_file"),
        "training_file": body["training_file"],
        "hyperparameters": {**knobs, **_common(stated)},
        "trained_tokens": plan["trained_tokens"] if succeeded else None,
        "error": _error(job, status),
        "seed": body.get("seed", _seed(job["id"])),
        "integrations": body.get("integrations") or [],
        "method": method,
        "metadata": job["metadata"],
    }
    return call.service.shown_job(shown, job)


def _common(stated: Mapping[str, Any]) -> dict[str, Any]:
    names = ("n_epochs", "batch_size", "learning_rate_multiplier")
    return {name: stated[name] for name in names if name in stated}


def _error(job: Mapping[str, Any], status: str) -> dict[str, Any]:
    # The service shows an object whose fields are all null where there is no error.
    names = ("code", "message", "param")
    if status != "failed":
        return dict.fromkeys(names)
    failure = job["failure"] or {"code": "server_error", "message": "The job failed."}
    return {name: failure.get(name) for name in names}


def _seed(job_id: str) -> int:
    return int(hashlib.sha256(job_id.encode()).hexdigest()[:7], 16)


# --- acting -------------------------------------------------------------------------------------


def cancel_job(call: Call) -> dict[str, Any]:
    """End a job that has not ended."""
    job = find_job(call)
    status = training.moment(job, call.now).status
    if status in ("succeeded", "failed", "cancelled"):
        raise invalid(f"Job has already completed: {job['id']}", code="job_already_completed")
    job["cancelled_at"] = call.now
    return _act(call, job, "Fine-tuning job cancelled")


def pause_job(call: Call) -> dict[str, Any]:
    """Let a job rest."""
    job = find_job(call)
    call.service.admit_pause(job, training.moment(job, call.now))
    job["pauses"].append([call.now, None])
    return _act(call, job, "Fine-tuning job paused")


def resume_job(call: Call) -> dict[str, Any]:
    """Let a job go on that rests."""
    job = find_job(call)
    status = training.moment(job, call.now).status
    if status != "paused":
        raise invalid(f"Job {job['id']} is {status} and cannot be resumed.", code="invalid_state")
    job["pauses"][-1][1] = call.now
    return _act(call, job, "Fine-tuning job resumed")


def _act(call: Call, job: dict[str, Any], text: str) -> dict[str, Any]:
    job["acts"].append([call.now, text])
    job["word"] = None
    call.state.put("job", job["id"], job)
    return view(call, job)


def settle(call: Call) -> None:
    """Write down what jobs have left behind that ended since the last request."""
    for job in call.state.all("job"):
        if job["settled"]:
            continue
        status = training.moment(job, call.now).status
        if status not in ("succeeded", "failed", "cancelled"):
            continue
        job["settled"] = True
        if status == "succeeded":
            job["result_file"] = store_result(
                call, call.service.results_name, call.service.results(job)
            )
            models.keep(call, job, _checkpoints(call, job))
        call.state.put("job", job["id"], job)
