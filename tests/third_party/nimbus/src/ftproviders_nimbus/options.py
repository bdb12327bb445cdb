"""Settings and job options of Nimbus."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from ftproviders.provider import ProviderOptions, ProviderSettings

__all__ = ["NimbusOptions", "NimbusSettings"]

PUBLIC_URL = "https://api.nimbus.invalid"


class NimbusSettings(ProviderSettings):
    """How to reach Nimbus."""

    url: str = PUBLIC_URL
    """Address of the service."""
    api_key: SecretStr | None = Field(default=None, json_schema_extra={"env": ["NIMBUS_API_KEY"]})
    """Key of the account."""


class NimbusOptions(ProviderOptions):
    """What only Nimbus has for a job."""

    region: Literal["north", "south"] | None = None
    """Where the job shall run."""
