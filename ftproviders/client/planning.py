"""What `FineTuneClient` does before anything is sent: plans, also from an existing job."""

from __future__ import annotations

from typing import Any

from ftproviders.runtime import Session, moving, planner
from ftproviders.runtime import reconcile as books
from ftproviders.schema.job import JobRef, JobSpec
from ftproviders.schema.plan import JobPlan

__all__ = ["PlanningClient"]


class PlanningClient:
    """The part of `FineTuneClient` that knows plans."""

    _session: Session

    def plan(self, spec: JobSpec) -> JobPlan:
        """Say what submitting would do and cost; sends nothing.

        Raises:
            DatasetError: A file is not fit for the provider.
            ConfigurationError: Provider, model, option or setting is not usable as it is.
            UnsupportedFeatureError: The provider does not have the method.
            CostLimitError: Too expensive, or of unknown cost while a limit was given.
        """
        return planner.plan(self._session, spec)

    def plan_from(self, ref: str | JobRef, **changes: Any) -> JobPlan:
        """Plan a job like an existing one: same data, method, settings; here or elsewhere.

        Nothing is sent to the new provider, and the old one is only read. `JobPlan.moved_from` says
        what changes and what is lost; `submit` takes the plan. Data files are those that were
        submitted where they are still there unchanged, else the old provider's copies, which go to
        the folder ``downloads`` in the data folder.

        Args:
            ref: The existing job, whoever made it, as for `job`.
            **changes: Fields of `JobSpec` that shall be otherwise, above all ``provider`` and
                ``base_model``. ``hyperparameters`` and ``options`` change one by one;
                ``validation_file=None`` goes without one.

        Raises:
            pydantic.ValidationError: A change is not acceptable.
            ConfigurationError: The new provider does not have the base model and no other is
                named, or a data file cannot be had.
            DatasetError: A file is not fit for the new provider, or not the one that was recorded.
            ProviderError: There is no such job, or its provider cannot be asked.
        """
        return moving.plan_from(self._session, self._ref(ref), changes)

    def _ref(self, ref: str | JobRef) -> JobRef:
        if isinstance(ref, JobRef):
            return ref
        return books.resolve_ref(self._session, ref)
