"""How attention is computed where the job leaves it open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import Any, Protocol

__all__ = ["choose_attention", "stated_attention"]

_SHORT_ROW_TOKENS = 128
"""Up to here eager attention was faster on a CPU (9 to 17 % less processor time a step, SmolLM2,
rows of 58 tokens in the mean), and its table of weights is small: 8 rows of 128 tokens and 9 heads
are 2.4 MB a layer in bf16. It grows with the square of the length."""


class _Row(Protocol):
    @property
    def input_ids(self) -> Sized: ...


def stated_attention(settings: Mapping[str, Any]) -> str:
    """Return the implementation that a job names; ``sdpa`` where it says ``auto``.

    Args:
        settings: The job's resolved settings.
    """
    wanted = str(settings["attn_implementation"])
    return "sdpa" if wanted == "auto" else wanted


def choose_attention(model: Any, settings: Mapping[str, Any], rows: Iterable[_Row]) -> str:
    """Settle ``auto`` for a training, and return what it trains with.

    The same settings and rows give the same choice, so a resumed training goes on with it.

    Args:
        model: The base model, which is changed.
        settings: The job's resolved settings.
        rows: All rows that the model will see.
    """
    wanted = stated_attention(settings)
    if settings["attn_implementation"] != "auto" or settings["packing"]:
        return wanted
    on_cpu = next(model.parameters()).device.type == "cpu"
    if on_cpu and all(len(row.input_ids) <= _SHORT_ROW_TOKENS for row in rows):
        wanted = "eager"
        model.set_attn_implementation(wanted)
    return wanted
