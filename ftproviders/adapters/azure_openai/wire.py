"""What is Azure's own: the address and what an account is called, versions, training types."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ftproviders.adapters._openai_dialect.addresses import checked_url, is_loopback
from ftproviders.adapters.azure_openai.families import family_of

__all__ = [
    "CLOUDS",
    "V1",
    "account_name",
    "checked_arm_endpoint",
    "checked_endpoint",
    "checked_version",
    "has_training_type",
    "is_public",
    "project_name",
    "resource_name",
    "sent_model",
    "training_type",
    "v1_url",
]

CLOUDS = frozenset(
    {"management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn"}
)
"""Hosts of the management plane; each is the audience of its own tokens."""
V1 = "v1"
"""Routes without a date: ``/openai/v1/``."""
_EXAMPLE = "https://my-resource.openai.azure.com"
_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
"""One resource answers at all of these under its name, and no two resources share a name."""
_PROJECT = re.compile(r"/api/projects/([A-Za-z0-9][A-Za-z0-9._-]*)")
_VERSION = re.compile(r"v1|preview|\d{4}-\d{2}-\d{2}(-preview)?")
_TYPES = ("standard", "globalStandard", "developerTier")
_SPELLINGS = {name.lower(): name for name in _TYPES} | {
    "global": "globalStandard",
    "developer": "developerTier",
}


def checked_endpoint(url: str) -> str:
    """Return the address of a resource, or of a project in one, without what clients add to it.

    Raises:
        ValueError: It is neither.
    """
    plain = checked_url(url, example=_EXAMPLE)
    parts = urlsplit(plain)
    path = re.sub(r"/openai(/v1)?$", "", parts.path)
    if path and not _PROJECT.fullmatch(path):
        raise ValueError(
            f"it must be the address of a resource ({_EXAMPLE}), or of a project "
            "(https://my-resource.services.ai.azure.com/api/projects/my-project)"
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def checked_arm_endpoint(url: str) -> str:
    """Return the address of a management plane.

    Raises:
        ValueError: It is none: a token for Azure would go to whoever is there.
    """
    plain = checked_url(url, example="https://management.azure.com")
    if urlsplit(plain).hostname not in CLOUDS and not is_loopback(plain):
        raise ValueError(f"it must be one of {', '.join(sorted(CLOUDS))}, or on this machine")
    return plain


def checked_version(version: str) -> str:
    """Return an api-version as it is sent.

    Raises:
        ValueError: It is none.
    """
    plain = version.strip().lower()
    if not _VERSION.fullmatch(plain):
        raise ValueError("it must be v1, preview, or a date such as 2025-04-01-preview")
    return plain


def resource_name(endpoint: str) -> str | None:
    """Return the name of the resource at a public address; None for any other address."""
    host = urlsplit(endpoint).hostname or ""
    known = next((suffix for suffix in _HOSTS if host.endswith(suffix)), None)
    return host.removesuffix(known) if known else None


def project_name(endpoint: str) -> str | None:
    """Return the project that the address names."""
    found = _PROJECT.search(urlsplit(endpoint).path)
    return found[1] if found else None


def is_public(endpoint: str) -> bool:
    """Say whether an address is one of Azure's own."""
    return resource_name(endpoint) is not None


def account_name(endpoint: str) -> str:
    """Return how refs and plans write an account: the resource, and the project in it."""
    where = resource_name(endpoint) or urlsplit(endpoint).netloc
    project = project_name(endpoint)
    return f"{where}/{project}" if project else where


def v1_url(endpoint: str) -> str:
    """Return the base URL of the routes without a date."""
    return f"{endpoint}/openai/v1/"


def sent_model(name: str) -> str:
    """Return a base model's name as the service wants it; tuned and unknown ones as they are."""
    family = family_of(name)
    if family is None or ".ft-" in name or not family.open_weights:
        # The service takes OpenAI's models with and without their date.
        return name
    return family.name


def has_training_type(model: str, kind: str) -> bool:
    """Say whether our table lets a model be trained so; a word or model it lacks is let through."""
    family = family_of(model)
    spelt = training_type(kind, model)
    return family is None or spelt not in _TYPES or spelt in family.training_types


def training_type(stated: str | None, model: str) -> str:
    """Return the training type to send: the stated one in the service's spelling, or the default.

    It is always sent: without it the service may answer that the model cannot be tuned at all.
    """
    if stated is not None:
        return _SPELLINGS.get(stated.replace("_", "").replace("-", "").lower(), stated)
    family = family_of(model)
    return family.training_types[0] if family else "standard"
