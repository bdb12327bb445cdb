"""Writing a folder of the user's so that it is there whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ftproviders.errors import ConfigurationError

__all__ = ["refuse_taken", "whole_folder"]


def refuse_taken(target: Path, *, provider: str | None = None) -> None:
    """Refuse a folder that has something in it, or a file of that name.

    Raises:
        ConfigurationError: It is so.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    what = "is not empty" if target.is_dir() else "is a file"
    raise ConfigurationError(
        f"{target} {what}, so nothing is written there.",
        provider=provider,
        operation="export",
        hint="Name a folder that does not exist yet, or an empty one.",
    )


@contextlib.contextmanager
def whole_folder(target: Path, *, provider: str) -> Iterator[Path]:
    """Give a draft beside `target` to write in; it becomes `target` when the block ends well.

    Whatever is raised in the block removes the draft.

    Args:
        target: The folder: absent or empty.
        provider: For errors.

    Raises:
        ConfigurationError: `target` has something in it.
    """
    refuse_taken(target, provider=provider)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.new-{secrets.token_hex(4)}")
    try:
        draft.mkdir()
        yield draft
        # Asked again: somebody may have written there in the meantime.
        refuse_taken(target, provider=provider)
        if target.exists():
            target.rmdir()
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
