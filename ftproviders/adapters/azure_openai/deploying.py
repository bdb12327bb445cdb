"""Ours -> Azure's, for deployments: what a tuned model is deployed as, and the body that says so.

Pure functions. The values of the table are those of Resource Manager, not those of ``az``: crossing
the two gives HTTP 500 without a word (microsoft/azure-skills, 2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ftproviders.adapters.azure_openai.families import family_of
from ftproviders.errors import ConfigurationError
from ftproviders.provider.options import ProviderOptions
from ftproviders.schema.deployment import DeploymentSpec, DeploymentTerms, Lease
from ftproviders.schema.job import TunedModel

__all__ = [
    "DEVELOPER_SECONDS",
    "TAG_EXPIRES",
    "TAG_ID",
    "TAG_OWNER",
    "DeployOptions",
    "Offer",
    "body",
    "checked_options",
    "foreign_tags",
    "lease_tags",
    "offer_for",
    "route_advice",
    "terms",
]

TAG_ID, TAG_OWNER, TAG_EXPIRES = (
    "ftproviders-id",
    "ftproviders-owner",
    "ftproviders-expires-at",
)
DEVELOPER_SECONDS = 86_400.0
"""The service removes a deployment of the Developer tier after 24 h, used or not (2026-10)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_ARM_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.CognitiveServices/"
    r"accounts/[^/]+",
    re.IGNORECASE,
)
_SPELLINGS: Mapping[str, str] = {
    "standard": "Standard",
    "globalstandard": "GlobalStandard",
    "global": "GlobalStandard",
    "datazonestandard": "DataZoneStandard",
    "datazone": "DataZoneStandard",
    "developertier": "DeveloperTier",
    "developer": "DeveloperTier",
    "provisionedmanaged": "ProvisionedManaged",
    "provisioned": "ProvisionedManaged",
}
_TIERS: Mapping[str, str] = {
    "Standard": "prompts stay in the region of the resource",
    "GlobalStandard": "prompts may be processed in any region",
    "DataZoneStandard": "prompts stay in the data zone",
    "DeveloperTier": "no hosting fee; prompts may be processed in any region; the service removes "
    "it after 24 hours",
    "ProvisionedManaged": "billed by provisioned throughput units",
}


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a family can be deployed as. Of 2026-10-06, azure-ai-docs and microsoft/azure-skills."""

    format: str | None
    """``properties.model.format``; None = nobody has published it."""
    skus: tuple[str, ...]
    """The first is what is used when nothing is said; none = there is no serverless hosting."""
    capacity: int = 50
    """Thousands of tokens a minute, when nothing is said."""


_EVERY = ("GlobalStandard", "Standard", "DataZoneStandard", "DeveloperTier", "ProvisionedManaged")
_NO_DEVELOPER = tuple(sku for sku in _EVERY if sku != "DeveloperTier")
_GLOBAL = ("GlobalStandard",)
# At a low capacity open-weight models fail with "Failed to load LoRA": at least 100 is advised.
_OPEN_CAPACITY = 100

_OFFERS: Mapping[str, Offer] = {
    **dict.fromkeys(
        (
            "gpt-4.1-2025-04-14",
            "gpt-4.1-mini-2025-04-14",
            "gpt-4.1-nano-2025-04-14",
            "o4-mini-2025-04-16",
        ),
        Offer(format="OpenAI", skus=_EVERY),
    ),
    **dict.fromkeys(
        ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"),
        Offer(format="OpenAI", skus=_NO_DEVELOPER),
    ),
    "gpt-5-2025-08-07": Offer(format="OpenAI", skus=("Standard",)),
    "gpt-oss-20b": Offer(format="Microsoft", skus=_GLOBAL, capacity=_OPEN_CAPACITY),
    "Ministral-3B": Offer(format="Mistral AI", skus=_GLOBAL, capacity=_OPEN_CAPACITY),
    "Qwen3-32B": Offer(format="Alibaba", skus=_GLOBAL, capacity=_OPEN_CAPACITY),
    "Llama-3.3-70B-Instruct": Offer(format="Meta", skus=_GLOBAL, capacity=_OPEN_CAPACITY),
    "MAI-Code-1.1-Flash": Offer(format=None, skus=_GLOBAL, capacity=_OPEN_CAPACITY),
    **dict.fromkeys(
        ("gpt-oss-120b", "Qwen3.6-35B-A3B", "Qwen3.8-27B", "Muse-Glimmer-30B"),
        Offer(format=None, skus=()),
    ),
}
"""Name in `families` -> offer."""
_UNKNOWN = Offer(format="OpenAI", skus=_EVERY)


class DeployOptions(ProviderOptions):
    """Options of one deployment (``deploy -o key=value``)."""

    sku: str | None = None
    """``GlobalStandard``, ``Standard``, ``DataZoneStandard``, ``DeveloperTier``,
    ``ProvisionedManaged``, or any other word, which is sent as it is. None = GlobalStandard;
    Standard for gpt-5, which has nothing else."""
    capacity: Annotated[int, Field(ge=1)] | None = None
    """Thousands of tokens a minute; None = 50, and 100 for open-weight models."""
    model_format: str | None = None
    """``properties.model.format`` where the table of families is wrong or does not know it."""
    model_version: str = "1"
    """A tuned model has version 1."""
    base_model: str | None = None
    """Base model, where the name of what is deployed does not tell it: checkpoints without a job.
    Only looked up in the table of families; not sent."""
    source: str | None = None
    """Resource Manager id of the resource that has the model: another region or subscription of
    the same tenant. The caller needs rights on both."""
    source_account: str | None = None
    """The same in another tenant; needs ``source_tenant``."""
    source_tenant: str | None = None
    """Id of the tenant of ``source_account``; a token of it is sent beside the own one."""
    rai_policy: str | None = None
    """Name of the content filter."""
    version_upgrade: str | None = None
    """``versionUpgradeOption``."""
    spillover: str | None = None
    """Name of the deployment that takes what is too much for this one."""


def checked_options(spec: DeploymentSpec) -> DeployOptions:
    """Return the options of a deployment.

    Raises:
        ConfigurationError: One is unknown or not acceptable, or the name is none.
    """
    if _NAME.fullmatch(spec.name) is None:
        raise _wrong(
            f"{spec.name!r} cannot be the name of a deployment",
            "Use at most 64 letters, digits and dashes.",
        )
    try:
        options = DeployOptions.model_validate(dict(spec.options))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(DeployOptions.model_fields)
        raise _wrong(
            f"Deployment option {where} is not accepted: {first['msg']}",
            f"There are: {known}.",
        ) from error
    for name in ("source", "source_account"):
        value = getattr(options, name)
        if value is not None and _ARM_ID.fullmatch(value) is None:
            raise _wrong(
                f"Deployment option {name} is no Resource Manager id of a resource",
                "It looks like /subscriptions/.../resourceGroups/.../providers/"
                "Microsoft.CognitiveServices/accounts/NAME.",
            )
    if (options.source_account is None) != (options.source_tenant is None):
        raise _wrong(
            "Deployment options source_account and source_tenant belong together",
            "Give both, or `source` when the other resource is in the same tenant.",
        )
    return options


def _wrong(problem: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"{problem}.", provider="azure-openai", operation="deploy", hint=hint)


def offer_for(model: TunedModel, options: DeployOptions) -> Offer:
    """Return what a model can be deployed as; a model that is not in the table may be anything."""
    base = options.base_model or model.base_model or model.name
    family = family_of(base)
    return _UNKNOWN if family is None else _OFFERS.get(family.name, _UNKNOWN)


def _sku(offer: Offer, options: DeployOptions) -> str:
    if options.sku is None:
        return offer.skus[0] if offer.skus else ""
    plain = options.sku.replace("_", "").replace("-", "").lower()
    return _SPELLINGS.get(plain, options.sku)


def _sent_sku(offer: Offer, options: DeployOptions) -> str:
    """Return the SKU as it is sent: the service takes any case, so the user's is kept."""
    name = _sku(offer, options)
    same = options.sku is not None and options.sku.lower() == name.lower()
    return options.sku if same and options.sku else name


def terms(model: TunedModel, spec: DeploymentSpec) -> DeploymentTerms:
    """Return what a deployment would be, before anything is sent.

    Raises:
        ConfigurationError: The model cannot be deployed like this, and how it can.
    """
    options = checked_options(spec)
    offer = offer_for(model, options)
    sku = _sku(offer, options)
    if not sku:
        raise _wrong(
            f"{model.name} is of a family without serverless hosting, whose requests for managed "
            "compute and Fireworks are not documented",
            "Deploy it in the portal (ai.azure.com), or say what you know with -o sku=... and "
            "-o model_format=...",
        )
    if sku in _SPELLINGS.values() and offer.skus and sku not in offer.skus:
        raise _wrong(
            f"{model.name} cannot be deployed as {sku}",
            f"Its family has: {', '.join(offer.skus)}. Choose with -o sku=...",
        )
    form = options.model_format or offer.format
    if form is None:
        raise _wrong(
            f"The model format of {model.name}'s family is not published",
            "Say it with -o model_format=..., as `az cognitiveservices account list-models` shows "
            "it.",
        )
    capacity = options.capacity or offer.capacity
    facts = [
        f"sku {sku}: {_TIERS[sku]}" if sku in _TIERS else f"sku {sku}",
        f"capacity {capacity}: at most {capacity},000 tokens a minute",
        f"model format {form}",
    ]
    if sku != "DeveloperTier":
        facts.append("the service removes it after 15 days without a chat; the model stays")
    return DeploymentTerms(tier=sku, facts=tuple(facts))


def route_advice(model: TunedModel, spec: DeploymentSpec) -> str | None:
    """Say how Microsoft's own samples ask an open-weight model; None = it is none."""
    options = checked_options(spec)
    family = family_of(options.base_model or model.base_model or model.name)
    if family is None or not family.open_weights:
        return None
    return (
        "microsoft/azure-skills (2026-08) asks open-weight models by the dated route: when it does "
        "not answer, set api_version (OPENAI_API_VERSION) to 2025-04-01-preview"
    )


def body(model: TunedModel, spec: DeploymentSpec, *, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of the request that makes a deployment.

    Raises:
        ConfigurationError: The model cannot be deployed like this.
    """
    terms(model, spec)
    options = checked_options(spec)
    offer = offer_for(model, options)
    sent: dict[str, Any] = {
        "format": options.model_format or offer.format,
        "name": model.name,
        "version": options.model_version,
        "source": options.source,
        "sourceAccount": options.source_account,
    }
    properties = {
        "model": _stated(sent),
        "raiPolicyName": options.rai_policy,
        "versionUpgradeOption": options.version_upgrade,
        "spilloverDeploymentName": options.spillover,
    }
    whole: dict[str, Any] = {
        "sku": {"name": _sent_sku(offer, options), "capacity": options.capacity or offer.capacity},
        "properties": _stated(properties),
    }
    return {**whole, "tags": dict(tags)} if tags else whole


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def foreign_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that are not ours."""
    ours = (TAG_ID, TAG_OWNER, TAG_EXPIRES)
    return {str(name): str(value) for name, value in tags.items() if name not in ours}


def lease_tags(lease: Lease | None, *, resource: str, name: str) -> dict[str, str]:
    """Write a lease as tags; the id names the resource too, so that a copied tag is recognised."""
    if lease is None:
        return {}
    genuine = lease.id == name
    tags = {TAG_ID: f"{resource}/{name}" if genuine else lease.id, TAG_OWNER: lease.owner}
    if lease.expires_at is not None:
        tags[TAG_EXPIRES] = lease.expires_at.isoformat().replace("+00:00", "Z")
    return tags
