"""What changes when a job is moved, and what is lost: the `MovedFrom` of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from ftproviders import registry
from ftproviders.errors import FineTuneError
from ftproviders.planning import has_dates, lifecycle
from ftproviders.provider import Feature
from ftproviders.runtime.fetching import Fetched
from ftproviders.runtime.session import Session
from ftproviders.runtime.source import Source
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.hyperparameters import Hyperparameters
from ftproviders.schema.job import JobSpec
from ftproviders.schema.moved import Lifecycle, MovedFile, MovedFrom, MovedSetting
from ftproviders.schema.plan import JobPlan

__all__ = ["moved_from"]


def moved_from(
    session: Session,
    source: Source,
    plan: JobPlan,
    *,
    fetched: Mapping[str, Fetched],
) -> MovedFrom:
    """Hold a plan against the job that it was made from.

    Args:
        session: Settings, journal, adapters.
        source: The job.
        plan: The plan of the new one.
        fetched: Files of the job that are used.
    """
    tuned = source.snapshot.model
    return MovedFrom(
        ref=str(source.ref),
        provider=source.info.name,
        status=source.snapshot.status.value,
        base_model=source.model or None,
        model=None if tuned is None else tuned.name,
        files=tuple(_files(source, plan, fetched)),
        settings=tuple(_settings(source, plan)),
        lost=tuple(_lost(source, plan)),
        source_lifecycle=_lifecycle(session, _old_spec(source)),
        target_lifecycle=_lifecycle(
            session, plan.spec.model_copy(update={"base_model": plan.base_model})
        ),
    )


def _files(source: Source, plan: JobPlan, fetched: Mapping[str, Fetched]) -> Iterator[MovedFile]:
    for purpose, dataset in plan.datasets.items():
        file = fetched.get(purpose)
        origin = "given" if file is None else "downloaded" if file.downloaded else "kept"
        yield MovedFile.model_validate(
            {
                "purpose": purpose,
                "path": str(dataset.path),
                "origin": origin,
                "sha256": dataset.sha256,
                "recorded_sha256": source.files[purpose].sha256,
            }
        )


# --- settings -------------------------------------------------------------------------------------


def _settings(source: Source, plan: JobPlan) -> Iterator[MovedSetting]:
    before = {**source.hyperparameters, **source.settings}
    after = {**plan.spec.hyperparameters.stated}
    after |= {n: v for n in ("seed", "suffix") if (v := getattr(plan.spec, n)) is not None}
    ignored = {one.name: one.reason for one in plan.ignored}
    mapped = {one.name: one.sent_as for one in plan.mapped}
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        outcome, detail = "taken", ""
        if name in ignored:
            outcome, detail, new = "ignored", ignored[name], None
        elif old != new:
            outcome, detail = "changed", "stated anew"
        elif name in mapped:
            outcome, detail = "mapped", mapped[name]
        yield MovedSetting.model_validate(
            {
                "name": name,
                "before": old,
                "after": new,
                "outcome": outcome,
                "detail": detail,
                "told": name in source.told,
            }
        )
    for name in plan.defaults:
        if name in Hyperparameters.model_fields and name not in after:
            yield MovedSetting(
                name=name,
                after=plan.resolved.get(name),
                outcome="default",
                detail=f"chosen by {plan.provider}",
            )


# --- what stays behind ----------------------------------------------------------------------------


def _lost(source: Source, plan: JobPlan) -> Iterator[str]:
    old, ref = source.info, source.ref
    kept = "Checkpoints, events and metrics" if Feature.CHECKPOINTS in old.features else "Events"
    yield f"{kept} of {ref} stay there."
    tuned = source.snapshot.model
    if tuned is not None:
        yield f"The tuned model {tuned.name} stays at {old.name}: the new job trains one anew."
    if plan.provider != old.name and source.root_model != source.model:
        yield (
            f"{ref} went on from the tuned model {source.model}, which only {old.name} has. The "
            f"new job begins with {plan.base_model}, without what was learned before that job."
        )
    taken = plan.spec.options.get(plan.provider, {})
    for name in source.options.get(old.name, {}):
        if name not in taken:
            lacks = plan.provider if plan.provider != old.name else plan.base_model
            yield f"Option {name} of {old.name}: {lacks} does not have it."
    for name, value in source.nameless.items():
        yield f"Setting {name} = {value} of {old.name}: it has no name that others share."
    if plan.validation is None and source.files["validation"].id is not None:
        yield f"The validation file: {plan.provider} takes none."


# --- until when -----------------------------------------------------------------------------------


def _lifecycle(session: Session, spec: JobSpec) -> Lifecycle:
    """Return the ends of a spec's model at its provider; its `base_model` is a string."""
    today = session.clock.now().date()
    ends_on, table = _told(session, spec) if has_dates(spec.provider) else (None, True)
    model = str(spec.base_model)
    return lifecycle(spec.provider, model, today=today, ends_on=ends_on, table=table)


def _old_spec(source: Source) -> JobSpec:
    """Return the old job as far as its model and method go: neither settings nor files."""
    return JobSpec(
        provider=source.info.name,
        base_model=source.model,
        training_file="-",
        method=source.method,
        options=source.options,
    )


def _told(session: Session, spec: JobSpec) -> tuple[date | None, bool]:
    """Ask a service for the end of a model, and whether the tables speak of that service."""
    info = registry.info(spec.provider)
    try:
        adapter = session.training(info.name)
        options = registry.options(info, spec.options.get(info.name, {}))
        found = session.call(
            adapter,
            "plan",
            lambda: adapter.assess(spec, options=options, statistics=DatasetStatistics()),
        )
    except FineTuneError:
        return None, True  # the table is all there is
    return found.model_ends_on, found.dated_tables
