"""Writing a job's tuned model to files: which model, and whether there is room for it."""

from __future__ import annotations

from pathlib import Path

from ftproviders.errors import ConfigurationError
from ftproviders.provider.folders import refuse_taken
from ftproviders.provider.number_formats import refuse_weights
from ftproviders.runtime.session import Session
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.job import JobRef, TunedModel

__all__ = ["check_wish", "checkpoint_model", "export", "form_named"]


def form_named(name: ExportFormat | str) -> ExportFormat:
    """Return the form that a user named.

    Raises:
        ConfigurationError: There is none of that name.
    """
    try:
        return ExportFormat(name)
    except ValueError as error:
        raise ConfigurationError(
            f"There is no export format {str(name)!r}.",
            operation="export",
            hint=f"There are: {', '.join(form.value for form in ExportFormat)}.",
        ) from error


def check_wish(form: ExportFormat | str, *, folder: Path, weights: str | None) -> ExportFormat:
    """Refuse what no provider can do, before a job is looked for; returns the form.

    Raises:
        ConfigurationError: There is no such form or number format, or the folder is taken.
    """
    known = form_named(form)
    refuse_weights(known, weights)
    refuse_taken(folder)
    return known


def checkpoint_model(session: Session, ref: JobRef, checkpoint: str) -> TunedModel:
    """Return the model of one of a job's checkpoints.

    Raises:
        ConfigurationError: The job has no such checkpoint.
        UnsupportedFeatureError: The provider keeps none.
    """
    adapter = session.adapter_for(ref)
    kept = session.call(adapter, "checkpoints", lambda: adapter.checkpoints(ref), ref=ref)
    for one in kept:
        if one.id == checkpoint:
            return one.model
    known = ", ".join(one.id for one in kept) or "none"
    raise ConfigurationError(
        f"{ref} has no checkpoint {checkpoint!r}.",
        provider=ref.provider,
        operation="export",
        hint=f"It has: {known}.",
        ref=ref,
    )


def export(
    session: Session,
    ref: JobRef,
    model: TunedModel,
    *,
    folder: Path,
    form: ExportFormat,
    weights: str | None,
) -> ExportedModel:
    """Let the provider write a tuned model and check what it wrote; never tried twice by itself.

    Raises:
        ConfigurationError: The folder is taken, or the form cannot be had.
        UnsupportedFeatureError: The provider does not hand out its models.
        UnexpectedResponseError: What was written answers otherwise than the model; it is gone.
    """
    refuse_taken(folder, provider=ref.provider)
    adapter = session.adapter_for(ref)
    return session.call(
        adapter,
        "export",
        lambda: adapter.export(model, folder=folder, format=form, weights=weights),
        retry=lambda _error: False,
        ref=ref,
    )
