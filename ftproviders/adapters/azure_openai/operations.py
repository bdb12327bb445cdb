"""Where the long-running operation of a deployment can be read: it alone says why it failed.

Its address comes with the answer to the request that makes the deployment and nowhere else, so it
is kept in a small file, for whoever looks from another process.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from ftproviders.schema.deployment import DeploymentRef

__all__ = ["OperationNotes"]


class OperationNotes:
    """Addresses of operations by deployment; losing one loses a reason, nothing else.

    Args:
        folder: Where they are kept; made on first use.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, ref: DeploymentRef, url: str | None) -> None:
        """Keep the address of a deployment's operation."""
        with contextlib.suppress(OSError):
            if url is None:
                self._file(ref).unlink(missing_ok=True)
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file(ref).write_text(url, encoding="utf-8")

    def kept(self, ref: DeploymentRef) -> str | None:
        """Return the address, where it was kept."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return self._file(ref).read_text(encoding="utf-8").strip() or None
        return None

    def forget(self, ref: DeploymentRef) -> None:
        """Forget a deployment that is gone."""
        self.keep(ref, None)

    def _file(self, ref: DeploymentRef) -> Path:
        name = hashlib.sha256(f"{ref.account}/{ref.id}".encode()).hexdigest()[:32]
        return self._folder / name
