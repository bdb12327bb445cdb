"""How to reach OpenAI, or any server that speaks its fine-tuning API; options of its jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from ftproviders.adapters._openai_dialect.addresses import checked_key, checked_url, without_key
from ftproviders.adapters._openai_dialect.options import DialectOptions
from ftproviders.adapters.openai.wire import PUBLIC_URL
from ftproviders.provider.options import ProviderSettings

__all__ = ["OpenAIOptions", "OpenAISettings"]

_MIB = 1024**2


class OpenAISettings(ProviderSettings):
    """Connection settings; each has ``FTPROVIDERS_OPENAI_<FIELD>`` beside OpenAI's names."""

    api_key: Annotated[SecretStr, AfterValidator(checked_key)] | None = Field(
        default=None, json_schema_extra={"env": ["OPENAI_API_KEY"]}
    )
    """The key. Never part of the account, a ref or a submission's identity."""
    base_url: Annotated[str, AfterValidator(checked_url)] = Field(
        default=PUBLIC_URL, json_schema_extra={"env": ["OPENAI_BASE_URL"]}
    )
    """Address of the API, with its version: ``https://api.openai.com/v1``."""
    organization: str | None = Field(default=None, json_schema_extra={"env": ["OPENAI_ORG_ID"]})
    """Organisation that pays; None = the key's own. Part of the account."""
    project: str | None = Field(default=None, json_schema_extra={"env": ["OPENAI_PROJECT_ID"]})
    """Project in which files and jobs are; None = the key's own. Part of the account."""
    profile: str | None = None
    """Set by the configuration: the profile in use. Part of the account, so that two keys without
    organisation and project are two accounts."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long to wait for an answer before it counts as lost."""
    file_expires_after_seconds: Annotated[int, Field(ge=3600, le=2_592_000)] | None = None
    """When the service shall delete uploaded files by itself; None = never."""
    plain_upload_bytes: Annotated[int, Field(ge=1, le=512 * _MIB)] = 512 * _MIB
    """Largest file that goes up in one request; larger ones go in parts (Uploads API)."""
    part_bytes: Annotated[int, Field(ge=1, le=64 * _MIB)] = 64 * _MIB
    """Size of a part."""

    @field_validator("base_url", "organization", "project", "profile")
    @classmethod
    def _shown(cls, name: str | None, info: ValidationInfo) -> str | None:
        return without_key(name, key=info.data.get("api_key"))


class OpenAIOptions(DialectOptions):
    """Options of one job at OpenAI."""
