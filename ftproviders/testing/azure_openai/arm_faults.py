"""Scripted faults of the emulated Resource Manager, and what they do to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from ftproviders.testing.azure_openai.arm_operations import ARM_NAMES
from ftproviders.testing.openai.faults import Firing, WireFault, WireFaultKind
from ftproviders.testing.openai.wire import Reply

__all__ = ["ArmError", "ArmFault", "ArmFiring", "arm_refusal", "distort_arm"]


class ArmError(Exception):
    """A refusal in Resource Manager's shape.

    Args:
        status: HTTP status.
        code: The error's ``code``.
        message: What a person reads.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}


class ArmFault(WireFault):
    """One scripted fault of the management plane.

    An operation is a name as in Azure's description, ``Deployments_CreateOrUpdate``, or a method
    and a path, or ``*``.
    """

    operations: ClassVar[Mapping[str, str]] = ARM_NAMES


class ArmFiring(Firing):
    """A fault of the management plane that has fired."""

    fault: ArmFault  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen, never set


def arm_refusal(fault: WireFault) -> Reply | None:
    """Return the refusal that a fault stands for, or None for a fault of another sort."""
    if fault.kind is WireFaultKind.BAD_GATEWAY:
        return Reply(502, "<html><body>Bad Gateway</body></html>", {"Content-Type": "text/html"})
    if fault.kind is WireFaultKind.REDIRECT:
        return Reply(307, "", {"Location": fault.word})
    known = _REFUSALS.get(fault.kind)
    if known is None:
        return None
    error = ArmError(*known)
    headers = {}
    if error.status == 429:
        headers = {"Retry-After": f"{fault.seconds or 1:g}"}
    return Reply(error.status, error.body, headers)


_REFUSALS: Final[Mapping[WireFaultKind, tuple[int, str, str]]] = {
    WireFaultKind.RATE_LIMIT: (429, "TooManyRequests", "The request is being throttled."),
    WireFaultKind.SERVER_ERROR: (500, "InternalServerError", ""),
    WireFaultKind.UNAVAILABLE: (503, "ServiceUnavailable", "The service is unavailable."),
    WireFaultKind.REQUEST_TIMEOUT: (408, "RequestTimeout", "The request timed out."),
    WireFaultKind.UNAUTHORIZED: (
        401,
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time is earlier than current UTC time.",
    ),
    WireFaultKind.FORBIDDEN: (
        403,
        "AuthorizationFailed",
        (
            "The client does not have authorization to perform action "
            "'Microsoft.CognitiveServices/accounts/deployments/write'."
        ),
    ),
    WireFaultKind.NOT_FOUND: (404, "ResourceNotFound", "The resource was not found."),
    WireFaultKind.CONFLICT: (
        409,
        "RequestConflict",
        (
            "Cannot modify resource with id because the resource entity provisioning state is not "
            "terminal."
        ),
    ),
    WireFaultKind.INVALID: (400, "InvalidResourceProperties", "The properties are not valid."),
    WireFaultKind.QUOTA: (
        400,
        "InsufficientQuota",
        (
            "This operation require 50 new capacity in quota Tokens Per Minute (thousands), "
            "which is bigger than the current available capacity 0."
        ),
    ),
    WireFaultKind.RETIRED: (
        400,
        "DeploymentModelNotSupported",
        "The model of account deployment is not supported.",
    ),
}


def distort_arm(
    answer: dict[str, Any], faults: Mapping[WireFaultKind, WireFault]
) -> dict[str, Any]:
    """Return an answer with unknown words and fields, nulls or wrong times, as the faults say."""
    for kind, change in _CHANGES.items():
        if kind in faults:
            fault = faults[kind]
            answer = change(answer, fault)
            if isinstance(answer.get("value"), list):
                answer = {**answer, "value": [change(item, fault) for item in answer["value"]]}
    return answer


def _unknown_status(item: dict[str, Any], fault: WireFault) -> dict[str, Any]:
    if "provisioningState" in item.get("properties", {}):
        return {**item, "properties": {**item["properties"], "provisioningState": fault.word}}
    return {**item, "status": fault.word} if "status" in item else item


def _unknown_fields(item: dict[str, Any], fault: WireFault) -> dict[str, Any]:
    return {**item, "xTomorrow": {"word": fault.word, "numbers": [1, 2.5, None]}, "xFlag": True}


def _nulls(item: dict[str, Any], _: WireFault) -> dict[str, Any]:
    return {name: None if name in _OPTIONAL else value for name, value in item.items()}


def _tagless(item: dict[str, Any], _: WireFault) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "tags"}


def _skewed(item: dict[str, Any], fault: WireFault) -> dict[str, Any]:
    made = item.get("systemData") or {}
    moved = {
        name: (datetime.fromisoformat(value) + timedelta(seconds=fault.seconds)).isoformat()
        if name.endswith("At")
        else value
        for name, value in made.items()
    }
    return {**item, "systemData": moved} if made else item


_OPTIONAL = frozenset({"etag", "systemData", "nextLink"})
_CHANGES: Final[Mapping[WireFaultKind, Callable[[dict[str, Any], WireFault], dict[str, Any]]]] = {
    WireFaultKind.CLOCK_SKEW: _skewed,
    WireFaultKind.DROP_METADATA: _tagless,
    WireFaultKind.NULLS: _nulls,
    WireFaultKind.UNKNOWN_FIELDS: _unknown_fields,
    WireFaultKind.UNKNOWN_STATUS: _unknown_status,
}
