"""The models that can be tuned at Azure OpenAI and Foundry, and how.

A table of our own: the service's catalogue says of every open-weight model that it cannot be tuned,
although it can (microsoft/azure-skills, 2026-08).
"""

from __future__ import annotations

from dataclasses import dataclass

from ftproviders.provider import ModelData
from ftproviders.schema.hyperparameters import Method

__all__ = ["FAMILIES", "Family", "base_name", "family_of"]

_SFT = frozenset({Method.SUPERVISED})
_DPO = frozenset({Method.SUPERVISED, Method.DPO})
_RFT = frozenset({Method.REINFORCEMENT})
_BOTH = frozenset({Method.SUPERVISED, Method.REINFORCEMENT})
_EVERY = ("standard", "globalStandard", "developerTier")
_GLOBAL = ("globalStandard",)
_PREVIEW = ("globalStandard", "developerTier")
_TABLE = "azure-ai-docs articles/foundry/fine-tuning/overview.md (2026-10-06)"
_LIMIT = f"{_TABLE}; Azure OpenAI quotas and limits: 65,536 tokens an example, 4o family"
_TOKENS = 65_536
_TUNED = ".ft-"


@dataclass(frozen=True, kw_only=True)
class Family:
    """One model with its spellings. The table is of 2026-10-06."""

    name: str
    """As it is sent."""
    aliases: tuple[str, ...]
    """Spellings, in small letters; a date or version may follow after a dash."""
    methods: frozenset[Method]
    training_types: tuple[str, ...]
    """Spelled as they are sent; the first is what is used when nothing is said."""
    open_weights: bool = False
    preview: bool = False
    images: bool | None = None
    row_tokens: int | None = None
    source: str = _TABLE

    @property
    def data(self) -> ModelData:
        """What the model makes of data files."""
        return ModelData(
            pattern=f"{self.aliases[0]}*",
            methods=self.methods,
            images=self.images,
            row_tokens=self.row_tokens,
            source=self.source,
        )


def _openai(name: str, alias: str, methods: frozenset[Method], *, images: bool) -> Family:
    limited = alias.startswith("gpt-4o")
    return Family(
        name=name,
        aliases=(alias,),
        methods=methods,
        training_types=_EVERY,
        images=images,
        row_tokens=_TOKENS if limited else None,
        source=_LIMIT if limited else _TABLE,
    )


def _open(name: str, *aliases: str) -> Family:
    return Family(
        name=name,
        aliases=aliases,
        methods=_SFT,
        training_types=_GLOBAL,
        open_weights=True,
        images=False,
    )


def _preview(name: str) -> Family:
    return Family(
        name=name,
        aliases=(name.lower(),),
        methods=_BOTH,
        training_types=_PREVIEW,
        open_weights=True,
        preview=True,
    )


FAMILIES: tuple[Family, ...] = (
    _openai("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini", _DPO, images=False),
    _openai("gpt-4.1-nano-2025-04-14", "gpt-4.1-nano", _DPO, images=False),
    _openai("gpt-4.1-2025-04-14", "gpt-4.1", _DPO, images=True),
    _openai("gpt-4o-mini-2024-07-18", "gpt-4o-mini", _SFT, images=False),
    _openai("gpt-4o-2024-08-06", "gpt-4o", _DPO, images=True),
    Family(name="o4-mini-2025-04-16", aliases=("o4-mini",), methods=_RFT, training_types=_EVERY),
    Family(
        name="gpt-5-2025-08-07",
        aliases=("gpt-5",),
        methods=_RFT,
        training_types=("standard", "globalStandard"),
        preview=True,
    ),
    _open("gpt-oss-20b", "gpt-oss-20b"),
    _open("Ministral-3B", "ministral-3b"),
    _open("Qwen3-32B", "qwen3-32b", "qwen-3-32b", "qwen-32b"),
    _open("Llama-3.3-70B-Instruct", "llama-3.3-70b", "llama-3.3-70b-instruct"),
    _preview("gpt-oss-120b"),
    _preview("Qwen3.6-35B-A3B"),
    _preview("Qwen3.8-27B"),
    _preview("Muse-Glimmer-30B"),
    Family(
        name="MAI-Code-1.1-Flash",
        aliases=("mai-code-1.1-flash",),
        methods=_RFT,
        training_types=_PREVIEW,
        preview=True,
    ),
)
"""The longer of two names that begin alike comes first."""


def base_name(model: str) -> str:
    """Return the base model of a tuned model (``<base>.ft-<hex>``); any other name as it is."""
    return model.partition(_TUNED)[0]


def family_of(model: str) -> Family | None:
    """Look a model up by any of its spellings, tuned or not; None = not in the table."""
    name = base_name(model).lower()
    for family in FAMILIES:
        for alias in (family.name.lower(), *family.aliases):
            if name == alias or name.startswith(f"{alias}-"):
                return family
    return None
