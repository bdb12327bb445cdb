"""Where services with this API differ: names, words, events, limits. The defaults are OpenAI's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from ftproviders.testing.openai import training
from ftproviders.testing.openai.bodies import CreateJob, parse
from ftproviders.testing.openai.call import Call
from ftproviders.testing.openai.models import BASE_MODELS, BaseModel, tuned_model
from ftproviders.testing.openai.refusal import ApiError, invalid

__all__ = ["OPENAI", "Service"]

_BY_NAME: Mapping[str, BaseModel] = {model.name: model for model in BASE_MODELS}


class Service:
    """One service's manners. Stateless: everything stands in the record of a job, or in the call.

    Subclass it for another service, and let the emulator's `_service` return it.
    """

    id_digits = 24
    """Hexadecimal digits of an id."""
    results_name = "step_metrics.csv"

    # --- jobs --------------------------------------------------------------------------------

    def job_request(self, body: object) -> CreateJob:
        """Read the body of a create request.

        Raises:
            ApiError: It breaks a rule.
        """
        return parse(CreateJob, body)

    def admit_job(self, call: Call, asked: CreateJob, base: BaseModel) -> None:
        """Refuse what this service alone refuses.

        Raises:
            ApiError: It does.
        """

    def base_model(self, name: str) -> BaseModel | None:
        """Look a base model up."""
        return _BY_NAME.get(name)

    def base_models(self) -> tuple[BaseModel, ...]:
        """Return every base model."""
        return BASE_MODELS

    def model_name(self, job_id: str, root: str, suffix: str, *, organization: str) -> str:
        """Name the model that a job will make."""
        digest = hashlib.sha256(job_id.encode()).hexdigest()[:8]
        return f"ft:{root}:{organization}:{suffix}:{digest}"

    def shown_job(self, view: dict[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
        """Return a job as this service words it."""
        del job
        return view

    def admit_pause(self, job: Mapping[str, Any], at: training.Moment) -> None:
        """Refuse to pause a job that cannot rest.

        Raises:
            ApiError: It cannot.
        """
        if at.status not in ("validating_files", "queued", "running"):
            raise invalid(
                f"Job {job['id']} is {at.status} and cannot be paused.", code="invalid_state"
            )

    def story(self, job: Mapping[str, Any]) -> Iterator[training.Told]:
        """Yield every event of a job that goes well."""
        return training.story(job)

    def shown_checkpoint(self, view: dict[str, Any]) -> dict[str, Any]:
        """Return a checkpoint as this service words it."""
        return view

    def results(self, job: Mapping[str, Any]) -> bytes:
        """Return the content of a job's result file."""
        return training.results_csv(job)

    def admit_deletion(self, model: Mapping[str, Any]) -> None:
        """Refuse to delete a tuned model that is in use.

        Raises:
            ApiError: It is.
        """

    # --- files -------------------------------------------------------------------------------

    def admit_file(self, call: Call, *, size_bytes: int, lifetime_seconds: int | None) -> None:
        """Refuse a file, before or after its bytes came.

        Raises:
            ApiError: This service does.
        """

    # --- chats -------------------------------------------------------------------------------

    def served(self, call: Call, name: str) -> dict[str, Any] | None:
        """Return the record of the tuned model that a chat asks, or None for a base model.

        Raises:
            ApiError: Nothing answers by the name.
        """
        return None if self.base_model(name) else tuned_model(call, name)

    def refused(self, error: ApiError) -> dict[str, Any]:
        """Return the body of a refusal."""
        return error.body


OPENAI = Service()
