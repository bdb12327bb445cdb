"""What scripted faults do to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ftproviders.testing.openai.faults import WireFault, WireFaultKind
from ftproviders.testing.openai.refusal import ApiError
from ftproviders.testing.openai.wire import Reply

__all__ = ["broken_reply", "distort", "refusal_reply"]

_HTML: Final = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    "<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)
_TIMES = frozenset({"created", "created_at", "estimated_finish", "expires_at", "finished_at"})
_NEVER_NULL = frozenset(
    {
        "bytes", "created_at", "data", "deleted", "file", "filename", "fine_tuned_model",
        "fine_tuned_model_checkpoint", "id", "level", "message", "metadata", "metrics", "model",
        "object", "purpose", "status", "step_number", "training_file", "type", "upload_id",
        "has_more", "choices", "owned_by",
    }
)  # fmt: skip


def refusal_reply(fault: WireFault) -> Reply | None:
    """Return the refusal that a fault stands for, or None for a fault of another sort."""
    if fault.kind is WireFaultKind.BAD_GATEWAY:
        return Reply(502, _HTML, {"Content-Type": "text/html"})
    if fault.kind is WireFaultKind.REDIRECT:
        return Reply(307, "", {"Location": fault.word})
    make = _REFUSALS.get(fault.kind)
    if make is None:
        return None
    error = make(fault)
    return Reply(error.status, error.body, error.headers)


def broken_reply(fault: WireFault, answer: Reply) -> Reply:
    """Return what is left of an answer on its way back."""
    kind = fault.kind
    if kind is WireFaultKind.TIMEOUT:
        return Reply(200, "", effect="hold", hold_seconds=fault.seconds)
    if kind is WireFaultKind.TRUNCATED:
        return Reply(answer.status, answer.payload, answer.headers, effect="truncate")
    if kind is WireFaultKind.MALFORMED:
        return Reply(answer.status, '{"object": "list", "data": [}', answer.headers)
    if kind is WireFaultKind.EMPTY:
        return Reply(answer.status, "", answer.headers)
    return Reply(200, "", effect="reset")


def distort(answer: dict[str, Any], faults: Mapping[WireFaultKind, WireFault]) -> dict[str, Any]:
    """Return an answer with unknown words and fields, nulls or wrong times, as the faults say."""
    for kind, change in _CHANGES.items():
        if kind in faults:
            fault = faults[kind]
            answer = change(answer, fault)
            if isinstance(answer.get("data"), list):
                answer = {**answer, "data": [change(item, fault) for item in answer["data"]]}
    return answer


def _unknown_status(item: dict[str, Any], fault: WireFault) -> dict[str, Any]:
    return {**item, "status": fault.word} if "status" in item else item


def _unknown_fields(item: dict[str, Any], fault: WireFault) -> dict[str, Any]:
    return {**item, "x_tomorrow": {"word": fault.word, "numbers": [1, 2.5, None]}, "x_flag": True}


def _skewed(item: dict[str, Any], fault: WireFault) -> dict[str, Any]:
    seconds = int(fault.seconds)
    return {
        name: value + seconds if name in _TIMES and isinstance(value, int) else value
        for name, value in item.items()
    }


def _nulls(item: dict[str, Any], fault: WireFault) -> dict[str, Any]:
    del fault
    return {name: value if name in _NEVER_NULL else None for name, value in item.items()}


_CHANGES: Final[Mapping[WireFaultKind, Callable[[dict[str, Any], WireFault], dict[str, Any]]]] = {
    WireFaultKind.CLOCK_SKEW: _skewed,
    WireFaultKind.NULLS: _nulls,
    WireFaultKind.UNKNOWN_FIELDS: _unknown_fields,
    WireFaultKind.UNKNOWN_STATUS: _unknown_status,
}


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": f"{seconds or 1:g}"}


_REFUSALS: Final[Mapping[WireFaultKind, Callable[[WireFault], ApiError]]] = {
    WireFaultKind.RATE_LIMIT: lambda fault: ApiError(
        "Rate limit reached for requests. Please try again later.",
        status=429,
        kind="requests",
        code="rate_limit_exceeded",
        headers=_retry_after(fault.seconds),
    ),
    WireFaultKind.SERVER_ERROR: lambda _: ApiError(
        "The server had an error while processing your request. Sorry about that!",
        status=500,
        kind="server_error",
    ),
    WireFaultKind.UNAVAILABLE: lambda _: ApiError(
        "The server is overloaded or not ready yet.", status=503, kind="server_error"
    ),
    WireFaultKind.REQUEST_TIMEOUT: lambda _: ApiError(
        "Your request timed out.", status=408, kind="server_error"
    ),
    WireFaultKind.UNAUTHORIZED: lambda _: ApiError(
        "Incorrect API key provided.", status=401, code="invalid_api_key"
    ),
    WireFaultKind.FORBIDDEN: lambda _: ApiError(
        "You have insufficient permissions for this operation.",
        status=403,
        code="insufficient_permissions",
    ),
    WireFaultKind.NOT_FOUND: lambda _: ApiError("Not found.", status=404, code="not_found"),
    WireFaultKind.CONFLICT: lambda _: ApiError(
        "The resource was changed by another request.", status=409, code="conflict"
    ),
    WireFaultKind.INVALID: lambda _: ApiError("Invalid request.", code="invalid_value"),
    WireFaultKind.QUOTA: lambda _: ApiError(
        "You exceeded your current quota, please check your plan and billing details.",
        status=429,
        kind="insufficient_quota",
        code="insufficient_quota",
    ),
    WireFaultKind.RETIRED: lambda _: ApiError(
        "The model has been deprecated, learn more in the deprecations guide.",
        status=404,
        param="model",
        code="model_not_found",
    ),
}
