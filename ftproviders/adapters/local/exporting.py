"""Exports of local models: a worker writes and checks them, the folder is put in place here."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ftproviders.adapters.local.options import LocalSettings
from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    NotFoundError,
    UnexpectedResponseError,
)
from ftproviders.provider.folders import whole_folder
from ftproviders.provider.number_formats import refuse_weights
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.job import TunedModel
from ftproviders.worker import process

__all__ = ["export_model"]

_LEAVE_SECONDS = 10.0
_SHOWN_LINES = 3
_DIFFERS = frozenset({"export_differs"})
"""Codes of the worker that mean: something was written, and it answers otherwise."""


def export_model(
    settings: LocalSettings,
    model: TunedModel,
    *,
    folder: Path,
    form: ExportFormat,
    weights: str | None,
) -> ExportedModel:
    """Write a model of this machine.

    Raises:
        NotFoundError: There is no such folder.
        ConfigurationError: The form cannot be had of it, and what is missing.
        UnexpectedResponseError: What was written answers otherwise; nothing was kept.
    """
    refuse_weights(form, weights, provider="local")
    source = Path(model.name)
    if not source.is_dir():
        raise NotFoundError(
            f"The model {model.name} is not on this machine any more.",
            provider="local",
            operation="export",
            hint="`ftproviders models --provider local` lists the models here.",
        )
    with whole_folder(folder, provider="local") as draft:
        order = {
            "model": str(source.resolve()),
            "draft": str(draft.resolve()),
            "format": form.value,
            "weights": weights,
            "cache": str(settings.cache.resolve()),
            "converter": settings.gguf_converter,
            "client": os.getpid(),
        }
        told = _run(order, settings, folder=folder)
        return ExportedModel(
            provider="local",
            format=form,
            folder=folder,
            base_model=told["base_model"],
            files={path.name: path.stat().st_size for path in draft.iterdir()},
            verification=told["verification"],
        )


def _run(order: Mapping[str, Any], settings: LocalSettings, *, folder: Path) -> dict[str, Any]:
    command = [*process.python_command("ftproviders.worker.export"), json.dumps(order)]
    with tempfile.TemporaryFile() as log:
        worker = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=process.environment(threads=settings.threads),
        )
        try:
            said, _ = worker.communicate()
        finally:
            _end(worker)
        return _answer(said, log, folder)


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Let no worker write on when we are interrupted."""
    if worker.poll() is not None:
        return
    worker.terminate()
    try:
        worker.wait(timeout=_LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _answer(said: bytes, log: IO[bytes], folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(said)
    except ValueError:
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
        raise UnexpectedResponseError(
            "The process that writes the model ended without an answer. It said: "
            f"{' / '.join(lines) or 'nothing'}",
            provider="local",
            operation="export",
            hint="A model that is too large for the memory is killed by the system; free some, or "
            "export on a larger machine.",
        ) from None
    if "error" in told:
        raise _failed(told, folder)
    return told


def _failed(told: Mapping[str, Any], folder: Path) -> FineTuneError:
    if told["code"] in _DIFFERS:
        return UnexpectedResponseError(
            told["error"],
            provider="local",
            operation="export",
            hint="Nothing was kept. The tuned model itself is as it was.",
            code=told["code"],
        )
    if told["code"] == "disk_full":
        # The worker's own words speak of the folders of a training.
        return _refused(
            f"The disk is full: the model could not be written to {folder}. Nothing was kept.",
            "Make room there, or name a folder on another disk. What is made on the way lies in "
            "the cache folder, FTPROVIDERS_CACHE.",
        )
    return _refused(told["error"], "Nothing was written. The other formats may be possible.")


def _refused(message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(message, provider="local", operation="export", hint=hint)
