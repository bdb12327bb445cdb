"""A new job from an existing one: the same data, method and settings, at any provider."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import date
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from ftproviders import registry
from ftproviders.errors import ConfigurationError, FineTuneError
from ftproviders.planning import knows_model, tunable_models
from ftproviders.provider import Feature, ProviderInfo, ProviderOptions
from ftproviders.runtime import planner
from ftproviders.runtime.fetching import Fetched, fetch
from ftproviders.runtime.moved import moved_from
from ftproviders.runtime.session import Session
from ftproviders.runtime.source import PURPOSES, Source, read_source
from ftproviders.schema.job import JobRef, JobSpec
from ftproviders.schema.plan import JobPlan

__all__ = ["plan_from"]

_SHOWN_MODELS = 6
_PENDING = "-"
"""Stands for a training file as long as it is not at hand."""


def plan_from(session: Session, ref: JobRef, changes: Mapping[str, Any]) -> JobPlan:
    """Plan a job like an existing one. The new provider gets nothing; the old one is only read.

    Args:
        session: Settings, journal, adapters.
        ref: The existing job, whoever made it.
        changes: Fields of `JobSpec` that shall be otherwise; hyperparameters and options are
            changed one by one.

    Raises:
        pydantic.ValidationError: A change is not acceptable.
        ConfigurationError: The new provider does not have the base model and no other is named, a
            data file is not at hand, or what `planner.plan` raises.
        DatasetError: A file is not fit for the new provider, or is not the one that was recorded.
        ProviderError: There is no such job, or its provider cannot be asked.
    """
    source = read_source(session, ref)
    provider = str(changes.get("provider") or source.info.name).replace("_", "-")
    target = registry.info(provider)
    session.training(provider)  # what is not set up should not be found out after a download
    model = changes.get("base_model")
    if model is None:
        model = _base_model(session, source, target, changes.get("method", source.method))
    values = _values(source, target, {**changes, "base_model": model})
    # Before anything is fetched: a mistake in a change should not cost a download.
    spec = JobSpec.model_validate({"training_file": _PENDING, **values})
    fetched = _fetched(session, source, target, changes)
    paths = {f"{purpose}_file": str(file.path) for purpose, file in fetched.items()}
    made = planner.plan(session, spec.model_copy(update=paths))
    notes = dict.fromkeys(file.note for file in fetched.values() if file.note)
    told = moved_from(session, source, made, fetched=fetched)
    return made.model_copy(
        update={
            "moved_from": told,
            "warnings": (*made.warnings, *source.warnings, *notes, *_other_data(told.files)),
        }
    )


def _other_data(files: Any) -> Iterator[str]:
    for file in files:
        if file.origin == "given" and file.recorded_sha256 not in (None, file.sha256):
            yield f"{file.path} is not the {file.purpose} file of that job: its digest is another."


# --- what is wanted -------------------------------------------------------------------------------


def _values(source: Source, target: ProviderInfo, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the new spec, but for files, which have to be looked for."""
    options = {name: dict(own) for name, own in source.options.items()}
    carried = {
        **carried_options(source.info, target, source.options),
        **options.get(target.name, {}),
    }
    model = changes["base_model"]
    if isinstance(model, Mapping):
        model = model.get(target.name)
    if model != source.model and isinstance(model, str):
        carried = dict(target.options_type.fitting(carried, model=model))
    options[target.name] = carried
    values: dict[str, Any] = {
        "method": source.method,
        **source.settings,
        "note": f"from {source.ref}",
        **changes,
        "provider": target.name,
        "hyperparameters": _merged(source.hyperparameters, changes.get("hyperparameters")),
        "options": {name: own for name, own in options.items() if own},
    }
    given = changes.get("options")
    if isinstance(given, Mapping):
        named = {str(name).replace("_", "-"): own for name, own in given.items()}
        merged = {name: _merged(values["options"].get(name), own) for name, own in named.items()}
        values["options"] = {**values["options"], **merged}
    elif given is not None:
        values["options"] = given  # to be refused with its own words
    return values


def _merged(before: Mapping[str, Any] | None, changes: Any) -> Any:
    """Put changes over what was; something that is no mapping is left for the spec to refuse."""
    if changes is None:
        return dict(before or {})
    stated = changes.stated if hasattr(changes, "stated") else changes
    return {**(before or {}), **stated} if isinstance(stated, Mapping) else stated


def carried_options(
    source: ProviderInfo, target: ProviderInfo, options: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the options that mean the same at the target: those of a class that both share."""
    own = options.get(source.name, {})
    if source.name == target.name:
        return dict(own)
    homes = {name: _home(source.options_type, name) for name in own}
    return {
        name: value
        for name, value in own.items()
        if (home := homes[name]) is not None and issubclass(target.options_type, home)
    }


def _home(kind: type[ProviderOptions], name: str) -> type[ProviderOptions] | None:
    """Return the most general class of options that has a field."""
    having = [
        one for one in kind.__mro__ if issubclass(one, ProviderOptions) and name in one.model_fields
    ]
    return having[-1] if having else None


def _fetched(
    session: Session, source: Source, target: ProviderInfo, changes: Mapping[str, Any]
) -> dict[str, Fetched]:
    found: dict[str, Fetched] = {}
    for purpose in PURPOSES:
        if f"{purpose}_file" in changes:
            continue
        if purpose == "validation" and "validation_file" not in target.job_settings:
            continue
        file = fetch(session, source, purpose)
        if file is not None:
            found[purpose] = file
    return found


# --- which model ----------------------------------------------------------------------------------


def _base_model(
    session: Session, source: Source, target: ProviderInfo, method: Any
) -> str | Mapping[str, str]:
    """Return the base model at the target, or the job's mapping where that names one.

    Raises:
        ConfigurationError: It is not known there, and the hint lists what is.
    """
    if isinstance(source.base_model, Mapping) and target.name in source.base_model:
        return source.base_model
    if target.name == source.info.name:
        return source.model
    name = source.root_model
    listed = _listed(session, target)
    if name and (_known(target, name) or name in listed):
        return name
    today = session.clock.now().date()
    candidates = list(_candidates(target, name, listed, method=method, today=today))
    words = ", ".join(candidates[:_SHOWN_MODELS])
    raise ConfigurationError(
        f"{target.name} is not known to have the model {name!r} that {source.ref} tuned, so which "
        "one to tune there has to be said.",
        provider=target.name,
        operation="plan",
        hint=f"Name one with --model, for instance: {words}." if words else "Name one: --model.",
        ref=source.ref,
    )


def _known(target: ProviderInfo, name: str) -> bool:
    patterns = [model.pattern for model in target.data.models]
    return knows_model(target.name, name) or any(fnmatchcase(name.lower(), p) for p in patterns)


def _listed(session: Session, target: ProviderInfo) -> list[str]:
    """Return the base models that the target lists; none where it cannot be asked now."""
    adapter = session.training(target.name)
    if not session.has(adapter, Feature.MODELS) or target.data.models:
        return []  # a table of its models beats a question to the service
    try:
        found = session.call(adapter, "models", partial(adapter.models))
    except FineTuneError:
        return []
    return [model.name for model in found if not model.tuned]


def _candidates(
    target: ProviderInfo, name: str, listed: list[str], *, method: Any, today: date
) -> Iterator[str]:
    """Yield models of the target that can be tuned so, those with a like name first."""
    days = dict(tunable_models(target.name, today=today))
    dated = set(days)
    bare = [m.pattern.rstrip("*") for m in target.data.models]
    for pattern in bare:
        if not any(model.startswith(pattern) for model in dated):
            days[pattern] = None
    days |= {model: None for model in listed if model not in days}
    fit = [one for one in days if method in (target.data_profile(one).methods or {method})]
    near = difflib.get_close_matches(name, fit, n=_SHOWN_MODELS, cutoff=0.5)
    for one in dict.fromkeys([*near, *fit]):
        day = days[one]
        yield f"{one} (jobs until {day.isoformat()}, by our table)" if day else one
