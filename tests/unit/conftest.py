"""The unit layer needs neither torch nor an SDK: here they cannot be found, installed or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

import pytest
from typing_extensions import override

HIDDEN = frozenset(
    {"accelerate", "azure", "gguf", "huggingface_hub", "openai", "peft", "safetensors", "torch",
     "transformers", "trl"}
)  # fmt: skip


class WithoutSdks(PathFinder):
    """Finds everything that is installed, but for the modules that this layer does without."""

    @classmethod
    @override
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in HIDDEN:
            return None
        return PathFinder.find_spec(fullname, path, target)


@pytest.fixture(autouse=True, scope="module")
def without_sdks() -> Iterator[None]:
    """Put the finder above in the place of the usual one while this layer runs."""
    present = {name: sys.modules.pop(name) for name in list(sys.modules) if in_hidden(name)}
    place = sys.meta_path.index(PathFinder)
    sys.meta_path[place] = WithoutSdks
    yield
    sys.meta_path[place] = PathFinder
    sys.modules.update(present)


def in_hidden(name: str) -> bool:
    """Say whether a module belongs to a hidden package."""
    return name.partition(".")[0] in HIDDEN
