"""Uploads of the emulator: files that come in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ftproviders.testing.openai import files
from ftproviders.testing.openai.bodies import CompleteUpload, CreateUpload, parse
from ftproviders.testing.openai.call import Call
from ftproviders.testing.openai.multipart import Part
from ftproviders.testing.openai.refusal import (
    ApiError,
    invalid,
    missing,
    not_found,
    unknown_parameter,
)

__all__ = ["add_part", "cancel_upload", "complete_upload", "create_upload"]

_UPLOAD_LIFE_SECONDS = 3600


def create_upload(call: Call) -> dict[str, Any]:
    """Begin an upload in parts."""
    asked = parse(CreateUpload, call.body)
    lifetime = asked.expires_after.seconds if asked.expires_after else None
    call.service.admit_file(call, size_bytes=asked.bytes, lifetime_seconds=lifetime)
    upload: dict[str, Any] = {
        "id": call.new_id("upload_"),
        "created_at": call.now,
        "filename": asked.filename,
        "purpose": asked.purpose,
        "bytes": asked.bytes,
        "lifetime": lifetime,
        "status": "pending",
        "parts": [],
        "file": None,
    }
    call.state.put("upload", upload["id"], upload)
    return _upload_view(call, upload)


def add_part(call: Call) -> dict[str, Any]:
    """Take one part; parts may come in any order and be sent again."""
    upload = _pending_upload(call)
    if [part.name for part in call.parts] != ["data"]:
        names = [part.name for part in call.parts if part.name != "data"]
        raise unknown_parameter(names[0]) if names else missing("data")
    (part,) = call.parts
    if not 0 < part.size <= call.behaviour.part_limit_bytes:
        raise ApiError(
            f"A part holds 1 to {call.behaviour.part_limit_bytes} bytes; this has {part.size}.",
            status=413 if part.size else 400,
            param="data",
        )
    part_id = call.new_id("part_")
    with (call.blobs / part_id).open("wb") as blob:
        blob.writelines(part.blocks())
    upload["parts"].append({"id": part_id, "bytes": part.size})
    call.state.put("upload", upload["id"], upload)
    return {
        "id": part_id,
        "object": "upload.part",
        "created_at": int(call.now),
        "upload_id": upload["id"],
    }


def complete_upload(call: Call) -> dict[str, Any]:
    """Join the parts in the order that the request names, and make the file."""
    asked = parse(CompleteUpload, call.body)
    upload = _pending_upload(call)
    sizes = {part["id"]: part["bytes"] for part in upload["parts"]}
    for part_id in asked.part_ids:
        if part_id not in sizes:
            raise invalid(f"No such part in this upload: {part_id}", param="part_ids")
    total = sum(sizes[part_id] for part_id in asked.part_ids)
    if total != upload["bytes"]:
        raise invalid(
            f"The parts hold {total} bytes together, and {upload['bytes']} were announced.",
            param="part_ids",
        )
    parts = [
        Part("data", None, None, call.blobs / part_id, 0, sizes[part_id])
        for part_id in asked.part_ids
    ]
    if asked.md5 is not None and asked.md5.lower() != _md5(parts):
        raise invalid("The MD5 of the parts is another than that given.", param="md5")
    file = files.store(
        call, parts, upload["filename"], upload["purpose"], lifetime_seconds=upload["lifetime"]
    )
    _drop_parts(call, upload)
    upload = {**upload, "status": "completed", "file": file["id"]}
    call.state.put("upload", upload["id"], upload)
    return _upload_view(call, upload)


def cancel_upload(call: Call) -> dict[str, Any]:
    """Give up an upload."""
    upload = _pending_upload(call)
    _drop_parts(call, upload)
    upload = {**upload, "status": "cancelled"}
    call.state.put("upload", upload["id"], upload)
    return _upload_view(call, upload)


def _pending_upload(call: Call) -> dict[str, Any]:
    upload = call.state.get("upload", call.path["upload_id"])
    if upload is None:
        raise not_found("upload", call.path["upload_id"])
    if upload["status"] == "pending" and _upload_ends(upload) <= call.now:
        upload = {**upload, "status": "expired"}
    if upload["status"] != "pending":
        raise invalid(f"Upload '{upload['id']}' is {upload['status']}, no longer pending.")
    return upload


def _upload_ends(upload: Mapping[str, Any]) -> int:
    return int(upload["created_at"]) + _UPLOAD_LIFE_SECONDS


def _drop_parts(call: Call, upload: Mapping[str, Any]) -> None:
    for part in upload["parts"]:
        (call.blobs / part["id"]).unlink(missing_ok=True)


def _md5(parts: Sequence[Part]) -> str:
    # What the API asks for; nothing is protected by it.
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        for block in part.blocks():
            digest.update(block)
    return digest.hexdigest()


def _upload_view(call: Call, upload: Mapping[str, Any]) -> dict[str, Any]:
    file = call.state.get("file", upload["file"]) if upload["file"] else None
    return {
        "id": upload["id"],
        "object": "upload",
        "bytes": upload["bytes"],
        "created_at": int(upload["created_at"]),
        "expires_at": _upload_ends(upload),
        "filename": upload["filename"],
        "purpose": upload["purpose"],
        "status": upload["status"],
        "file": None if file is None else files.view(call, file),
    }
