"""The base models that the emulated resource can tune. Written apart from the adapter's table."""

from __future__ import annotations

from dataclasses import dataclass

from ftproviders.testing.openai.models import BaseModel

__all__ = ["AZURE_MODELS", "AzureModel", "find_model"]


@dataclass(frozen=True)
class AzureModel(BaseModel):
    """A base model of Azure's, with the training types that it has; in small letters."""

    training_types: tuple[str, ...] = ()
    open_weights: bool = False


_SFT, _DPO, _RFT = {"supervised"}, {"supervised", "dpo"}, {"reinforcement"}
_ALL = ("standard", "globalstandard", "developertier")
_GLOBAL = ("globalstandard",)

AZURE_MODELS: tuple[AzureModel, ...] = tuple(
    AzureModel(name, frozenset(methods), None, types, open_weights)
    for name, methods, types, open_weights in (
        ("gpt-4.1-2025-04-14", _DPO, _ALL, False),
        ("gpt-4.1-mini-2025-04-14", _DPO, _ALL, False),
        ("gpt-4.1-nano-2025-04-14", _DPO, _ALL, False),
        ("gpt-4o-2024-08-06", _DPO, _ALL, False),
        ("gpt-4o-mini-2024-07-18", _SFT, _ALL, False),
        ("o4-mini-2025-04-16", _RFT, _ALL, False),
        ("gpt-oss-20b", _SFT, _GLOBAL, True),
        ("Ministral-3B", _SFT, _GLOBAL, True),
        ("Qwen3-32B", _SFT, _GLOBAL, True),
        ("Llama-3.3-70B-Instruct", _SFT, _GLOBAL, True),
    )
)
"""Examples for rehearsals, from the table of `docs/providers/azure-openai.md`."""


def find_model(name: str) -> AzureModel | None:
    """Look a base model up, whatever the case of its letters, with or without its date."""
    plain = name.lower()
    for model in AZURE_MODELS:
        known = model.name.lower()
        if plain in (
            known,
            known[:-11] if known[-11:-10] == "-" and known[-2:].isdigit() else known,
        ):
            return model
    return None
