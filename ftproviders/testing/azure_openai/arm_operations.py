"""The requests that the emulated Resource Manager knows, and the api-versions that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from ftproviders.testing.openai.operations import JSON, Operation

__all__ = ["API_VERSIONS", "ARM_NAMES", "OPERATIONS", "PERMISSIONS_VERSION", "match_arm"]

API_VERSIONS: Final = ("2024-10-01", "2025-06-01", "2025-12-01", "2026-07-01")
"""Versions of Microsoft.CognitiveServices whose deployments have tags (azure bicep types)."""
PERMISSIONS_VERSION: Final = "2022-04-01"
"""Version of Microsoft.Authorization for the caller's permissions."""

_VERSION = frozenset({"api-version"})
_PROVIDER = "/providers/Microsoft.CognitiveServices"
_ACCOUNT = (
    "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
    f"{_PROVIDER}/accounts/{{accountName}}"
)
_DEPLOYMENT = f"{_ACCOUNT}/deployments/{{deploymentName}}"
_PLACE = f"/subscriptions/{{subscriptionId}}{_PROVIDER}/locations/{{location}}"

OPERATIONS = (
    Operation("Accounts_Get", "GET", _ACCOUNT, query=_VERSION),
    Operation(
        "Deployments_List", "GET", f"{_ACCOUNT}/deployments", query=_VERSION | {"$skiptoken"}
    ),
    Operation("Deployments_Get", "GET", _DEPLOYMENT, query=_VERSION),
    Operation("Deployments_CreateOrUpdate", "PUT", _DEPLOYMENT, JSON, query=_VERSION),
    Operation("Deployments_Update", "PATCH", _DEPLOYMENT, JSON, query=_VERSION),
    Operation("Deployments_Delete", "DELETE", _DEPLOYMENT, query=_VERSION),
    Operation("Operations_Status", "GET", f"{_PLACE}/operations/{{operationId}}", query=_VERSION),
    Operation(
        "Operations_Result", "GET", f"{_PLACE}/operationResults/{{operationId}}", query=_VERSION
    ),
    Operation(
        "Permissions_ListForResource",
        "GET",
        f"{_ACCOUNT}/providers/Microsoft.Authorization/permissions",
        query=_VERSION,
    ),
)

ARM_NAMES: Mapping[str, str] = {
    key: operation.name for operation in OPERATIONS for key in (operation.name, operation.route)
}
"""Name, and method with path -> name."""


def match_arm(method: str, path: str) -> tuple[Operation | None, Mapping[str, str]]:
    """Find the operation of a request, and the parameters in its path."""
    for operation in OPERATIONS:
        found = operation.pattern.fullmatch(path)
        if found is not None and operation.method == method:
            return operation, {k: unquote(v) for k, v in found.groupdict().items()}
    return None, {}
