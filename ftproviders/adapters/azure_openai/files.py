"""Rules for files that this service alone has."""

from __future__ import annotations

import codecs
import hashlib
import shutil
from pathlib import Path

from ftproviders.adapters.azure_openai.traps import trap
from ftproviders.adapters.azure_openai.wire import project_name
from ftproviders.errors import ConfigurationError
from ftproviders.schema.dataset import PreparedFile

__all__ = ["prepared_with_mark", "refuse_parts"]


def prepared_with_mark(file: PreparedFile, *, folder: Path) -> PreparedFile:
    """Return a file that begins with a byte order mark: the same one, or a copy in `folder`."""
    mark = codecs.BOM_UTF8
    with file.path.open("rb") as source:
        if source.read(len(mark)) == mark:
            return file
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{file.sha256[:16]}.marked.jsonl"
        source.seek(0)
        with target.open("wb") as copy:
            copy.write(mark)
            shutil.copyfileobj(source, copy)
    with target.open("rb") as made:
        digest = hashlib.file_digest(made, "sha256").hexdigest()
    name = file.name.replace(f".{file.sha256[:16]}.", f".{digest[:16]}.")
    return file.model_copy(
        update={"path": target, "name": name, "sha256": digest, "bytes": file.bytes + len(mark)}
    )


def refuse_parts(file: PreparedFile, *, endpoint: str, plain_bytes: int) -> None:
    """Refuse a file that would go up in parts where the address takes none.

    Raises:
        ConfigurationError: Before anything is sent.
    """
    if file.bytes <= plain_bytes or project_name(endpoint) is None:
        return
    row = trap("uploads_on_project")
    raise ConfigurationError(
        f"{file.name} has {file.bytes:,} bytes and must go up in parts. {row.cause}",
        provider="azure-openai",
        operation="upload",
        hint=row.fix,
    )
