"""Training methods by the names that users write."""

from __future__ import annotations

from ftproviders.errors import ConfigurationError
from ftproviders.schema.hyperparameters import Method

__all__ = ["parse_method"]


def parse_method(name: Method | str) -> Method:
    """Return the method of a name, which may be an alias (``sft``, ``rft``).

    Raises:
        ConfigurationError: There is no such method.
    """
    try:
        return Method(name)
    except ValueError as error:
        known = ", ".join(method.value for method in Method)
        raise ConfigurationError(
            f"There is no method {name!r}.", hint=f"Methods: {known}."
        ) from error
