"""What a plan says before anything is sent: residency, names, limits of the resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftproviders.adapters.azure_openai.families import Family, base_name, family_of
from ftproviders.adapters.azure_openai.options import AzureOpenAIOptions
from ftproviders.adapters.azure_openai.traps import trap
from ftproviders.adapters.azure_openai.wire import has_training_type, sent_model, training_type
from ftproviders.errors import ConfigurationError
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobSpec
from ftproviders.schema.plan import MappedSetting

__all__ = [
    "BYTES_LIMIT",
    "FILES_LIMIT",
    "JOBS_LIMIT",
    "limit_warnings",
    "mapped",
    "notes",
    "refuse",
    "warnings",
]

JOBS_LIMIT = 100
FILES_LIMIT = 100
BYTES_LIMIT = 1024**3
"""In all, of one resource: Azure OpenAI quotas and limits, 2026-02."""
_NEAR = 0.8
_SHORT_SUFFIX = 18
_OLD_VERSION = "2025-04-01-preview"
_TOKENS_LIMIT = (
    "tokens of the file x epochs may be 2,000,000,000 at most, and a job may take 720 hours"
)


def refuse(spec: JobSpec) -> None:
    """Refuse what the service is sure to refuse.

    Raises:
        ConfigurationError: By our table the model cannot be tuned so.
    """
    found = "; ".join(_problems(spec))
    if found:
        raise ConfigurationError(
            f"azure-openai would refuse the job: {found}.",
            provider="azure-openai",
            operation="plan",
            hint="`ftproviders models --provider azure-openai` lists models and methods.",
        )


def mapped(spec: JobSpec) -> Iterator[MappedSetting]:
    """Tell which of the spec's texts go under another spelling."""
    model = str(spec.base_model)
    if sent_model(model) != model:
        yield MappedSetting(name="base_model", value=model, sent_as=sent_model(model))
    if spec.suffix is not None and "." in spec.suffix:
        yield MappedSetting(
            name="suffix", value=spec.suffix, sent_as=f"suffix {spec.suffix.replace('.', '-')}"
        )


def _problems(spec: JobSpec) -> Iterator[str]:
    model = str(spec.base_model)
    family = family_of(model)
    if family is None:
        return
    if base_name(model) != model and family.open_weights:
        yield f"{model} is tuned already, and only OpenAI's models can be tuned further"
    if spec.method not in family.methods:
        have = ", ".join(sorted(method.value for method in family.methods))
        yield f"{family.name} is not tuned with method {spec.method.value} (it has: {have})"


def warnings(spec: JobSpec, options: AzureOpenAIOptions, *, api_version: str) -> Iterator[str]:
    """Say what deserves a second look."""
    model = str(spec.base_model)
    family = family_of(model)
    kind = training_type(options.training_type, model)
    yield from _residency(kind)
    yield from _fit(family, model, kind)
    if spec.suffix is not None and len(spec.suffix) > _SHORT_SUFFIX:
        yield (
            f"The suffix has {len(spec.suffix)} characters; one page of the documentation allows "
            f"{_SHORT_SUFFIX}, longer ones were seen to be taken."
        )
    if api_version[:1].isdigit() and api_version[:10] < _OLD_VERSION[:10]:
        yield (
            f"api_version {api_version} is older than {_OLD_VERSION}, the first in which training "
            "types and python graders are documented."
        )


def _residency(kind: str) -> Iterator[str]:
    if kind.lower() == "standard":
        return
    where = f"Training type {kind}: data and weights may be processed outside of the region"
    if kind.lower() == "developertier":
        yield f"{where}, on spare capacity that may pause the job (a pause is not charged)."
    else:
        yield f"{where}; `standard`, where the model has it, keeps them there."


def _fit(family: Family | None, model: str, kind: str) -> Iterator[str]:
    if family is None:
        yield (
            f"{model} is not in our table of models (2026-10-06): if it is an open-weight model, "
            "state -o training_type=globalStandard."
        )
        return
    if not has_training_type(model, kind):
        yield (
            f"By our table (2026-10-06) {family.name} has no training type {kind}; it has: "
            f"{', '.join(family.training_types)}."
        )
    if family.preview:
        yield f"Tuning {family.name} is a preview, by invitation for some."


def notes(spec: JobSpec, options: AzureOpenAIOptions, *, account: str) -> Iterator[str]:
    """Tell facts: where the job goes, and what the service settles."""
    lost = trap("not_in_portal")
    yield f"The job goes to {account}. {lost.fix}"
    yield f"Limits of the service: {_TOKENS_LIMIT}."
    if spec.method is Method.REINFORCEMENT:
        yield (
            "Reinforcement is charged by hours of core training and by the grader's tokens; the "
            "service pauses a job at its limit (5,000 USD, 2026-03), and a resumed job has none."
        )
        if "tools" in (options.extra_method_fields or {}):
            hang = trap("evaluation_hangs")
            yield f"{hang.cause} {hang.fix}"


def limit_warnings(*, jobs: int, files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say that a resource is nearly full.

    Args:
        jobs: How many it has.
        files: Those it has, as it shows them.
    """
    sizes = [one.get("bytes") for one in files]
    size = sum(number for number in sizes if isinstance(number, int))
    if size >= _NEAR * BYTES_LIMIT:
        yield (
            f"The resource has files of {size / 1024**3:.2f} GiB and may have 1; at the limit it "
            "refuses more. Delete old files."
        )
    for noun, count, most in (("jobs", jobs, JOBS_LIMIT), ("files", len(files), FILES_LIMIT)):
        if count >= _NEAR * most:
            yield (
                f"The resource has {count} {noun} and may have {most}; at the limit it refuses "
                f"more. Delete old {noun}."
            )
