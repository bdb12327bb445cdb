"""From a spec, the data's report and the adapter's assessment to a JobPlan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ftproviders.errors import ConfigurationError, CostLimitError
from ftproviders.planning.findings import data_notes, data_warnings
from ftproviders.planning.identity import identity, submission_id
from ftproviders.planning.lifecycle import lifecycle_warnings
from ftproviders.planning.prices import TrainingPrice, estimate, hosting_notes
from ftproviders.provider import ProviderOptions
from ftproviders.schema.dataset import Dataset, ValidationReport
from ftproviders.schema.job import JobSpec
from ftproviders.schema.plan import Assessment, CostEstimate, JobPlan
from ftproviders.schema.value import JsonValue

__all__ = ["PlanInput", "base_model_for", "make_plan"]


@dataclass(frozen=True, kw_only=True)
class PlanInput:
    """What a plan is made of; collected by the runtime, which alone talks to adapters."""

    spec: JobSpec
    options: ProviderOptions
    account: str
    free: bool
    training: Dataset
    report: ValidationReport
    assessment: Assessment
    today: date
    further_identity: Mapping[str, JsonValue] | None = None
    validation: Dataset | None = None
    validation_report: ValidationReport | None = None
    prices: tuple[TrainingPrice, ...] = ()
    """The user's own; they go before the table."""


def base_model_for(spec: JobSpec) -> str:
    """Return the base model that the spec names for its provider.

    Raises:
        ConfigurationError: The mapping has no entry for the provider.
    """
    if isinstance(spec.base_model, str):
        return spec.base_model
    found = spec.base_model.get(spec.provider)
    if found is None:
        have = ", ".join(spec.base_model) or "nothing"
        raise ConfigurationError(
            f"base_model names no model for provider {spec.provider} (it has: {have}).",
            provider=spec.provider,
            hint=f"Add an entry {spec.provider}: MODEL to base_model.",
        )
    return found


def make_plan(given: PlanInput) -> JobPlan:
    """Put everything together and hold it against the user's limits.

    Raises:
        ConfigurationError: ``strict`` is set and a setting would be ignored.
        CostLimitError: The plan costs more than ``max_cost_usd``, or its cost is unknown.
    """
    spec, assessment = given.spec, given.assessment
    base_model = base_model_for(spec)
    _refuse_ignored(spec, assessment)
    tokens = _trained_tokens(given)
    cost = _cost(given, base_model, tokens)
    _hold_limit(spec, cost)
    content = identity(
        spec,
        account=given.account,
        base_model=base_model,
        options=given.options,
        training=given.training,
        validation=given.validation,
        further=given.further_identity,
    )
    return JobPlan(
        spec=spec,
        provider=spec.provider,
        account=given.account,
        base_model=base_model,
        method=spec.method,
        submission_id=submission_id(content, attempt=1),
        identity=content,
        training=given.training,
        validation=given.validation,
        report=given.report,
        validation_report=given.validation_report,
        trained_tokens=tokens,
        resolved=assessment.resolved,
        defaults=assessment.defaults,
        mapped=assessment.mapped,
        ignored=assessment.ignored,
        warnings=_warnings(given, base_model),
        notes=(*assessment.notes, *_hosting(given), *data_notes(given.report)),
        cost=cost,
        duration_seconds=assessment.duration_seconds,
        needs_consent=not given.free,
    )


def _warnings(given: PlanInput, base_model: str) -> tuple[str, ...]:
    ends = lifecycle_warnings(
        given.spec.provider,
        base_model,
        today=given.today,
        ends_on=given.assessment.model_ends_on,
        table=given.assessment.dated_tables,
    )
    data = data_warnings(given.report, given.validation_report)
    return (*given.assessment.warnings, *ends, *data)


def _hosting(given: PlanInput) -> tuple[str, ...]:
    if given.free or not given.assessment.dated_tables:
        return ()
    return hosting_notes(given.spec.provider, today=given.today)


def _refuse_ignored(spec: JobSpec, assessment: Assessment) -> None:
    if not spec.strict or not assessment.ignored:
        return
    listed = "; ".join(f"{item.name} ({item.reason})" for item in assessment.ignored)
    raise ConfigurationError(
        f"Settings that {spec.provider} would ignore: {listed}.",
        provider=spec.provider,
        hint="Remove them, or leave out strict.",
    )


def _trained_tokens(given: PlanInput) -> int | None:
    epochs = given.assessment.resolved.get("n_epochs")
    if isinstance(epochs, bool) or not isinstance(epochs, (int, float)):
        return None
    counted = given.report.tokens
    if not counted.total:
        return None  # rows of a shape that nothing here can count; not a training on nothing
    # What a row has beyond the model's limit is cut off: neither trained on nor paid for.
    return int((counted.total if counted.billable is None else counted.billable) * epochs)


def _cost(given: PlanInput, base_model: str, tokens: int | None) -> CostEstimate:
    if given.assessment.cost is not None:
        return given.assessment.cost
    if given.free:
        return CostEstimate(usd=0.0, basis="nothing is charged")
    spec = given.spec
    counted = given.report.tokens
    way = given.assessment.resolved.get("training_type")
    cost = estimate(
        spec.provider,
        base_model,
        spec.method,
        trained_tokens=tokens,
        epoch_tokens=counted.total if counted.billable is None else counted.billable,
        today=given.today,
        own=given.prices,
        table=given.assessment.dated_tables,
        training_type=way if isinstance(way, str) else None,
    )
    if cost.source is None and not given.assessment.dated_tables:
        return CostEstimate(basis=f"no dated price for {base_model} at {given.account}")
    return cost


def _hold_limit(spec: JobSpec, cost: CostEstimate) -> None:
    limit = spec.max_cost_usd
    if limit is None:
        return
    if cost.usd is None:
        raise CostLimitError(
            f"The cost is not known ({cost.basis}), so a limit of {limit:g} USD cannot be kept.",
            estimate=cost,
            limit_usd=limit,
            provider=spec.provider,
            hint="Look at `ftproviders plan`, then submit without a cost limit if you accept that.",
        )
    if cost.usd > limit:
        raise CostLimitError(
            f"The plan costs about {cost.usd:.2f} USD ({cost.basis}); the limit is {limit:g} USD.",
            estimate=cost,
            limit_usd=limit,
            provider=spec.provider,
            hint="Raise the limit, or train on fewer rows or epochs.",
        )
