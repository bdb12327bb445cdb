"""Long-running operations of the emulated Resource Manager."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ftproviders.testing.azure_openai.arm_call import ArmAnswer, ArmCall
from ftproviders.testing.azure_openai.arm_faults import ArmError
from ftproviders.testing.memory.store import Transaction

__all__ = ["begin", "result", "status"]


def begin(state: Transaction, name: str, *, kind: str, made_at: float) -> str:
    """Write down an operation; return its id."""
    number = state.next_number("operation")
    key = hashlib.sha256(f"operation-{number}".encode()).hexdigest()[:32]
    entry = {"id": key, "deployment": name, "kind": kind, "made_at": made_at}
    state.put("operation", key, entry)
    return key


def status(call: ArmCall) -> ArmAnswer:
    """Answer what ``Azure-AsyncOperation`` points at."""
    with call.resource.transaction() as state:
        word, failure = _progress(call, state)
    body: dict[str, Any] = {
        "id": call.link("operations", call.path["operationId"]).removeprefix(call.root_url),
        "name": call.path["operationId"],
        "status": word,
    }
    if failure:
        body["error"] = dict(failure)
    headers = {} if word in ("Succeeded", "Failed") else {"Retry-After": "5"}
    return ArmAnswer(200, body, headers)


def result(call: ArmCall) -> ArmAnswer:
    """Answer what ``Location`` points at."""
    with call.resource.transaction() as state:
        word, failure = _progress(call, state)
    if failure:
        raise ArmError(400, failure["code"], failure["message"])
    if word == "Succeeded":
        return ArmAnswer(204)
    link = call.link("operationResults", call.path["operationId"])
    return ArmAnswer(202, None, {"Location": link, "Retry-After": "5"})


def _progress(call: ArmCall, state: Transaction) -> tuple[str, Mapping[str, str] | None]:
    entry = state.get("operation", call.path["operationId"])
    if entry is None:
        raise ArmError(404, "OperationNotFound", "There is no such operation.")
    found = state.get("deployment", entry["deployment"])
    same = found is not None and found["created_at"] == entry["made_at"]
    if entry["kind"] == "delete":
        return ("Running" if same else "Succeeded"), None
    if found is None or not same:
        return "Canceled", None
    if found["done_at"] > call.resource.now():
        return "Running", None
    return ("Failed", found["failure"]) if found["failure"] else ("Succeeded", None)
