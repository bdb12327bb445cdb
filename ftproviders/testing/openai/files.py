"""Files of the emulator."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ftproviders.testing.openai.call import Call, Content, page_of
from ftproviders.testing.openai.multipart import Part
from ftproviders.testing.openai.refusal import (
    ApiError,
    invalid,
    missing,
    not_found,
    unknown_parameter,
)

__all__ = [
    "create_file",
    "delete_file",
    "download_file",
    "list_files",
    "ready_file",
    "retrieve_file",
    "store",
    "store_result",
    "view",
]

_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_EXPIRY_SECONDS = (3600, 2592000)


def create_file(call: Call) -> dict[str, Any]:
    """Take a file in one request."""
    fields = {part.name: part for part in call.parts}
    if len(fields) != len(call.parts):
        raise invalid("A field stands twice in the multipart body.")
    for name in fields:
        if name not in ("file", "purpose", "expires_after[anchor]", "expires_after[seconds]"):
            raise unknown_parameter(name)
    for name in ("purpose", "file"):
        if name not in fields:
            raise missing(name)
    file, purpose = fields["file"], fields["purpose"].text()
    _check_purpose(purpose, _PURPOSES)
    if not file.filename:
        raise invalid("The part 'file' has no filename.", param="file")
    if file.size > call.behaviour.file_limit_bytes:
        raise ApiError(
            f"File is too large: {file.size} bytes, and at most "
            f"{call.behaviour.file_limit_bytes} are allowed.",
            status=413,
            param="file",
        )
    lifetime = _lifetime(fields)
    call.service.admit_file(call, size_bytes=file.size, lifetime_seconds=lifetime)
    return store(call, [file], file.filename, purpose, lifetime_seconds=lifetime)


def list_files(call: Call) -> dict[str, Any]:
    """List files, newest first unless asked otherwise."""
    order = call.query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid("Invalid value for 'order': it must be 'asc' or 'desc'.", param="order")
    purpose = call.query.get("purpose")
    shown = [
        view(call, file)
        for file in call.state.all("file")
        if not file["deleted"] and file["hidden_until"] <= call.now and not _expired(call, file)
    ]
    if purpose is not None and call.filters_hold:
        shown = [file for file in shown if file["purpose"] == purpose]
    return page_of(call, shown if order == "asc" else shown[::-1], default=10000, most=10000)


def retrieve_file(call: Call) -> dict[str, Any]:
    """Tell about one file."""
    return view(call, _file(call, call.path["file_id"]))


def download_file(call: Call) -> Content:
    """Return a file's bytes."""
    file = _file(call, call.path["file_id"])
    if file["purpose"] == "fine-tune" and not call.behaviour.hands_out_data:
        raise invalid(f"Not allowed to download files of purpose: {file['purpose']}")
    return Content(call.blobs / file["blob"])


def delete_file(call: Call) -> dict[str, Any]:
    """Delete a file; models that were trained on it keep what they have learned."""
    file = _file(call, call.path["file_id"])
    call.state.put("file", file["id"], {**file, "deleted": True})
    return {"id": file["id"], "object": "file", "deleted": True}


def ready_file(call: Call, file_id: str, *, param: str) -> tuple[dict[str, Any], Path]:
    """Return a file that a job may use, and where its bytes are.

    Raises:
        ApiError: It is not there, for another purpose, not processed yet or broken.
    """
    file = call.state.get("file", file_id)
    if file is None or file["deleted"] or _expired(call, file):
        raise invalid(f"Invalid file ID: {file_id}", param=param, code="invalid_file")
    if file["purpose"] != "fine-tune":
        raise invalid(
            f"File '{file_id}' has purpose '{file['purpose']}', and 'fine-tune' is needed.",
            param=param,
            code="invalid_file_purpose",
        )
    status = _status(call, file)
    if status == "error":
        raise invalid(f"File '{file_id}' could not be processed.", param=param, code="invalid_file")
    if status != "processed":
        raise invalid(
            f"File '{file_id}' is still being processed and is not ready to be used for "
            "fine-tuning. Please try again later.",
            param=param,
            code="file_not_ready",
        )
    return file, call.blobs / file["blob"]


def store_result(call: Call, filename: str, content: bytes) -> str:
    """Keep a file that the service itself has written; return its id."""
    file_id = call.new_id("file-")
    with _new_blob(call, file_id) as blob:
        blob.write(content)
    record = _record(call, file_id, filename, "fine-tune-results", len(content))
    call.state.put("file", file_id, record)
    return file_id


def store(
    call: Call,
    parts: Sequence[Part],
    filename: str,
    purpose: str,
    *,
    lifetime_seconds: int | None,
) -> dict[str, Any]:
    """Make a file of `parts`, one behind the other.

    Raises:
        ApiError: It is empty, or of a kind that its purpose does not take.
    """
    if purpose == "fine-tune" and not filename.endswith(".jsonl"):
        raise invalid(
            f"Invalid extension of '{Path(filename).name}'. Supported formats: \"jsonl\"",
            param="file",
        )
    size = sum(part.size for part in parts)
    if size == 0:
        raise invalid("File is empty.", param="file")
    file_id = call.new_id("file-")
    with _new_blob(call, file_id) as blob:
        for part in parts:
            blob.writelines(part.blocks())
    record = _record(call, file_id, filename, purpose, size)
    record["processed_at"] = call.now + call.behaviour.processing_seconds
    record["broken"] = not _is_text(call.blobs / file_id)
    if lifetime_seconds is not None:
        record["expires_at"] = int(call.now) + lifetime_seconds
    call.state.put("file", file_id, record)
    return view(call, record)


def _new_blob(call: Call, file_id: str) -> BinaryIO:
    """Open a file for content that its owner alone may read."""
    # `Path.open` takes no opener.
    return open(call.blobs / file_id, "wb", opener=lambda path, flags: os.open(path, flags, 0o600))


def _record(
    call: Call, file_id: str, filename: str, purpose: str, size_bytes: int
) -> dict[str, Any]:
    return {
        "id": file_id,
        "blob": file_id,
        "filename": filename,
        "purpose": purpose,
        "bytes": size_bytes,
        "created_at": call.now,
        "processed_at": call.now,
        "hidden_until": call.hidden_until(),
        "expires_at": None,
        "broken": False,
        "deleted": False,
    }


def _file(call: Call, file_id: str) -> dict[str, Any]:
    file = call.state.get("file", file_id)
    if file is None or file["deleted"] or _expired(call, file):
        raise not_found("File object", file_id)
    return file


def _expired(call: Call, file: Mapping[str, Any]) -> bool:
    return file["expires_at"] is not None and file["expires_at"] <= call.now


def _status(call: Call, file: Mapping[str, Any]) -> str:
    if call.now < file["processed_at"]:
        halfway = (file["created_at"] + file["processed_at"]) / 2
        return "uploaded" if call.now < halfway else "pending"
    return "error" if file["broken"] else "processed"


def view(call: Call, file: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file as the API shows it."""
    status = _status(call, file)
    view = {
        "id": file["id"],
        "object": "file",
        "bytes": file["bytes"],
        "created_at": int(file["created_at"]),
        "filename": file["filename"],
        "purpose": file["purpose"],
        "status": status,
    }
    if file["expires_at"] is not None:
        view["expires_at"] = file["expires_at"]
    if status == "error":
        view["status_details"] = "The file is not UTF-8 text."
    return view


def _is_text(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        try:
            for _ in file:
                pass
        except UnicodeDecodeError:
            return False
    return True


def _check_purpose(purpose: str, allowed: Sequence[str]) -> None:
    if purpose not in allowed:
        raise invalid(
            f"'{purpose}' is not one of {list(allowed)} - 'purpose'",
            param="purpose",
            code="invalid_value",
        )


def _lifetime(fields: Mapping[str, Part]) -> int | None:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor is None or anchor.text() != "created_at":
        raise invalid("'expires_after[anchor]' must be 'created_at'.", param="expires_after")
    text = seconds.text() if seconds is not None else ""
    least, most = _EXPIRY_SECONDS
    if not text.isdecimal() or not least <= int(text) <= most:
        raise invalid(
            f"'expires_after[seconds]' must be from {least} to {most}.", param="expires_after"
        )
    return int(text)
