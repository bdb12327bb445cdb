"""Program: find or make the folder that a deployment serves, and the probe it must pass.

    python -m ftproviders.worker.prepare FOLDER PARENT

FOLDER is the deployment's, PARENT the supervisor's process number. Leaves ``model.json``, or
``failure.json``. A process of its own, so that the memory of a merge is given back.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from pathlib import Path
from typing import Any

from ftproviders.worker import process
from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.engine import choose_engine, lora_rank
from ftproviders.worker.failures import explain
from ftproviders.worker.merge import CARD, is_merged, merge_adapter
from ftproviders.worker.probe import PROBE_FILE, make_probe
from ftproviders.worker.rundir import read_json

__all__ = ["main", "merged_folder"]


def main() -> int:
    """Prepare one deployment; returns the exit code."""
    directory = DeploymentDirectory(Path(sys.argv[1]))
    process.die_with_parent(int(sys.argv[2]))
    try:
        directory.write("model", _prepare(directory))
    # Whatever happened is told; the supervisor makes it the deployment's failure.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        directory.fail(explain(error, {}))
        return 1
    return 0


def merged_folder(cache: Path, adapter: Path) -> Path:
    """Return where the merged model of an adapter is kept for servers."""
    name = hashlib.sha256(str(adapter.resolve()).encode()).hexdigest()[:24]
    return cache / "merged" / name


def _prepare(directory: DeploymentDirectory) -> dict[str, Any]:
    order = directory.read("deployment")
    cache, kind = Path(order["cache"]), order["kind"]
    if kind == "base":
        from ftproviders.worker.loading import base_folder

        folder = base_folder(order["place"], cache, _report)
        source = folder
    else:
        source = Path(order["place"])
        folder = source
    card = read_json(source / CARD)
    engine = choose_engine()
    facts = {"engine": engine, "attention": card.get("attention", "sdpa")}
    if kind == "adapter":
        rank = lora_rank(source) if engine == "vllm" else None
        if rank is not None:
            from ftproviders.worker.loading import base_folder

            config = read_json(source / "adapter_config.json")
            name = card.get("base_model") or config.get("base_model_name_or_path", "")
            base = base_folder(str(name), cache, _report)
            return facts | _described(source, base) | {"adapter": str(source), "rank": rank}
        if not is_merged(source, merged_folder(cache, source)):
            directory.write("step", {"word": "merging"})
        folder = merge_adapter(source, merged_folder(cache, source), cache=cache, report=_report)
    return facts | _described(source, folder)


def _described(source: Path, folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "tokenizer": str(source), "probe": _probe(source, folder)}


def _probe(source: Path, merged: Path) -> dict[str, Any]:
    """Return the probe as training or the merge left it, or as the source's tokenizer makes it."""
    kept = read_json(source / PROBE_FILE) or read_json(merged / PROBE_FILE)
    if kept and not kept.get("dated"):
        return kept
    from ftproviders.worker.loading import load_tokenizer

    return make_probe(load_tokenizer(source))


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
