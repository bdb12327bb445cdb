"""Reading the files and asking the adapter, so that a plan can be made."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from ftproviders import data, registry
from ftproviders.config import Config
from ftproviders.data.template import GivenTemplate, given_template
from ftproviders.errors import ConfigurationError, DatasetError
from ftproviders.planning import PlanInput, base_model_for, make_plan, read_prices
from ftproviders.provider import DataProfile, HostingFeature, ProviderInfo, ProviderOptions
from ftproviders.provider.assess import check_method
from ftproviders.runtime.keys import refuse_keys_in_job
from ftproviders.runtime.session import Session
from ftproviders.schema.dataset import Dataset, ValidationReport
from ftproviders.schema.hyperparameters import method_flag
from ftproviders.schema.job import JobSpec, ModelSource
from ftproviders.schema.plan import Assessment, JobPlan

__all__ = ["plan", "unknown_in_profile"]


def plan(session: Session, spec: JobSpec) -> JobPlan:
    """Validate the files and resolve the spec; nothing is sent.

    Raises:
        DatasetError: A file is not fit for the provider; `report` says where.
        ConfigurationError: Provider, model, option or setting is not usable as it is.
        UnsupportedFeatureError: The provider does not have the method.
        CostLimitError: Too expensive, or the cost is unknown and a limit was given.
    """
    refuse_keys_in_job(spec)
    adapter = session.training(spec.provider)
    base_model = base_model_for(spec)
    for name in spec.options:
        registry.info(name)  # a misspelled name would be dropped in silence
    options = registry.options(adapter.info, spec.options.get(adapter.info.name, {}))
    own = spec.model_copy(update={"base_model": base_model})
    # Before the files: rows that fit a method which is not to be had are no use.
    check_method(adapter.info, spec)
    wanted = _wanted(session, own, adapter.info, options)
    training, report = _read(wanted, own, spec.training_file, purpose="training")
    validation, validation_report = None, None
    if spec.validation_file is not None:
        validation, validation_report = _read(
            wanted, own, spec.validation_file, purpose="validation"
        )
    assessment = session.call(
        adapter,
        "plan",
        lambda: adapter.assess(own, options=options, statistics=report.statistics),
    )
    assessment = _with_strangers(session, _with_needs(session, adapter.info, assessment))
    return make_plan(
        PlanInput(
            spec=spec,
            options=options,
            account=adapter.account(),
            free=adapter.free(),
            training=training,
            report=report,
            validation=validation,
            validation_report=validation_report,
            assessment=assessment,
            further_identity=adapter.identity(own, options=options),
            today=session.clock.now().date(),
            prices=read_prices(session.config.prices_file) if session.config.prices_file else (),
        )
    )


def _with_strangers(session: Session, assessment: Assessment) -> Assessment:
    """Warn of settings in the profile that belong to no provider."""
    strange = unknown_in_profile(session.config)
    if not strange:
        return assessment
    warning = f"{session.config.config_file} has settings for unknown providers: {strange}."
    return assessment.model_copy(update={"warnings": (*assessment.warnings, warning)})


def _with_needs(session: Session, info: ProviderInfo, found: Assessment) -> Assessment:
    """Add what deploying the tuned model will need, where it answers in no other way."""
    own = info.produces is ModelSource.PROVIDER_MODEL
    if not own or HostingFeature.DEPLOY not in info.hosting_features:
        return found
    try:
        needs = session.hosting(info.name).requirements(ask=False)
    except ConfigurationError:
        return found  # whoever deploys will be told
    if not needs:
        return found
    lacking = [need for need in needs if need.met is False]
    shown = "; ".join(f"{need.name}: {need.detail}" for need in needs)
    warnings = [
        "The tuned model will answer only when it is deployed, for which something is missing: "
        + ", ".join(need.name for need in lacking)
        + ". "
        + " ".join(need.hint for need in lacking)
    ]
    return found.model_copy(
        update={
            "notes": (*found.notes, f"Deploying the tuned model will need {shown}."),
            "warnings": (*found.warnings, *(warnings if lacking else ())),
        }
    )


def unknown_in_profile(config: Config) -> str:
    """Return the provider names of the profile that nobody has here, as text; usually empty."""
    known = set(registry.names())
    return ", ".join(name for name in config.providers if name.replace("_", "-") not in known)


@dataclass(frozen=True)
class _Wanted:
    """What is wanted of the files."""

    provider: str
    profile: DataProfile
    model: data.BaseModelData | None


def _wanted(
    session: Session, spec: JobSpec, info: ProviderInfo, options: ProviderOptions
) -> _Wanted:
    model = str(spec.base_model)
    profile = info.data.for_model(model)
    longest = spec.hyperparameters.stated.get("max_length_tokens")
    if isinstance(longest, int):
        profile = replace(profile, maximum_row_tokens=longest)
    known = data.find_base_model(
        model, exact=False, cache=session.config.cache, template=_template(options, info.name)
    )
    return _Wanted(info.name, profile, known)


def _template(options: ProviderOptions, provider: str) -> GivenTemplate | None:
    """Read the user's chat template, for providers that have such an option."""
    path = getattr(options, "chat_template", None)
    return given_template(path, provider=provider) if isinstance(path, str) else None


def _read(
    wanted: _Wanted, spec: JobSpec, file: str, *, purpose: str
) -> tuple[Dataset, ValidationReport]:
    name = wanted.provider
    dataset, report = data.validate(
        Path(file),
        profiles={name: wanted.profile},
        method=spec.method,
        purpose=purpose,
        model=wanted.model,
        has_validation_file=spec.validation_file is not None,
    )
    verdict = report.verdicts[name]
    if not verdict.ok:
        first = next(i for i in report.issues if i.severity == "error")
        where = f"line {first.line}: " if first.line else ""
        more = f" (and {verdict.errors - 1} more)" if verdict.errors > 1 else ""
        # What is wrong with a whole file may depend on the model; rows are read alike for all.
        model = "" if first.line else f" --model {shlex.quote(str(spec.base_model))}"
        raise DatasetError(
            f"{file} is not fit for {name}: {where}{first.message.rstrip('.')}{more}.",
            report=report,
            provider=name,
            operation="validate",
            hint=f"{first.fix.rstrip('.')}. For everything that was found, run: "
            f"ftproviders validate {file} --provider {name}{method_flag(spec.method)}{model}",
        )
    return dataset, report
