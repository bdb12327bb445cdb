"""A tuned model as one GGUF file: written here for bases that have a template, else by a converter.

A GGUF file holds the tokenizer in a form of its own. For a base model that came as a GGUF file, or
has one beside it, that form is taken over from there. For others it takes llama.cpp's converter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftproviders.worker import process, smollm2
from ftproviders.worker.basemodel import ALIAS
from ftproviders.worker.failures import WorkError
from ftproviders.worker.merge import CARD, is_adapter, merge_adapter
from ftproviders.worker.rundir import read_json

__all__ = ["CONVERTER", "WEIGHTS", "export_gguf"]

WEIGHTS = ("bf16", "f16", "q8_0")
"""Number formats that a GGUF file can be written in."""
CONVERTER = "convert_hf_to_gguf.py"
"""llama.cpp's program, which is in no Python package."""
_CONVERTER_TIMEOUT_SECONDS = 3600
_SHOWN_LINES = 5


def export_gguf(
    model: Path, draft: Path, *, weights: str | None, cache: Path, converter: str | None
) -> dict[str, Any]:
    """Write one GGUF file, load it back and compare it with the tuned model.

    Args:
        model: Folder of the adapter, or of the whole model.
        draft: Folder to write in.
        weights: One of `WEIGHTS`; None = bf16 for a model tuned in bf16, else f16.
        cache: Our cache folder.
        converter: Path of llama.cpp's converter; None = the one on PATH, if any.

    Returns:
        How it was checked.

    Raises:
        WorkError: It cannot be written (and what is missing), or answers otherwise.
    """
    if weights is not None and weights not in WEIGHTS:
        raise WorkError(
            f"A GGUF file is not written in {weights!r} here. Choose {', '.join(WEIGHTS)}.",
            code="weights",
            param="weights",
        )
    work = draft / ".work"
    work.mkdir()
    try:
        write = _writer(model, work, converter=converter)
        return _written(write, model, draft, work, weights=weights, cache=cache)
    finally:
        shutil.rmtree(work)


Writer = Callable[[Path, Path, str], None]
"""Writes a merged folder to a file in a number format."""


def _written(
    write: Writer, model: Path, draft: Path, work: Path, *, weights: str | None, cache: Path
) -> dict[str, Any]:
    from ftproviders.worker.export_check import Reference, verify

    reference = Reference.of(model, cache)
    chosen = weights or ("bf16" if reference.dtype == "bf16" else "f16")
    merged = merge_adapter(model, work / "merged", cache=cache, report=_tell)
    name = f"model-{chosen}.gguf"
    write(merged, draft / name, chosen)
    return {"weights": chosen, **verify(reference, draft, weights=chosen, gguf_file=name)}


def _writer(model: Path, work: Path, *, converter: str | None) -> Writer:
    """Return what can write this model, before anything expensive is done."""
    base = _base_of(model)
    template = _template(base, work)
    if template is not None:

        def ours(merged: Path, target: Path, weights: str) -> None:
            from ftproviders.worker.gguf_file import write_gguf

            write_gguf(merged, target, template=template, weights=weights)

        return ours
    program = converter or shutil.which(CONVERTER)
    if program is None:
        raise WorkError(
            f"A GGUF file of {base or 'this model'} needs llama.cpp's {CONVERTER}, which is not on "
            "PATH. Get llama.cpp's sources and set FTPROVIDERS_LOCAL_GGUF_CONVERTER to that file, "
            "or put a GGUF file of the same base model into its folder; or export as merged.",
            code="no_converter",
            param="format",
        )
    if not Path(program).is_file():
        raise WorkError(
            f"The converter {program} is no file. Correct FTPROVIDERS_LOCAL_GGUF_CONVERTER.",
            code="no_converter",
            param="gguf_converter",
        )
    return lambda merged, target, weights: _convert(Path(program), merged, target, weights)


def _base_of(model: Path) -> str:
    if not is_adapter(model):
        return str(read_json(model / CARD).get("base_model") or "")
    named = read_json(model / "adapter_config.json").get("base_model_name_or_path", "")
    return str(read_json(model / CARD).get("base_model") or named)


def _template(base: str, work: Path) -> Path | None:
    """Return a GGUF file of the base model, or None.

    Raises:
        WorkError: There is more than one, and no telling which.
    """
    if base == ALIAS:
        return smollm2.source_gguf(work, _tell)
    folder = Path(base)
    found = sorted(folder.glob("*.gguf")) if base and folder.is_dir() else []
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise WorkError(
            f"{folder} holds several GGUF files ({names}), and one is taken as the template. "
            "Leave one of them there.",
            code="gguf_template",
        )
    return found[0] if found else None


def _convert(program: Path, merged: Path, target: Path, weights: str) -> None:
    """Let llama.cpp's converter write the file.

    Raises:
        WorkError: It failed; its last words are quoted.
    """
    # Killed, this process cannot end it any more.
    command = [*process.python_command("ftproviders.worker.tied"), str(os.getpid())]
    command += [sys.executable, str(program), str(merged)]
    command += ["--outfile", str(target), "--outtype", weights]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CONVERTER_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkError(
            f"{program.name} has not ended after {_CONVERTER_TIMEOUT_SECONDS} seconds.",
            code="converter_failed",
        ) from error
    if done.returncode != 0 or not target.is_file():
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise WorkError(
            f"{program.name} ended with code {done.returncode}. It said: "
            f"{' / '.join(said[-_SHOWN_LINES:]) or 'nothing'}",
            code="converter_failed",
        )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - standard error is the log
