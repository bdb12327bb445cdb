"""Chat data files: read, validate, count. Provider-neutral; never goes to the network.

Names are loaded on first use, so that a worker which needs the templates alone gets them alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftproviders.data import rules, statistics
    from ftproviders.data.basemodel import BaseModelData, find_base_model
    from ftproviders.data.methods import parse_method
    from ftproviders.data.rows import read_rows
    from ftproviders.data.rules import RULES, Rule
    from ftproviders.data.secrets.scan import SecretLevel
    from ftproviders.data.validation import Wishes, look_at, validate, validate_pair

__all__ = [
    "RULES",
    "BaseModelData",
    "Rule",
    "SecretLevel",
    "Wishes",
    "find_base_model",
    "look_at",
    "parse_method",
    "read_rows",
    "rules",
    "statistics",
    "validate",
    "validate_pair",
]

_HOME_OF = {
    "RULES": "rules",
    "BaseModelData": "basemodel",
    "Rule": "rules",
    "SecretLevel": "secrets.scan",
    "Wishes": "validation",
    "find_base_model": "basemodel",
    "look_at": "validation",
    "parse_method": "methods",
    "read_rows": "rows",
    "validate": "validation",
    "validate_pair": "validation",
}


def __getattr__(name: str) -> Any:
    if name in ("rules", "statistics"):
        return importlib.import_module(f"{__name__}.{name}")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
