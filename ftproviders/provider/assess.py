"""The default answer to a spec, worked out from `ProviderInfo` alone."""

from __future__ import annotations

from ftproviders.errors import ConfigurationError, UnsupportedFeatureError
from ftproviders.provider.info import HyperparameterInfo, ProviderInfo
from ftproviders.schema.job import JobSpec
from ftproviders.schema.plan import Assessment, IgnoredSetting, MappedSetting
from ftproviders.schema.value import JsonValue

__all__ = ["assess_from_info", "check_method"]


def check_method(info: ProviderInfo, spec: JobSpec) -> None:
    """Make sure that a provider has the spec's method.

    Raises:
        UnsupportedFeatureError: It does not.
    """
    if spec.method not in info.methods:
        have = ", ".join(sorted(m.value for m in info.methods))
        raise UnsupportedFeatureError(
            f"Provider {info.name} does not tune with method {spec.method.value}.",
            feature=f"method:{spec.method.value}",
            provider=info.name,
            operation="plan",
            hint=f"It has: {have}.",
        )


def assess_from_info(info: ProviderInfo, spec: JobSpec) -> Assessment:
    """Sort every stated setting into resolved, mapped and ignored.

    Raises:
        UnsupportedFeatureError: The provider does not have the spec's method.
        ConfigurationError: A value is outside the declared bounds.
    """
    check_method(info, spec)
    resolved: dict[str, JsonValue] = {}
    mapped: list[MappedSetting] = []
    ignored: list[IgnoredSetting] = []
    for name, value in spec.hyperparameters.stated.items():
        knob = info.hyperparameter(name, spec.method)
        if knob is None:
            reason = f"{info.name} has no {name} for method {spec.method.value}"
            ignored.append(IgnoredSetting(name=name, value=value, reason=reason))
            continue
        _check_bounds(info, knob, value)
        resolved[name] = value
        if knob.sent_as is not None:
            mapped.append(MappedSetting(name=name, value=value, sent_as=knob.sent_as))
    for name in ("seed", "suffix", "validation_file"):
        stated: int | str | None = getattr(spec, name)
        if stated is None:
            continue
        if name in info.job_settings:
            resolved[name] = stated
        else:
            reason = f"{info.name} has no {name}"
            ignored.append(IgnoredSetting(name=name, value=stated, reason=reason))
    return Assessment(resolved=resolved, mapped=tuple(mapped), ignored=tuple(ignored))


def _check_bounds(info: ProviderInfo, knob: HyperparameterInfo, value: float | str) -> None:
    problem = None
    if value == "auto":
        if not knob.auto:
            problem = "it must be stated as a number here"
    elif isinstance(value, (int, float)):
        if knob.minimum is not None and value < knob.minimum:
            problem = f"the smallest value is {knob.minimum:g}"
        elif knob.maximum is not None and value > knob.maximum:
            problem = f"the largest value is {knob.maximum:g}"
    if problem is not None:
        raise ConfigurationError(
            f"{info.name} does not take {knob.name}={value}: {problem}.",
            provider=info.name,
            operation="plan",
            hint=f"Change {knob.name}.",
        )
