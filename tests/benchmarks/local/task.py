"""What one run of one peer has to do, as a JSON file. No torch."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["SEED", "Task"]

SEED = 42


@dataclass(frozen=True, kw_only=True)
class Task:
    """A training."""

    peer: str
    """Module in this folder."""
    model: str
    """Folder of the base model."""
    template: str
    """File with the chat template; it marks the assistant's words."""
    rows: str
    """Chat JSONL; with `steps`, in the order in which rows are to be visited."""
    tokens: int
    """Tokens without padding that the whole training sees."""
    steps: int | None
    """Optimizer steps over `rows` from top to bottom; None = `epochs`, in the peer's own order."""
    epochs: int
    """Passes over `rows`, where `steps` is None."""
    batch_size: int = 8
    learning_rate: float = 1e-3
    lora_r: int = 8
    lora_alpha: int = 16
    dtype: str = "bf16"
    """Of the base model and of the adapter."""
    output: str
    """Folder for everything that the run writes."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Settings that only this peer has."""
    profile: bool = False
    """Look at four steps with the profiler; times are then worthless."""

    @classmethod
    def from_argument(cls) -> Task:
        """Read the task that the command line names."""
        return cls(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))

    def write(self) -> Path:
        """Write the task into its output folder."""
        folder = Path(self.output)
        folder.mkdir(parents=True)
        file = folder / "task.json"
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return file

    @property
    def adapter(self) -> Path:
        """Where peers save the adapter."""
        return Path(self.output) / "adapter"

    @property
    def chat_template(self) -> str:
        """Text of the template."""
        return Path(self.template).read_text(encoding="utf-8")
