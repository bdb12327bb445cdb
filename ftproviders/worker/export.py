"""Program: write a tuned model to files and check them against it.

Started as ``python -m ftproviders.worker.export JSON``, where JSON is ``{"model", "draft",
"format", "weights", "cache", "converter", "client"}``; client is the number of the process that
asks, which this one does not outlive. One line comes out: ``{"base_model", "verification"}``
or ``{"error", "code"}``. The draft is a new folder; whoever started this renames or removes it.

Torch and its family are imported only for the formats that need them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TextIO

from ftproviders.worker import process
from ftproviders.worker.failures import WorkError, explain
from ftproviders.worker.merge import (
    CARD,
    MERGED_CARD,
    convert_weights,
    is_adapter,
    merge_adapter,
)
from ftproviders.worker.modelcard import base_of, name_base, write_readme
from ftproviders.worker.rundir import now, read_json, write_json

__all__ = ["export", "main"]

_FILES = (".safetensors", ".json", ".jinja", ".model", ".txt", ".md")
"""What a model needs to be loaded. Optimizer states and other pickle files stay behind."""
_NOT_THE_MODEL = frozenset({"trainer_state.json", MERGED_CARD})


def main() -> int:
    """Do one export; returns the exit code."""
    order = json.loads(sys.argv[1])
    process.die_with_parent(order["client"])
    answers = _own_output()
    signal.signal(signal.SIGTERM, _leave)
    try:
        found = export(order)
    # Whatever keeps the model from being written is told to the one who asked.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        failure = explain(error, {})
        _say(answers, {"error": failure.message, "code": failure.code})
        return 1
    _say(answers, found)
    return 0


def export(order: Mapping[str, Any]) -> dict[str, Any]:
    """Write what is ordered to the draft, check it, and put the card beside it.

    Args:
        order: See the module.

    Returns:
        ``base_model`` and ``verification``.

    Raises:
        WorkError: It cannot be had, or answers otherwise (code ``export_differs``).
    """
    model, draft, form = Path(order["model"]), Path(order["draft"]), order["format"]
    if not (is_adapter(model) or (model / "config.json").is_file()):
        raise WorkError(
            f"{model} holds neither an adapter (adapter_config.json) nor a model (config.json). "
            "Give the folder that training left.",
            code="no_model",
        )
    if form == "adapter":
        verification = _copy_adapter(model, draft)
    elif form == "merged":
        verification = _merged(model, draft, Path(order["cache"]), weights=order["weights"])
    else:
        from ftproviders.worker.gguf_export import export_gguf

        verification = export_gguf(
            model,
            draft,
            weights=order["weights"],
            cache=Path(order["cache"]),
            converter=order["converter"],
        )
    if form != "gguf":
        write_readme(draft, model=model, form=form)
    card = read_json(model / CARD)
    about = {"format": form, "exported_at": now(), "verification": verification}
    write_json(draft / CARD, {**card, "export": about})
    _as_other_files(draft)
    return {"base_model": card.get("base_model"), "verification": verification}


def _as_other_files(draft: Path) -> None:
    """Give the files the permissions that new files of the user's have: an export is to be used."""
    mask = os.umask(0o077)
    os.umask(mask)
    for file in draft.iterdir():
        file.chmod(0o666 & ~mask)


def _copy_adapter(model: Path, draft: Path) -> dict[str, Any]:
    if not is_adapter(model):
        raise WorkError(
            "All weights of this model were trained, so there is no adapter to write. Export it "
            "as merged, which is the whole model.",
            code="no_adapter",
            param="format",
        )
    found = _copy(model, draft)
    config = read_json(model / "adapter_config.json")
    named = read_json(model / CARD).get("base_model") or config.get("base_model_name_or_path")
    name_base(draft, base_of(str(named or "")))
    return found


def _copy(source: Path, draft: Path) -> dict[str, Any]:
    """Copy a model's files and compare the copies byte by byte, by digest."""
    digests = {}
    for file in sorted(source.iterdir()):
        known = file.suffix in _FILES and file.name not in _NOT_THE_MODEL
        if not (file.is_file() and known):
            continue
        shutil.copyfile(file, draft / file.name)
        digests[file.name] = _digest(draft / file.name)
        if digests[file.name] != _digest(file):
            raise WorkError(
                f"The copy of {file.name} differs from the file itself: it changed while it was "
                "read, or the disk is not sound. Export once more.",
                code="export_differs",
            )
    weights = {name: digest for name, digest in digests.items() if name.endswith(".safetensors")}
    return {"method": "equal bytes", "equal": True, "sha256": weights}


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _merged(model: Path, draft: Path, cache: Path, *, weights: str | None) -> dict[str, Any]:
    if not is_adapter(model) and weights is None:
        return _copy(model, draft)
    from ftproviders.worker.export_check import Reference, verify

    reference = Reference.of(model, cache)
    chosen = weights or reference.dtype
    if not is_adapter(model):
        if chosen == reference.dtype:
            return {"weights": chosen, **_copy(model, draft)}
        convert_weights(model, draft, weights=chosen)
        return {"weights": chosen, **verify(reference, draft, weights=chosen)}
    # In a folder of its own: merging has a lock file beside what it makes.
    inside = draft / ".merging" / "model"
    merge_adapter(model, inside, cache=cache, report=_tell, weights=weights)
    for file in inside.iterdir():
        if file.name != MERGED_CARD:  # it holds paths of this machine
            file.rename(draft / file.name)
    shutil.rmtree(draft / ".merging")
    return {"weights": chosen, **verify(reference, draft, weights=chosen)}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - standard error is the log


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(143)


def _own_output() -> TextIO:
    """Keep standard output for the answer; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _say(answers: TextIO, content: Mapping[str, Any]) -> None:
    answers.write(json.dumps(content, ensure_ascii=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
