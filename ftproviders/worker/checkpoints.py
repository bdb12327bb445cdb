"""Checkpoints on the disk: written beside, renamed, then pointed at. Standard library only.

::

    checkpoints/
      latest.json          the checkpoint to go on from; replaced last, as a whole
      step-00000025/       a model that can be deployed
        state/             what going on needs besides; only the two newest have it
          manifest.json    what it belongs to, the digest of every file, and its own

A folder called ``step-*`` is whole, also when the machine loses power: its files and itself were on
the disk before it got this name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftproviders.worker.failures import NO_ROOM
from ftproviders.worker.rundir import private_folder, read_json, write_json

__all__ = ["STATE", "Checkpoints", "Kept", "digest", "lack_of_room", "sealed", "sync_tree"]

STATE = "state"
"""Folder in a checkpoint with what only going on needs."""
_MANIFEST = "manifest.json"
_SEAL = "sha256"
"""Entry of the manifest with the digest of all others."""
_STATES = 2
"""How many checkpoints keep their state: the newest, and one more in case that is damaged."""


@dataclass(frozen=True)
class Kept:
    """A checkpoint that a training can go on from."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def state(self) -> Path:
        """Folder of optimizer, schedule and random number generators."""
        return self.folder / STATE

    @property
    def step(self) -> int:
        """Optimizer steps that were done."""
        return int(self.manifest["step"])


class Checkpoints:
    """The checkpoints of one run; the holder of the run's lock writes them.

    Args:
        folder: Their folder; it need not exist yet.
        keep: How many of the newest are kept, at least 1 while the training goes on.
    """

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.folder = folder
        self.keep = max(keep, 1)

    def draft(self, step: int) -> Path:
        """Make an empty folder to write the checkpoint of `step` in, its `STATE` included."""
        private_folder(self.folder)
        path = self.folder / f".new-{_name(step)}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        (path / STATE).mkdir(mode=0o700)
        return path

    def commit(self, draft: Path, *, step: int, facts: Mapping[str, Any]) -> None:
        """Make a draft the checkpoint to go on from.

        Args:
            draft: What `draft` returned, filled.
            step: Optimizer steps that were done.
            facts: What the checkpoint belongs to; part of the manifest.
        """
        manifest = {**facts, "step": step, "files": _digests(draft)}
        write_json(draft / STATE / _MANIFEST, sealed(manifest))
        sync_tree(draft)
        target = self.folder / _name(step)
        if target.exists():
            self._remove(target)  # of a worker that died before it moved the pointer
        draft.rename(target)
        _sync(self.folder)
        write_json(self.folder / "latest.json", {"name": target.name, "step": step})
        _sync(self.folder)
        self._prune(step)

    def discard(self, draft: Path) -> None:
        """Give up a draft, so that its room is free again."""
        shutil.rmtree(draft, ignore_errors=True)

    def newest(self, report: Callable[[str], None]) -> Kept | None:
        """Return the newest checkpoint that is whole.

        Args:
            report: Gets a line for each that is not.
        """
        named = str(read_json(self.folder / "latest.json").get("name"))
        steps = sorted(self.folder.glob("step-*"), reverse=True)
        for folder in sorted(steps, key=lambda path: path.name != named):
            manifest = read_json(folder / STATE / _MANIFEST)
            problem = _problem(folder, manifest)
            if problem is None:
                return Kept(folder, manifest)
            # Older ones have given up their state; that is no damage.
            if (folder / STATE).is_dir() or folder.name == named:
                report(f"Checkpoint {folder.name} is damaged and is not used: {problem}.")
        return None

    def finish(self, *, keep: int) -> None:
        """Keep models only: the training has succeeded, and nobody will go on with it.

        Args:
            keep: How many checkpoints the user asked for.
        """
        (self.folder / "latest.json").unlink(missing_ok=True)
        if keep == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        for folder in self.folder.glob(f"step-*/{STATE}"):
            self._remove(folder)

    def _prune(self, step: int) -> None:
        # Later steps are of a worker that died; they are made again.
        done = [path for path in sorted(self.folder.glob("step-*")) if path.name <= _name(step)]
        for folder in done[: -self.keep]:
            self._remove(folder)
        for folder in done[:-_STATES]:
            if (folder / STATE).is_dir():
                self._remove(folder / STATE)

    def _remove(self, path: Path) -> None:
        """Remove a folder that others must never see in part."""
        old = self.folder / f".old-{secrets.token_hex(4)}"
        path.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def lack_of_room(folder: Path, *, size_bytes: int) -> OSError | None:
    """Ask the disk whether it takes `size_bytes` more; return its answer when it does not.

    Libraries that write in other languages say only that a write failed. A leaner answer than the
    free space: quotas and limits count too.

    Args:
        folder: Where it would be written.
        size_bytes: How much.
    """
    probe = folder / f".new-{secrets.token_hex(4)}"
    try:
        with probe.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(size_bytes, 1))
    except OSError as error:
        if error.errno in NO_ROOM:
            return OSError(error.errno, error.strerror, str(folder))
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return None


def sync_tree(folder: Path, *, deep: bool = True) -> None:
    """Wait until a folder is on the disk.

    Args:
        folder: The folder.
        deep: With everything in it; otherwise only which names are in it.
    """
    for path in sorted(folder.rglob("*"), reverse=True) if deep else ():
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _digests(folder: Path) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": digest(path)}
        for path in files
    }


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with its own digest, so that no change in it goes unnoticed."""
    content = {name: value for name, value in manifest.items() if name != _SEAL}
    # As it will be read: JSON knows no tuples, and no keys but strings.
    content = json.loads(json.dumps(content))
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**content, _SEAL: hashlib.sha256(canonical.encode()).hexdigest()}


def _problem(folder: Path, manifest: Mapping[str, Any]) -> str | None:
    if not (folder / STATE).is_dir():
        return "it has no state"
    if manifest.get(_SEAL) is None or sealed(manifest) != manifest:
        return f"{STATE}/{_MANIFEST} is not what was written"
    for name, facts in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        try:
            same = path.stat().st_size == facts["bytes"] and digest(path) == facts["sha256"]
        except OSError as error:
            if error.errno != errno.EIO:
                raise  # not the checkpoint's fault
            return f"{name} cannot be read ({error.strerror})"
        if not same:
            return f"{name} is not what was written"
    return None
