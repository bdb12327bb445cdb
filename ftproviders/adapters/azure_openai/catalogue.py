"""Which models there are: our own table, and what jobs have made."""

from __future__ import annotations

from collections.abc import Sequence

from ftproviders.adapters.azure_openai import PROVIDER
from ftproviders.adapters.azure_openai.families import FAMILIES, family_of
from ftproviders.schema.job import BaseModelInfo

__all__ = ["base_models", "tuned_model"]


def base_models() -> Sequence[BaseModelInfo]:
    """Return what can be tuned: the service's own list says of open weights that they cannot."""
    return [
        BaseModelInfo(
            name=family.name,
            provider=PROVIDER.name,
            description="preview" if family.preview else "",
            methods=tuple(sorted(family.methods)),
            details={"training_types": list(family.training_types)},
        )
        for family in FAMILIES
    ]


def tuned_model(name: str) -> BaseModelInfo:
    """Return what is known of a model that a job has made."""
    family = family_of(name)
    methods = tuple(sorted(family.methods)) if family and not family.open_weights else ()
    return BaseModelInfo(name=name, provider=PROVIDER.name, methods=methods, tuned=True)
