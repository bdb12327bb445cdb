"""What the emulator answers when it does not do what was asked: status, body, headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ApiError", "invalid", "missing", "not_found", "unknown_parameter"]


class ApiError(Exception):
    """A refusal in OpenAI's shape.

    Args:
        message: What a person reads.
        status: HTTP status.
        kind: The error's ``type``.
        param: The field concerned.
        code: The error's ``code``.
        headers: More headers of the answer.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Return the refusal of a request whose value is wrong."""
    return ApiError(message, param=param, code=code)


def missing(param: str) -> ApiError:
    """Return the refusal of a request that lacks a field."""
    return invalid(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def unknown_parameter(param: str) -> ApiError:
    """Return the refusal of a request with a field that the service does not know."""
    return invalid(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def not_found(noun: str, key: str, *, param: str | None = None) -> ApiError:
    """Return the refusal of a request about something that is not there."""
    code = "model_not_found" if noun == "model" else None
    return ApiError(f"No such {noun}: {key}", status=404, param=param or "id", code=code)
