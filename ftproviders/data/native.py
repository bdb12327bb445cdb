"""Whether the native part of the engine is here and wanted: ``_native``, built from ``native/``.

It is an extension in C, which is made when the package is installed where there is a compiler.
Without it everything works the same, more slowly.
"""

from __future__ import annotations

import importlib
from typing import Any

from ftproviders.config import data_engine
from ftproviders.errors import ConfigurationError

__all__ = ["native"]


def native() -> Any:
    """Return the extension, see ``_native.pyi``; None = not here, or the other engine is wanted.

    Raises:
        ConfigurationError: It was asked for and is not here.
    """
    wanted = data_engine()
    if wanted == "python":
        return None
    try:
        return importlib.import_module("ftproviders.data._native")
    except ImportError as error:
        if wanted is None:
            return None
        raise ConfigurationError(
            f"FTPROVIDERS_DATA_ENGINE is native, but the native engine is not here: {error}.",
            hint="Install a C compiler and the headers of Python, then reinstall the package; or "
            "unset the variable to do without.",
        ) from error
