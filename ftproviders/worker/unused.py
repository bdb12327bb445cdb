"""Installed packages that a training does not use stay unloaded: a worker starts sooner.

transformers, peft and accelerate import what they find installed, wanted or not. Measured on two
cores: bitsandbytes, which brings torch's compiler with it, datasets with pandas, and deepspeed
were 1.6 of the 5.3 seconds of imports of a LoRA training that needs none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["hide_unused", "unused"]


def unused(job: Mapping[str, Any]) -> frozenset[str]:
    """Return the packages that a training does without.

    Args:
        job: The content of ``job.json``.
    """
    settings = job["settings"]
    packages = set()
    if settings.get("tuning") != "qlora":
        packages.add("bitsandbytes")
    if not str(settings.get("parallel", "none")).startswith("zero"):
        packages.add("deepspeed")
    if job.get("method") != "dpo":  # TRL keeps its rows in a datasets.Dataset
        packages.add("datasets")
    return frozenset(packages)


def hide_unused(job: Mapping[str, Any]) -> None:
    """Let `unused` packages look as if they were not installed, in this process.

    An entry None in ``sys.modules`` is Python's own way to say so: importing such a module raises
    `ModuleNotFoundError`, and ``importlib.util.find_spec`` finds nothing. Call this before
    anything imports transformers; a package that is loaded already stays.
    """
    for package in unused(job):
        sys.modules.setdefault(package, None)  # type: ignore[arg-type] # None is documented
