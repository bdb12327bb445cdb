"""What deploying at Azure needs, and what of it is there: subscription, group, resource, role."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ftproviders.adapters.azure_openai import PROVIDER
from ftproviders.adapters.azure_openai.families import base_name
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.adapters.azure_openai.wire import resource_name
from ftproviders.errors import (
    AuthenticationError,
    FineTuneError,
    MissingDependencyError,
    MissingSettingError,
)
from ftproviders.schema.deployment import Requirement

if TYPE_CHECKING:
    from ftproviders.adapters.azure_openai.plane import Plane

__all__ = [
    "DEPLOYMENTS_LIMIT",
    "asked",
    "from_settings",
    "lacking",
    "missing",
    "no_token",
    "not_installed",
    "value_of",
]

_PACKAGES: Mapping[str, str] = {
    "azure.identity": "azure-identity",
    "azure.mgmt.cognitiveservices": "azure-mgmt-cognitiveservices",
}
"""Modules -> what brings them. Who trains with a key needs neither."""

DEPLOYMENTS_LIMIT = 10
"""Of tuned models, in one resource: Azure OpenAI quotas and limits, 2026-02."""
_WRITE = "microsoft.cognitiveservices/accounts/deployments/write"
_ROLE = (
    "Foundry Owner (formerly Azure AI Owner), or any role with "
    "Microsoft.CognitiveServices/accounts/deployments/write"
)
_VARIABLES: Mapping[str, str] = {
    "subscription_id": "AZURE_SUBSCRIPTION_ID",
    "resource_group": "AZURE_RESOURCE_GROUP",
    "resource": "AZURE_OPENAI_RESOURCE",
}
_NAMES: Mapping[str, str] = {
    "subscription_id": "subscription",
    "resource_group": "resource group",
    "resource": "resource",
}


def value_of(settings: AzureOpenAISettings, name: str) -> str | None:
    """Return a setting that deploying needs; the resource may be told by the address."""
    if name == "resource":
        return settings.resource or resource_name(settings.endpoint or "")
    value: str | None = getattr(settings, name)
    return value


def lacking(settings: AzureOpenAISettings) -> Sequence[str]:
    """Return the settings that deploying needs and that are not set."""
    return [name for name in _VARIABLES if not value_of(settings, name)]


def missing(*names: str) -> MissingSettingError:
    """Return the error for settings that are not set."""
    shown = ", ".join(_NAMES[name] for name in names)
    return MissingSettingError(
        f"Deployments of azure-openai need what is not set: {shown}.",
        provider="azure-openai",
        hint=f"Set {', '.join(_VARIABLES[name] for name in names)}; `ftproviders doctor` shows "
        "what else deploying needs.",
    )


def not_installed() -> MissingDependencyError | None:
    """Return the error for packages that deploying needs and that are not there, or None."""
    absent = _absent()
    if not absent:
        return None
    return MissingDependencyError(
        f"Deployments of azure-openai need what is not installed: {absent}.",
        provider=PROVIDER.name,
        hint=f"Run: {PROVIDER.install_line}",
    )


def _absent() -> str:
    return ", ".join(package for module, package in _PACKAGES.items() if not _importable(module))


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False  # not even the package that it would be in


def no_token() -> AuthenticationError:
    """Return the error for an Entra ID that gives no token for the management plane."""
    return AuthenticationError(
        "Deploying at azure-openai needs Entra ID, which gave no token: a key is not enough.",
        provider="azure-openai",
        hint="Sign in with `az login`, or give this machine an identity; --debug shows what was "
        "tried.",
    )


def from_settings(settings: AzureOpenAISettings) -> Sequence[Requirement]:
    """Say what is needed and what of it is set; no network."""
    found = [
        Requirement(
            name=label,
            met=bool(value_of(settings, name)),
            detail=value_of(settings, name) or "not set",
            hint="" if value_of(settings, name) else f"Set {_VARIABLES[name]}.",
        )
        for name, label in _NAMES.items()
    ]
    absent = not_installed()
    if absent is not None:
        detail = f"not installed: {_absent()}"
        found.insert(0, Requirement(name="packages", met=False, detail=detail, hint=absent.hint))
    role = Requirement(name="role", met=None, detail=f"Entra ID with the role {_ROLE}")
    return [*found, role]


def asked(plane: Plane) -> Iterator[Requirement]:
    """Look whether the resource is there, has room, and whether the caller may deploy in it."""
    try:
        yield _resource(plane.resource()[0])
    except FineTuneError as error:
        signed_out = isinstance(error, AuthenticationError)
        yield _failed("sign-in" if signed_out else "sign-in and resource", error)
        return
    try:
        yield _role(plane.permissions())
    except FineTuneError as error:
        yield _failed("role", error)
    try:
        yield _room(plane)
    except FineTuneError as error:
        yield _failed("room", error)


def _failed(name: str, error: FineTuneError) -> Requirement:
    return Requirement(name=name, met=False, detail=error.message, hint=error.hint)


def _resource(body: Mapping[str, Any]) -> Requirement:
    place = body.get("location") or "an unknown region"
    return Requirement(name="sign-in and resource", met=True, detail=f"found, in {place}")


def _role(body: Mapping[str, Any]) -> Requirement:
    granted = any(_allows(one) for one in body.get("value") or () if isinstance(one, Mapping))
    if granted:
        return Requirement(name="role", met=True, detail="may deploy")
    return Requirement(
        name="role",
        met=False,
        detail="may not deploy in this resource",
        hint=f"Ask for the role {_ROLE}.",
    )


def _room(plane: Plane) -> Requirement:
    count, cursor, more = 0, None, True
    while more:
        page, cursor = plane.page(cursor)
        count += sum(_serves_tuned(one) for one in page)
        more = cursor is not None
    full = count >= DEPLOYMENTS_LIMIT
    return Requirement(
        name="room",
        met=not full,
        detail=f"{count} of {DEPLOYMENTS_LIMIT} deployments of tuned models",
        hint="Remove one first: `ftproviders undeploy`, or `ftproviders deployments --reap`."
        if full
        else "",
    )


def _serves_tuned(found: Mapping[str, Any]) -> bool:
    properties = found.get("properties") or {}
    name = str((properties.get("model") or {}).get("name") or "")
    return base_name(name) != name or name.startswith("ftchkpt-")


def _allows(granted: Mapping[str, Any]) -> bool:
    def named(field: str) -> bool:
        return any(fnmatchcase(_WRITE, str(p).lower()) for p in granted.get(field) or ())

    return named("actions") and not named("notActions")
