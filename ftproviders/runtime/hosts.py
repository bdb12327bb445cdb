"""Which host serves a model, and what a deployment is called when nobody named it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ftproviders import registry
from ftproviders.errors import ConfigurationError
from ftproviders.provider import HostingFeature, ProviderInfo
from ftproviders.schema.job import JobRef, ModelSource, TunedModel

__all__ = ["accepts", "choose_host", "default_name", "hosts"]

_DIGEST_BYTES = 15  # 24 characters of base32, without padding


def hosts() -> Iterator[ProviderInfo]:
    """Yield every provider that makes deployments; a broken package is passed over."""
    for name in registry.names():
        try:
            info = registry.info(name)
        except ConfigurationError:
            continue  # `doctor` says what is wrong with it
        if HostingFeature.DEPLOYMENTS in info.hosting_features:
            yield info


def accepts(info: ProviderInfo, model: TunedModel) -> bool:
    """Say whether a provider makes deployments of such a model."""
    if HostingFeature.DEPLOY not in info.hosting_features or model.source not in info.accepts:
        return False
    # A provider's own model is known nowhere else.
    return model.source is not ModelSource.PROVIDER_MODEL or model.provider == info.name


def choose_host(model: TunedModel, provider: str | None = None) -> str:
    """Return the name of the host that shall serve `model`.

    Args:
        model: What is to be deployed.
        provider: The user's choice; None = where the model was tuned.

    Raises:
        UnknownProviderError: There is no such provider.
        ConfigurationError: It does not deploy such a model; the hint names hosts that do.
    """
    found = registry.info(provider or model.provider)
    if accepts(found, model):
        return found.name
    others = [info.name for info in hosts() if accepts(info, model)]
    if HostingFeature.DEPLOY not in found.hosting_features:
        problem = f"{found.name} makes no deployments"
    else:
        problem = f"{found.name} does not deploy models of the kind {model.source.value}"
        if model.source is ModelSource.PROVIDER_MODEL:
            problem += f" of {model.provider}"
    hint = f"Hosts that take it: {', '.join(others)}; name one with --provider."
    raise ConfigurationError(
        f"{problem}, so {model.name} cannot be deployed there.",
        provider=found.name,
        operation="deploy",
        hint=hint if others else "No provider of this version deploys such a model.",
    )


def default_name(model: TunedModel, *, job: JobRef | None, checkpoint: str | None = None) -> str:
    """Return the name of a deployment that was given none: ``dp`` and 24 characters of base32.

    It follows from the job and the checkpoint, or from the model where there is no job, so that
    the same command always means the same deployment. Every host takes such a name.
    """
    content: Mapping[str, Any] = {
        "version": 1,
        "job": None if job is None else str(job),
        "checkpoint": checkpoint,
        "model": None if job is not None else [model.source.value, model.provider, model.name],
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(canonical.encode("ascii")).digest()[:_DIGEST_BYTES]
    return "dp" + base64.b32encode(digest).decode("ascii").lower()
