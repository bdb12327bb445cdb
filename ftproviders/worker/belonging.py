"""What a checkpoint belongs to, and whether a training may go on with it. Standard library only.

Going on with other settings, rows or weights would give a model that nobody asked for; going on
with other versions or another processor gives the right one, but perhaps not the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ftproviders.worker.checkpoints import digest
from ftproviders.worker.failures import WorkError
from ftproviders.worker.hardware import describe

__all__ = ["belonging", "check_belonging", "differences", "model_digests"]

_LARGE_BYTES = 20 * 1024**3

_MODEL_FILES = (".json", ".safetensors", ".jinja", ".model", ".txt")


def belonging(job: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return what a checkpoint of this job belongs to.

    Args:
        job: ``job.json``.
        base: Folder of the base model; its files are read, which takes a second for a gigabyte.
    """
    return {
        "settings": _stated(job),
        "base_model_files": {
            path.name: {**_looks(path), "sha256": digest(path)} for path in _model_files(base)
        },
        "surroundings": _surroundings(job),
    }


def model_digests(base: Path) -> dict[str, dict[str, Any]]:
    """Return size and digest of each file of a model.

    Args:
        base: The model's folder. Reading it takes about a second for a gigabyte; weights of more
            than `_LARGE_BYTES` together are told by their sizes.
    """
    paths = _model_files(base)
    sizes = {path: path.stat().st_size for path in paths}
    large = sum(sizes.values()) > _LARGE_BYTES
    return {
        path.name: {"bytes": size} | ({} if large else {"sha256": digest(path)})
        for path, size in sizes.items()
    }


def check_belonging(kept: Mapping[str, Any], job: Mapping[str, Any], base: Path) -> None:
    """Make sure that a training may go on.

    Args:
        kept: What `belonging` returned when the checkpoint was written.
        job: ``job.json`` as it is now.
        base: Folder of the base model.

    Raises:
        WorkError: Settings, rows or weights are others now.
    """
    now = _stated(job)
    changed = sorted(n for n in {*kept["settings"], *now} if kept["settings"].get(n) != now.get(n))
    if changed:
        raise WorkError(
            f"The checkpoint was made with another {', '.join(changed)} than job.json has now. Put "
            "job.json back as it was, or submit again with --again.",
            code="settings_changed",
            param=changed[0],
        )
    different = next(_different_files(kept["base_model_files"], base), None)
    if different is not None:
        raise WorkError(
            f"The base model in {base} is not the one that the training began with: {different}. "
            "Put it back, or submit again with --again to begin with the new one.",
            code="base_model_changed",
            param="base_model",
        )


def differences(kept: Mapping[str, Any], job: Mapping[str, Any]) -> list[str]:
    """Return what is different around the training now, one short sentence part each."""
    before, now = kept["surroundings"], _surroundings(job)
    return [
        f"{name} was {before.get(name)} and is {now.get(name)}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _stated(job: Mapping[str, Any]) -> dict[str, Any]:
    rows = {f"{f['purpose']}_file": f["sha256"] for f in job.get("files", [])}
    asked = {name: job.get(name) for name in ("base_model", "method", "chat_template")}
    # How many checkpoints are kept has no influence on the model, and disks fill up.
    settings = {name: value for name, value in job["settings"].items() if name != "checkpoints"}
    return {**settings, **rows, **asked}


def _surroundings(job: Mapping[str, Any]) -> dict[str, Any]:
    hardware = job.get("hardware") or describe()
    return {
        **{name: _installed(name) for name in job.get("versions", {})},
        **{f"hardware.{name}": value for name, value in hardware.items()},
        "dtype": job.get("dtype"),
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _model_files(base: Path) -> list[Path]:
    return sorted(path for path in base.iterdir() if path.suffix in _MODEL_FILES)


def _looks(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def _different_files(kept: Mapping[str, Any], base: Path) -> Iterator[str]:
    here = {path.name: path for path in _model_files(base)}
    for name in sorted({*kept, *here}):
        if name not in here:
            yield f"{name} is missing"
        elif name not in kept:
            yield f"{name} is new"
        elif _changed(kept[name], here[name]):
            yield f"{name} was changed"


def _changed(kept: Mapping[str, Any], path: Path) -> bool:
    looks = _looks(path)
    if looks["bytes"] != kept["bytes"]:
        return True
    return bool(looks["mtime_ns"] != kept["mtime_ns"] and digest(path) != kept["sha256"])
