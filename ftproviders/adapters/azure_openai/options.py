"""How to reach a resource of Azure OpenAI; options of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from typing_extensions import override

from ftproviders.adapters._openai_dialect.addresses import checked_key, without_key
from ftproviders.adapters._openai_dialect.options import DialectOptions
from ftproviders.adapters.azure_openai.wire import (
    V1,
    checked_arm_endpoint,
    checked_endpoint,
    checked_version,
    has_training_type,
)
from ftproviders.provider.options import ProviderSettings
from ftproviders.schema.value import FrozenJson

__all__ = ["AzureOpenAIOptions", "AzureOpenAISettings"]

_MIB = 1024**2
_ARM = "https://management.azure.com"


class AzureOpenAISettings(ProviderSettings):
    """Connection settings; each has ``FTPROVIDERS_AZURE_OPENAI_<FIELD>`` beside Azure's names."""

    api_key: Annotated[SecretStr, AfterValidator(checked_key)] | None = Field(
        default=None, json_schema_extra={"env": ["AZURE_OPENAI_API_KEY"]}
    )
    """Key of the resource; None = Entra ID, through DefaultAzureCredential."""
    endpoint: Annotated[str, AfterValidator(checked_endpoint)] | None = Field(
        default=None, json_schema_extra={"env": ["AZURE_OPENAI_ENDPOINT"]}
    )
    """Address of the resource, ``https://my-resource.openai.azure.com``, or of a project. It is the
    account."""
    api_version: Annotated[str, AfterValidator(checked_version)] = Field(
        default=V1, json_schema_extra={"env": ["OPENAI_API_VERSION"]}
    )
    """``v1`` (routes without a date), ``preview`` (likewise, preview features), or a date such as
    ``2025-04-01-preview``."""
    token_scope: str | None = None
    """Entra ID scope of the data plane; None = https://ai.azure.com/.default, and after a 401
    https://cognitiveservices.azure.com/.default."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long to wait for an answer before it counts as lost."""
    file_expires_after_seconds: Annotated[int, Field(ge=3600, le=2_592_000)] | None = None
    """When the service shall delete uploaded files by itself; None = 30 days where the route
    demands an answer (v1), never elsewhere."""
    plain_upload_bytes: Annotated[int, Field(ge=1, le=512 * _MIB)] = 150_000_000
    """Largest file that goes up in one request; larger ones go in parts (Uploads API). A larger
    plain upload was seen to look fine and to fail in the job."""
    part_bytes: Annotated[int, Field(ge=1, le=64 * _MIB)] = 64 * _MIB
    """Size of a part."""
    byte_order_mark: bool = False
    """Begin files with a byte order mark, as one page of the documentation asks; the vendor's own
    samples have none, and both are taken."""
    subscription_id: str | None = Field(
        default=None, json_schema_extra={"env": ["AZURE_SUBSCRIPTION_ID"]}
    )
    """Subscription of the resource; needed to deploy."""
    resource_group: str | None = Field(
        default=None, json_schema_extra={"env": ["AZURE_RESOURCE_GROUP"]}
    )
    """Resource group of the resource; needed to deploy."""
    resource: str | None = Field(default=None, json_schema_extra={"env": ["AZURE_OPENAI_RESOURCE"]})
    """Name of the resource; None = the first part of the endpoint's host."""
    arm_endpoint: Annotated[str, AfterValidator(checked_arm_endpoint)] = Field(
        default=_ARM, json_schema_extra={"env": ["AZURE_ARM_ENDPOINT"]}
    )
    """Address of the management plane, through which models are deployed: one of Azure's, since
    tokens for Azure are sent there, or one on this machine."""

    @field_validator(
        "endpoint", "api_version", "token_scope", "subscription_id", "resource_group", "resource",
        "arm_endpoint", mode="after",
    )  # fmt: skip
    @classmethod
    def _shown(cls, name: str | None, info: ValidationInfo) -> str | None:
        return without_key(name, key=info.data.get("api_key"))

    @property
    def dated(self) -> bool:
        """True when requests carry a dated api-version."""
        return self.api_version[:1].isdigit()


class AzureOpenAIOptions(DialectOptions):
    """Options of one job at Azure OpenAI."""

    training_type: str | None = None
    """Where and how it is trained: ``standard`` (data stay in the region), ``globalStandard``,
    ``developerTier``, or any other word, which is sent as it is. None = ``standard``, and
    ``globalStandard`` for open-weight models, which have nothing else."""
    extra_hyperparameters: FrozenJson | None = None
    """Hyperparameters that only this service has, sent as they are: ``prompt_loss_weight``,
    ``l2_multiplier``."""
    extra_method_fields: FrozenJson | None = None
    """Fields beside the hyperparameters of the method, sent as they are: ``tools`` and
    ``max_episode_steps`` of reinforcement."""

    @override
    @classmethod
    def fitting(cls, carried: Mapping[str, Any], *, model: str) -> Mapping[str, Any]:
        # The service tells the training type of every job, also where nobody had stated one.
        kind = carried.get("training_type")
        if not isinstance(kind, str) or has_training_type(model, kind):
            return carried
        return {name: value for name, value in carried.items() if name != "training_type"}
