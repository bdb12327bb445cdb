"""The requests that the emulator knows: names, methods and paths of OpenAI's description 2.3.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

__all__ = ["FORM", "JSON", "OPERATIONS", "OPERATION_NAMES", "Operation", "match"]

JSON, FORM = "application/json", "multipart/form-data"


@dataclass(frozen=True)
class Operation:
    """One request."""

    name: str
    """``operationId`` of the description."""
    method: str
    path: str
    content_type: str | None = None
    """What the body must be; None = there is no body."""
    query: frozenset[str] = frozenset()
    """Parameters in the query; ``metadata`` stands for ``metadata[key]``."""
    pattern: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        parts = re.split(r"\{(\w+)\}", self.path)
        text = "".join(
            f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
        object.__setattr__(self, "pattern", re.compile(text))

    @property
    def route(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


_PAGE = frozenset({"after", "limit"})
_JOB = "/fine_tuning/jobs/{fine_tuning_job_id}"
_GRANTS = "/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions"

OPERATIONS = (
    Operation("createFile", "POST", "/files", FORM),
    Operation("listFiles", "GET", "/files", query=_PAGE | {"purpose", "order"}),
    Operation("retrieveFile", "GET", "/files/{file_id}"),
    Operation("downloadFile", "GET", "/files/{file_id}/content"),
    Operation("deleteFile", "DELETE", "/files/{file_id}"),
    Operation("createUpload", "POST", "/uploads", JSON),
    Operation("addUploadPart", "POST", "/uploads/{upload_id}/parts", FORM),
    Operation("completeUpload", "POST", "/uploads/{upload_id}/complete", JSON),
    Operation("cancelUpload", "POST", "/uploads/{upload_id}/cancel"),
    Operation("createFineTuningJob", "POST", "/fine_tuning/jobs", JSON),
    Operation(
        "listPaginatedFineTuningJobs", "GET", "/fine_tuning/jobs", query=_PAGE | {"metadata"}
    ),
    Operation("retrieveFineTuningJob", "GET", _JOB),
    Operation("cancelFineTuningJob", "POST", f"{_JOB}/cancel"),
    Operation("pauseFineTuningJob", "POST", f"{_JOB}/pause"),
    Operation("resumeFineTuningJob", "POST", f"{_JOB}/resume"),
    Operation("listFineTuningEvents", "GET", f"{_JOB}/events", query=_PAGE),
    Operation("listFineTuningJobCheckpoints", "GET", f"{_JOB}/checkpoints", query=_PAGE),
    Operation("createFineTuningCheckpointPermission", "POST", _GRANTS, JSON),
    Operation(
        "listFineTuningCheckpointPermissions",
        "GET",
        _GRANTS,
        query=_PAGE | {"order", "project_id"},
    ),
    Operation("deleteFineTuningCheckpointPermission", "DELETE", _GRANTS + "/{permission_id}"),
    Operation("validateGrader", "POST", "/fine_tuning/alpha/graders/validate", JSON),
    Operation("runGrader", "POST", "/fine_tuning/alpha/graders/run", JSON),
    Operation("listModels", "GET", "/models"),
    Operation("retrieveModel", "GET", "/models/{model}"),
    Operation("deleteModel", "DELETE", "/models/{model}"),
    Operation("createChatCompletion", "POST", "/chat/completions", JSON),
)

OPERATION_NAMES: Mapping[str, str] = {
    key: operation.name for operation in OPERATIONS for key in (operation.name, operation.route)
}
"""Name of the description, and method with path -> name."""


def match(
    method: str, path: str, table: Sequence[Operation] = OPERATIONS
) -> tuple[Operation | None, Mapping[str, str], bool]:
    """Find the operation of a request.

    Args:
        method: HTTP method.
        path: Path behind ``/v1``, still percent-encoded.
        table: The requests that there are.

    Returns:
        The operation or None, its path parameters, and whether the path is known with any method.
    """
    known = False
    for operation in table:
        found = operation.pattern.fullmatch(path)
        if found is None:
            continue
        known = True
        if operation.method == method:
            return operation, {k: unquote(v) for k, v in found.groupdict().items()}, True
    return None, {}, known
