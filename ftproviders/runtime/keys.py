"""Keys where they do not belong: in names, notes and options, which are journaled and shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ftproviders.data.secrets import find_secrets
from ftproviders.errors import ConfigurationError
from ftproviders.schema.job import JobSpec

__all__ = ["refuse_keys", "refuse_keys_in_job"]


def refuse_keys(fields: Mapping[str, Any], *, of: str, provider: str, operation: str) -> None:
    """Refuse a key where it would be journaled, shown and sent on.

    Args:
        fields: Names of fields and their values, as JSON.
        of: What they belong to, for the error.
        provider: For the error.
        operation: Likewise.

    Raises:
        ConfigurationError: A field holds what looks like one; it is not quoted.
    """
    for field, value in fields.items():
        found = find_secrets(json.dumps({field: value}, ensure_ascii=False).encode())
        if found:
            raise ConfigurationError(
                f"{field} of the {of} holds what looks like {found[0].kind.name}.",
                provider=provider,
                operation=operation,
                hint="It would stand in the journal and at the provider. Take it out, or rename "
                "the file; keys belong in the environment.",
            )


def refuse_keys_in_job(spec: JobSpec) -> None:
    """Likewise for every field of a job: names of files, notes, options."""
    fields = spec.model_dump(mode="json", exclude_none=True)
    refuse_keys(fields, of="job", provider=spec.provider, operation="plan")
