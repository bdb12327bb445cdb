"""Name -> ProviderInfo -> adapter. Built-in table first, then entry points; everything lazy.

A third-party package declares ``[project.entry-points."ftproviders.providers"]`` with
``its-name = "its_package:PROVIDER"`` where ``PROVIDER`` is a `ProviderInfo`.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from ftproviders.config import Config
from ftproviders.errors import (
    ConfigurationError,
    UnknownProviderError,
    UnsupportedFeatureError,
)
from ftproviders.provider import (
    HostingAdapter,
    ProviderInfo,
    ProviderOptions,
    ProviderSettings,
    TrainingAdapter,
    missing_modules,
)
from ftproviders.schema.hyperparameters import Hyperparameters
from ftproviders.schema.methods import MethodMeasurements

__all__ = [
    "ENTRY_POINT_GROUP",
    "built_in",
    "hosting_adapter",
    "info",
    "measuring",
    "names",
    "options",
    "training_adapter",
]

ENTRY_POINT_GROUP = "ftproviders.providers"

_BUILT_IN: Mapping[str, str] = {
    "openai": "ftproviders.adapters.openai:PROVIDER",
    "azure-openai": "ftproviders.adapters.azure_openai:PROVIDER",
    "azureml-serverless": "ftproviders.adapters.azureml_serverless:PROVIDER",
    "azureml-managed": "ftproviders.adapters.azureml_managed:PROVIDER",
    "autotrain": "ftproviders.adapters.autotrain:PROVIDER",
    "hf-jobs": "ftproviders.adapters.hf_jobs:PROVIDER",
    "local": "ftproviders.adapters.local:PROVIDER",
    "memory": "ftproviders.testing.memory:PROVIDER",
}


def names() -> Sequence[str]:
    """Return every provider name that is known here, built-in ones first. Imports nothing."""
    third_party = sorted({point.name for point in _entry_points()} - set(_BUILT_IN))
    return [*_BUILT_IN, *third_party]


def built_in() -> Sequence[str]:
    """Return the names of the providers that this package brings. Imports nothing."""
    return list(_BUILT_IN)


def info(name: str) -> ProviderInfo:
    """Return what provider `name` says of itself.

    Raises:
        UnknownProviderError: Nobody has this name; the hint names the nearest.
        ConfigurationError: Two packages claim the name, or the package is broken inside.
    """
    wanted = name.strip().replace("_", "-")
    target = _target(wanted)
    loaded = _load(target, provider=wanted)
    if not isinstance(loaded, ProviderInfo):
        raise ConfigurationError(
            f"Provider {wanted}: {target} is a {type(loaded).__name__}, not a ProviderInfo.",
            provider=wanted,
            hint="Report it to the package that declares this entry point.",
        )
    if loaded.name != wanted:
        raise ConfigurationError(
            f"Provider {wanted}: {target} calls itself {loaded.name!r}.",
            provider=wanted,
            hint="Entry point and ProviderInfo must carry the same name.",
        )
    return loaded


def training_adapter(
    name: str,
    config: Config,
    *,
    environ: Mapping[str, str] | None = None,
    **settings: Any,
) -> TrainingAdapter:
    """Make the training adapter of provider `name`.

    Args:
        name: Provider name.
        config: Folders and profile.
        environ: Environment to read settings from; default ``os.environ``.
        **settings: Connection settings by argument.

    Raises:
        MissingDependencyError: The extra is not installed; the hint is the install line.
        UnsupportedFeatureError: The provider only hosts.
        ConfigurationError: A setting is not accepted, or the package is broken inside.
    """
    found = info(name)
    if found.rules_only:
        raise _not_yet(found, "tuning")
    if found.training is None:
        raise UnsupportedFeatureError(
            f"Provider {found.name} only hosts models; it does not tune them.",
            feature="training",
            provider=found.name,
            hint="Name a provider that trains; `ftproviders providers` lists them.",
        )
    kind: type[TrainingAdapter] = _subclass(found, found.training, TrainingAdapter)
    return kind(_settings(found, config, environ, settings))


def hosting_adapter(
    name: str,
    config: Config,
    *,
    environ: Mapping[str, str] | None = None,
    **settings: Any,
) -> HostingAdapter:
    """Make the hosting adapter of provider `name`; otherwise like `training_adapter`."""
    found = info(name)
    if found.rules_only:
        raise _not_yet(found, "hosting")
    if found.hosting is None:
        raise UnsupportedFeatureError(
            f"Provider {found.name} does not host models.",
            feature="hosting",
            provider=found.name,
            hint="Name a provider that hosts; `ftproviders providers` lists them.",
        )
    kind: type[HostingAdapter] = _subclass(found, found.hosting, HostingAdapter)
    return kind(_settings(found, config, environ, settings))


def measuring(name: str) -> Callable[..., MethodMeasurements]:
    """Return the function that measures the tuning methods of provider `name`.

    Raises:
        UnsupportedFeatureError: It has none.
    """
    found = info(name)
    if found.measuring is None:
        raise UnsupportedFeatureError(
            f"Provider {found.name} does not measure tuning methods.",
            feature="measuring",
            provider=found.name,
            hint="`ftproviders methods` shows the table without numbers.",
        )
    function: Callable[..., MethodMeasurements] = _load(  # type: ignore[assignment] # by its name
        found.measuring, provider=found.name
    )
    return function


def _not_yet(found: ProviderInfo, what: str) -> UnsupportedFeatureError:
    ready = ", ".join(name for name in names() if info(name).training) or "none"
    return UnsupportedFeatureError(
        f"{what.capitalize()} at {found.name} is not in this version yet.",
        feature=what,
        provider=found.name,
        hint=f"Its data rules are known: ftproviders validate FILE --provider {found.name}. "
        f"Providers that tune in this version: {ready}.",
    )


def options(found: ProviderInfo, given: Mapping[str, Any]) -> ProviderOptions:
    """Check a job's options for one provider against its options class.

    Raises:
        ConfigurationError: An option is unknown or its value not acceptable.
    """
    try:
        return found.options_type.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"is not accepted: {first['msg']}"
        hint = _nearest_value(found, where, given)
        if first["type"] == "extra_forbidden":
            problem = "does not exist"
            hint = _nearest_option(found, where)
        raise ConfigurationError(
            f"Option {where} of provider {found.name} {problem}.",
            provider=found.name,
            hint=hint + f"`ftproviders providers {found.name}` shows all, and what they take.",
        ) from error


def _nearest_option(found: ProviderInfo, name: str) -> str:
    """Guess at a name that does not exist: an option, or a hyperparameter."""
    knobs = [knob.name for knob in found.hyperparameters]
    if name in Hyperparameters.model_fields:
        return f"{name} is a hyperparameter: state it under `hyperparameters`. "
    kind = found.options_type
    return _nearest(name, [*kind.model_fields, *knobs, *sorted(kind.also_known)], cutoff=0.6)


def _nearest_value(found: ProviderInfo, where: str, given: Mapping[str, Any]) -> str:
    """Guess at a value of an option that takes certain words; the words stand in the message."""
    name, _, _ = where.partition(".")
    field = found.options_type.model_fields.get(name)
    words = [word for word in _words(field.annotation) if word] if field else []
    return _nearest(str(given.get(name)), words)


def _words(annotation: Any) -> list[str]:
    """Return the texts that a type takes as literals."""
    inside = get_args(annotation)
    if get_origin(annotation) is Literal:
        return [value for value in inside if isinstance(value, str)]
    return [word for member in inside for word in _words(member)]


def _entry_points() -> Sequence[EntryPoint]:
    return list(entry_points(group=ENTRY_POINT_GROUP))


def _target(name: str) -> str:
    claims = {(p.value, p.dist.name if p.dist else "?") for p in _entry_points() if p.name == name}
    if name in _BUILT_IN:
        claims.add((_BUILT_IN[name], "ftproviders"))
    if len(claims) > 1:
        who = " and ".join(sorted(f"{package} ({value})" for value, package in claims))
        raise ConfigurationError(
            f"Two packages claim the provider name {name!r}: {who}.",
            provider=name,
            hint="Uninstall one of them.",
        )
    if not claims:
        raise _unknown(name)
    return next(iter(claims))[0]


def _unknown(name: str) -> UnknownProviderError:
    known = names()
    return UnknownProviderError(
        f"There is no provider {name!r}.",
        provider=name,
        hint=f"{_nearest(name, known)}Providers here: {', '.join(known)}.",
    )


def _nearest(name: str, known: Sequence[str], *, cutoff: float = 0.4) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f"Did you mean {near[0]!r}? " if near else ""


def _load(target: str, *, provider: str) -> object:
    """Import ``module:attribute``; whatever goes wrong inside is told as the package's fault."""
    module, _, attribute = target.partition(":")
    try:
        loaded: object = getattr(importlib.import_module(module), attribute)
    # A third party's module may raise anything while it is imported.
    except Exception as error:
        raise ConfigurationError(
            f"Provider {provider} is installed but broken: importing {target} raised "
            f"{type(error).__name__}: {error}.",
            provider=provider,
            hint="Update or reinstall the package that provides it.",
        ) from error
    return loaded


def _subclass(found: ProviderInfo, target: str, kind: type) -> Any:
    problem = missing_modules(found)
    if problem is not None:
        raise problem
    loaded = _load(target, provider=found.name)
    if isinstance(loaded, type) and issubclass(loaded, kind):
        return loaded
    raise ConfigurationError(
        f"Provider {found.name}: {target} is no {kind.__name__}.",
        provider=found.name,
        hint="Report it to the package that provides it.",
    )


def _settings(
    found: ProviderInfo,
    config: Config,
    environ: Mapping[str, str] | None,
    given: Mapping[str, Any],
) -> ProviderSettings:
    return found.settings_type.load(
        found.name, config, environ=os.environ if environ is None else environ, **given
    )
