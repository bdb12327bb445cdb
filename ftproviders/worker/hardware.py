"""What this machine can compute with, found without torch. Standard library only."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

__all__ = ["cpu_has_bf16", "describe", "has_nvidia_device"]

_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Processor flags that mean bf16 matrix instructions: x86 AVX-512 and AMX, Arm."""


@functools.cache
def _flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return frozenset(value.split())
    return frozenset()


def cpu_has_bf16() -> bool:
    """Say whether the processor multiplies bf16 matrices itself; False where that is not known."""
    return bool(_flags() & _BF16_FLAGS)


def has_nvidia_device() -> bool:
    """Say whether an NVIDIA device is visible to this machine."""
    return Path("/dev/nvidia0").exists()


def describe() -> dict[str, object]:
    """Return facts about the machine for ``job.json``."""
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "cpu_bf16": cpu_has_bf16(),
    }
