"""What each request of the emulated Resource Manager does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ftproviders.testing.azure_openai.arm_call import ArmAnswer, ArmCall
from ftproviders.testing.azure_openai.arm_faults import ArmError
from ftproviders.testing.azure_openai.arm_operations import API_VERSIONS, PERMISSIONS_VERSION
from ftproviders.testing.azure_openai.arm_progress import begin, result, status
from ftproviders.testing.azure_openai.arm_rules import (
    Wanted,
    check_name,
    checked_patch,
    checked_put,
    family_of,
)
from ftproviders.testing.azure_openai.resource import Resource, new_deployment
from ftproviders.testing.memory.store import Transaction
from ftproviders.testing.openai.faults import WireFaultKind

__all__ = ["carry_out", "shown"]

_ALL_RIGHTS = (
    "Microsoft.CognitiveServices/accounts/deployments/write",
    "Microsoft.CognitiveServices/accounts/deployments/delete",
)


def carry_out(name: str, call: ArmCall) -> ArmAnswer:
    """Carry out one request.

    Raises:
        ArmError: It is refused.
    """
    wanted = PERMISSIONS_VERSION if name.startswith("Permissions") else None
    version = call.query.get("api-version")
    if version is None or version not in ((wanted,) if wanted else API_VERSIONS):
        raise ArmError(
            400,
            "NoRegisteredProviderFound" if version else "MissingApiVersionParameter",
            f"The api-version '{version}' is not supported; supported: {', '.join(API_VERSIONS)}.",
        )
    _check_place(call)
    return _HANDLERS[name](call)


def _check_place(call: ArmCall) -> None:
    resource, path = call.resource, call.path
    if path["subscriptionId"] != resource.subscription:
        raise ArmError(404, "SubscriptionNotFound", "The subscription could not be found.")
    if path.get("resourceGroupName", resource.group) != resource.group:
        group = path["resourceGroupName"]
        raise ArmError(
            404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found."
        )
    if path.get("accountName", resource.name) != resource.name:
        code = "ParentResourceNotFound" if "deploymentName" in path else "ResourceNotFound"
        raise ArmError(
            404,
            code,
            f"The Resource 'Microsoft.CognitiveServices/accounts/{path['accountName']}' under "
            f"resource group '{resource.group}' was not found.",
        )


# --- reading ----------------------------------------------------------------------------------


def _account(call: ArmCall) -> ArmAnswer:
    resource = call.resource
    return ArmAnswer(
        200,
        {
            "id": resource.id,
            "name": resource.name,
            "type": "Microsoft.CognitiveServices/accounts",
            "location": resource.location,
            "kind": "AIServices",
            "sku": {"name": "S0"},
            "properties": {
                "provisioningState": "Succeeded",
                "endpoint": f"https://{resource.name}.openai.azure.com/",
            },
        },
    )


def _permissions(call: ArmCall) -> ArmAnswer:
    actions = ["Microsoft.CognitiveServices/*/read"]
    actions += _ALL_RIGHTS if call.may_write else ()
    value = {"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}
    return ArmAnswer(200, {"value": [value]})


def _list(call: ArmCall) -> ArmAnswer:
    resource = call.resource
    with resource.transaction() as state:
        now = resource.now()
        there = [d for d in state.all("deployment") if d.get("hidden_until", 0.0) <= now]
        start = int(call.query.get("$skiptoken", "0"))
        page = there[start : start + resource.behaviour.page_size]
        body: dict[str, Any] = {"value": [shown(resource, found) for found in page]}
    if start + len(page) < len(there):
        path = f"{call.root_url}{resource.id}/deployments"
        version = call.query["api-version"]
        body["nextLink"] = f"{path}?api-version={version}&$skiptoken={start + len(page)}"
    return ArmAnswer(200, body)


def _get(call: ArmCall) -> ArmAnswer:
    with call.resource.transaction() as state:
        return ArmAnswer(200, shown(call.resource, _existing(state, call.name)))


def _existing(state: Transaction, name: str) -> dict[str, Any]:
    found = state.get("deployment", name)
    if found is None:
        raise ArmError(404, "ResourceNotFound", f"The deployment '{name}' was not found.")
    return found


def shown(resource: Resource, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment as the service shows it."""
    made = _moment(found["created_at"])
    model = {"format": found["format"], "name": found["model"], "version": found["version"]}
    if found["source"]:
        model["source"] = found["source"]
    body = {
        "id": f"{resource.id}/deployments/{found['id']}",
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "name": found["id"],
        "sku": {"name": found["sku"], "capacity": found["capacity"]},
        "properties": {
            "model": model,
            "provisioningState": _word(resource, found),
            "versionUpgradeOption": "NoAutoUpgrade",
            "capabilities": {"chatCompletion": "true"},
            **found["more"],
        },
        "systemData": {
            "createdAt": made,
            "createdBy": "emulated-identity",
            "createdByType": "Application",
            "lastModifiedAt": made,
        },
        "etag": f'"{hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:32]}"',
    }
    return {**body, "tags": dict(found["tags"])} if found["tags"] else body


def _word(resource: Resource, found: Mapping[str, Any]) -> str:
    if found["word"]:
        return str(found["word"])
    if found["deleting_at"] is not None:
        return "Deleting"
    if found["done_at"] > resource.now():
        return "Accepted" if found["created_at"] >= resource.now() else "Creating"
    return "Failed" if found["failure"] else "Succeeded"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


# --- changing ---------------------------------------------------------------------------------


def _put(call: ArmCall) -> ArmAnswer:
    _check_right(call, "write")
    check_name(call.name)
    wanted = checked_put(call.body)
    base = _base(call, str(wanted.model["name"]), wanted)
    _check_family(call, wanted, base)
    resource = call.resource
    with resource.transaction() as state:
        before = state.get("deployment", call.name)
        _check_free(call, before, wanted)
        _check_quota(resource, state, wanted, before)
        made = new_deployment(call.name, str(wanted.model["name"]), base=base, tags=wanted.tags)
        made |= {
            "format": wanted.model["format"],
            "version": wanted.model["version"],
            "source": wanted.model.get("source") or wanted.model.get("sourceAccount"),
            "sku": wanted.sku,
            "capacity": wanted.capacity,
            "more": dict(wanted.more),
        }
        if before is None:
            made |= _times(call, state)
        else:
            kept = ("created_at", "used_at", "done_at", "answers_at")
            made |= {name: before[name] for name in kept}
        state.put("deployment", call.name, made)
        operation = begin(state, call.name, kind="create", made_at=made["created_at"])
        headers = {
            "Azure-AsyncOperation": call.link("operations", operation),
            "Retry-After": "5",
        }
        return ArmAnswer(201 if before is None else 200, shown(resource, made), headers)


def _times(call: ArmCall, state: Transaction) -> dict[str, Any]:
    resource = call.resource
    now = resource.now()
    done = now + resource.behaviour.provisioning_seconds
    lag = call.misbehaviour.get(WireFaultKind.LIST_LAG)
    planned = next(iter(state.all("planned_failure")), None)
    failure = None
    if planned is not None:
        state.delete("planned_failure", planned["id"])
        failure = {"code": planned["code"], "message": planned["message"]}
    return {
        "created_at": now,
        "used_at": now,
        "done_at": done,
        "answers_at": done + resource.behaviour.silent_seconds,
        "failure": failure,
        "hidden_until": now + lag.seconds if lag else 0.0,
    }


def _base(call: ArmCall, model: str, wanted: Wanted) -> str:
    """Return the base model of the tuned model that shall be deployed."""
    source = wanted.model.get("source") or wanted.model.get("sourceAccount")
    owner: Resource | None = call.resource
    if source is not None and str(source).lower() != call.resource.id.lower():
        owner = call.others.get(str(source).lower())
    base = None if owner is None else owner.tuned(model)
    if base is None or wanted.model["version"] != "1":
        raise ArmError(
            400,
            "DeploymentModelNotSupported",
            f"The model 'Publisher: , Format: {wanted.model['format']}, Name: {model}, Version: "
            f"{wanted.model['version']}, Source: {source or ''}, SourceAccount: ' of account "
            "deployment is not supported.",
        )
    return base


def _check_family(call: ArmCall, wanted: Wanted, base: str) -> None:
    del call
    family = family_of(base)
    if family is None:
        return
    if wanted.model["format"] not in family.formats:
        # What the real service answers to a wrong format: 500 and no word.
        raise ArmError(500, "InternalServerError", "")
    if wanted.sku.lower() not in family.skus:
        raise ArmError(
            400,
            "InvalidResourceProperties",
            f"The specified SKU '{wanted.sku}' of account deployment is not supported by the model "
            f"'{wanted.model['name']}'.",
        )


def _check_free(call: ArmCall, before: Mapping[str, Any] | None, wanted: Wanted) -> None:
    if before is None:
        return
    if before["deleting_at"] is not None or before["done_at"] > call.resource.now():
        raise _busy(call.name)
    if before["model"] != wanted.model["name"]:
        raise ArmError(409, "Conflict", f"The deployment '{call.name}' serves another model.")


def _busy(name: str) -> ArmError:
    return ArmError(
        409,
        "RequestConflict",
        f"Cannot modify resource with id '{name}' because the resource entity provisioning state "
        "is not terminal. Please wait for the provisioning state to become terminal.",
    )


def _check_quota(
    resource: Resource, state: Transaction, wanted: Wanted, before: Mapping[str, Any] | None
) -> None:
    there = [d for d in state.all("deployment") if before is None or d["id"] != before["id"]]
    left = resource.behaviour.quota - sum(d["capacity"] for d in there)
    if wanted.capacity > left:
        raise ArmError(
            400,
            "InsufficientQuota",
            f"This operation require {wanted.capacity} new capacity in quota Tokens Per Minute "
            f"(thousands) - {wanted.sku}, which is bigger than the current available capacity "
            f"{left}.",
        )
    held = [r for r in state.all("released") if r["until"] > resource.now()]
    if wanted.capacity > left - sum(r["capacity"] for r in held):
        seconds = max(r["until"] for r in held) - resource.now()
        headers = {"Retry-After": f"{seconds:.0f}"}
        raise ArmError(429, "QuotaExceeded", "The quota is not released yet.", headers=headers)
    if before is None and len(there) >= resource.behaviour.deployments_limit:
        raise ArmError(400, "InsufficientQuota", "The resource has its limit of deployments.")


def _patch(call: ArmCall) -> ArmAnswer:
    _check_right(call, "write")
    tags, sku = checked_patch(call.body)
    with call.resource.transaction() as state:
        found = _existing(state, call.name)
        if found["deleting_at"] is not None:
            raise _busy(call.name)
        changed = dict(found)
        if tags is not None:
            changed["tags"] = dict(tags)
        changed["sku"] = sku.get("name", found["sku"])
        changed["capacity"] = sku.get("capacity", found["capacity"])
        state.put("deployment", call.name, changed)
        return ArmAnswer(200, shown(call.resource, changed))


def _delete(call: ArmCall) -> ArmAnswer:
    _check_right(call, "delete")
    with call.resource.transaction() as state:
        found = state.get("deployment", call.name)
        if found is None:
            return ArmAnswer(204)
        if found["deleting_at"] is None:
            now = call.resource.now()
            state.put("deployment", call.name, {**found, "deleting_at": now, "word": None})
        operation = begin(state, call.name, kind="delete", made_at=found["created_at"])
    headers = {
        "Azure-AsyncOperation": call.link("operations", operation),
        "Location": call.link("operationResults", operation),
        "Retry-After": "5",
    }
    return ArmAnswer(202, None, headers)


def _check_right(call: ArmCall, act: str) -> None:
    if not call.may_write:
        raise ArmError(
            403,
            "AuthorizationFailed",
            "The client 'emulated-identity' does not have authorization to perform action "
            f"'Microsoft.CognitiveServices/accounts/deployments/{act}' over scope "
            f"'{call.resource.id}' or the scope is invalid.",
        )


_HANDLERS: Mapping[str, Callable[[ArmCall], ArmAnswer]] = {
    "Accounts_Get": _account,
    "Deployments_List": _list,
    "Deployments_Get": _get,
    "Deployments_CreateOrUpdate": _put,
    "Deployments_Update": _patch,
    "Deployments_Delete": _delete,
    "Operations_Status": status,
    "Operations_Result": result,
    "Permissions_ListForResource": _permissions,
}
