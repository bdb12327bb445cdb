"""The part of the contract about what a provider says of itself, and what it says to a spec."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from ftproviders.errors import ConfigurationError, UnsupportedFeatureError
from ftproviders.provider import Feature, TrainingAdapter
from ftproviders.provider.info import HyperparameterInfo
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.export import ExportFormat
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import FileRef, JobRef, JobSpec, ModelSource, TunedModel
from ftproviders.schema.plan import Assessment
from ftproviders.testing.checks import no_network, raised, require
from ftproviders.testing.rig import Rig

__all__ = ["AssessContract", "InfoContract"]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SECRET_FIELD = re.compile(r"(^|_)(key|token|secret|password)$")
_JOB_SETTINGS: Mapping[str, Any] = {"seed": 11, "suffix": "contract", "validation_file": None}

# Runs in a process of its own, where the SDKs cannot be imported even if they are installed.
_IMPORT_ALONE = """
import importlib, json, sys
target, banned = json.loads(sys.argv[1])
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in banned:
            raise ImportError(name + " must not be imported to learn what a provider is")
sys.meta_path.insert(0, Refuse())
module, _, attribute = target.partition(":")
info = getattr(importlib.import_module(module), attribute)
print(json.dumps([info.name, sorted({"ftproviders.journal"} & set(sys.modules))]))
"""
_HEAVY = ("torch", "transformers", "openai", "azure", "huggingface_hub", "pytest", "rich", "typer")


class InfoContract:
    """A provider is data before it is code."""

    def test_info_loads_without_any_sdk(self, rig: Rig) -> None:
        """The entry point loads where no SDK, no journal and no test runner can be imported."""
        argument = json.dumps([rig.target, [*_HEAVY, *rig.info.modules]])
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT_ALONE, argument],
            env=environ,
            capture_output=True,
            text=True,
        )
        require(done.returncode == 0, f"importing {rig.target} alone fails: {done.stderr}")
        name, journal = json.loads(done.stdout)
        require(name == rig.info.name, f"{rig.target} is provider {name}, not {rig.info.name}")
        require(not journal, f"importing {rig.target} imports the journal")

    def test_names(self, rig: Rig) -> None:
        """Name, summary and classes are fit to be shown and looked up."""
        info, adapter = rig.info, rig.adapter()
        require(_NAME.fullmatch(info.name), f"{info.name!r}: small letters, digits and dashes")
        require(info.summary and "\n" not in info.summary, "the summary is one line")
        require(adapter.info == info, f"the adapter's info must be {info.name}'s")
        require(info.training is not None, "a provider that trains names its adapter class")
        require(info.methods, "a provider that trains has at least one method")

    def test_declared_features_are_overridden(self, rig: Rig) -> None:
        """What is declared is there."""
        missing = sorted(f.value for f in rig.info.features if not _overridden(rig, f))
        require(not missing, f"declared in ProviderInfo.features, not overridden: {missing}")

    def test_overridden_features_are_declared(self, rig: Rig) -> None:
        """What is there is declared."""
        extra = sorted(f.value for f in set(Feature) - rig.info.features if _overridden(rig, f))
        require(not extra, f"overridden, not declared in ProviderInfo.features: {extra}")

    def test_missing_features_say_so(self, rig: Rig) -> None:
        """A feature that is not there raises, and the error names it."""
        for feature, call in _calls(rig.adapter(), rig.info.name).items():
            if feature in rig.info.features:
                continue
            error = raised(UnsupportedFeatureError, call, when=f"{feature.value}, not declared,")
            require(error.feature == feature.value, f"the error must name {feature.value}")
            require(error.hint, f"{feature.value}: the error must say what to do next")

    def test_hyperparameters_are_well_declared(self, rig: Rig) -> None:
        """Names are ours, one meaning for each method, bounds the right way round."""
        seen: set[tuple[str, Method]] = set()
        for knob in rig.info.hyperparameters:
            require(knob.name in Hyperparameters.model_fields, f"{knob.name} is none of ours")
            require(knob.methods & rig.info.methods, f"{knob.name} belongs to no method of theirs")
            require(
                knob.minimum is None or knob.maximum is None or knob.minimum <= knob.maximum,
                f"{knob.name}: minimum {knob.minimum} is above maximum {knob.maximum}",
            )
            require(knob.sent_as != knob.name, f"{knob.name}: sent_as is for another name")
            for method in knob.methods:
                require((knob.name, method) not in seen, f"{knob.name} is declared twice")
                seen.add((knob.name, method))

    def test_job_settings_are_known(self, rig: Rig) -> None:
        """Only settings that a JobSpec has can be declared."""
        unknown = sorted(rig.info.job_settings - set(_JOB_SETTINGS))
        require(not unknown, f"no such job settings: {unknown}")

    def test_settings_and_options_are_described(self, rig: Rig) -> None:
        """Every field has a sentence for `providers NAME`; keys are SecretStr."""
        types: tuple[type[BaseModel], ...] = (rig.info.settings_type, rig.info.options_type)
        for model in types:
            require(model.model_config.get("frozen"), f"{model.__name__} must be frozen")
            for name, field in model.model_fields.items():
                require(field.description, f"{model.__name__}.{name} has no docstring")
                secret = _SECRET_FIELD.search(name) is None or "SecretStr" in str(field.annotation)
                require(secret, f"{model.__name__}.{name} must be a {SecretStr.__name__}")

    def test_account_is_stable(self, rig: Rig) -> None:
        """Two adapters of one account agree on its name: identities depend on it."""
        one, two = rig.adapter(), rig.adapter()
        require(one.account(), "account() must not be empty")
        require(one.account() == two.account() == one.account(), "account() must be stable")
        require(one.public_account() == two.public_account(), "public_account() must be stable")

    def test_no_network_before_work(self, rig: Rig) -> None:
        """Making an adapter, account, preflight and price class need no network."""
        rig.training_file(rig.method)
        with no_network():
            adapter = rig.adapter()
            adapter.account()
            adapter.public_account()
            adapter.free()
            problem = adapter.preflight()
            adapter.close()
        require(problem is None, f"preflight of a usable adapter must be None, not {problem}")

    def test_check_names_the_account(self, rig: Rig) -> None:
        """One harmless read tells whose account this is."""
        require(rig.adapter().check().account, "check() must tell the account")

    def test_close_is_repeatable(self, rig: Rig) -> None:
        """Closing twice, or without any use, is fine."""
        adapter = rig.adapter()
        adapter.close()
        adapter.close()


class AssessContract:
    """Nothing that the user states is lost in silence."""

    def test_declared_hyperparameters_are_resolved(self, rig: Rig) -> None:
        """Each one that is declared and stated is in `resolved` with its value."""
        for method in sorted(rig.info.methods):
            stated = rig.declared(method)
            resolved = _assess(rig, rig.spec(method=method, hyperparameters=stated)).resolved
            for name, value in stated.items():
                require(
                    resolved.get(name) == value,
                    f"{method.value}: {name}={value} must be in resolved, which is {resolved}",
                )

    def test_undeclared_hyperparameters_are_ignored_aloud(self, rig: Rig) -> None:
        """Each one that is stated and not declared is in `ignored` with its value and a reason."""
        for method in sorted(rig.info.methods):
            stated = rig.undeclared(method)
            answer = _assess(rig, rig.spec(method=method, hyperparameters=stated))
            ignored = {setting.name: setting for setting in answer.ignored}
            for name, value in stated.items():
                require(name in ignored, f"{method.value}: {name} is ignored and not in ignored")
                require(ignored[name].value == value, f"{name}: ignored must carry the value")
                require(ignored[name].reason, f"{name}: ignored must carry a reason")

    def test_mapped_hyperparameters_are_reported(self, rig: Rig) -> None:
        """What goes under another name is in `mapped`."""
        for method in sorted(rig.info.methods):
            answer = _assess(rig, rig.spec(method=method, hyperparameters=rig.declared(method)))
            mapped = {setting.name: setting.sent_as for setting in answer.mapped}
            for knob in _knobs(rig, method).values():
                if knob.sent_as is not None:
                    require(
                        mapped.get(knob.name) == knob.sent_as,
                        f"{knob.name} is sent as {knob.sent_as} and mapped says {mapped}",
                    )

    def test_bounds_are_kept(self, rig: Rig) -> None:
        """A value outside the declared bounds is refused, by name."""
        for method in sorted(rig.info.methods):
            for knob in _knobs(rig, method).values():
                for value in _outside(knob):
                    spec = rig.spec(method=method, hyperparameters={knob.name: value})
                    error = raised(
                        ConfigurationError,
                        partial(_assess, rig, spec),
                        when=f"assess with {knob.name}={value}",
                    )
                    require(knob.name in str(error), f"the error must name {knob.name}")

    def test_auto_only_where_declared(self, rig: Rig) -> None:
        """The word "auto" is taken where it is declared, and refused elsewhere."""
        for method in sorted(rig.info.methods):
            for knob in _knobs(rig, method).values():
                if not _may_be_auto(knob.name):
                    require(not knob.auto, f"{knob.name} cannot be stated as auto at all")
                    continue
                spec = rig.spec(method=method, hyperparameters={knob.name: "auto"})
                if knob.auto:
                    require(_assess(rig, spec).resolved.get(knob.name), f"{knob.name}: auto lost")
                else:
                    raised(
                        ConfigurationError, partial(_assess, rig, spec), when=f"{knob.name}=auto"
                    )

    def test_other_methods_are_refused(self, rig: Rig) -> None:
        """A method that is not declared raises before anything is sent."""
        path = str(rig.training_file(rig.method))
        for method in sorted(set(Method) - rig.info.methods):
            spec = rig.spec(training_file=path).model_copy(update={"method": method})
            error = raised(
                UnsupportedFeatureError, partial(_assess, rig, spec), when=f"method {method.value}"
            )
            require(method.value in str(error), f"the error must name {method.value}")

    def test_job_settings_are_resolved_or_ignored(self, rig: Rig) -> None:
        """Seed, suffix and validation file are taken, or ignored aloud."""
        stated = {**_JOB_SETTINGS, "validation_file": str(rig.validation_file(rig.method))}
        answer = _assess(rig, rig.spec(**stated))
        ignored = {setting.name for setting in answer.ignored}
        for name in stated:
            taken = name in rig.info.job_settings
            place = "resolved" if taken else "ignored"
            found = answer.resolved if taken else ignored
            require(name in found, f"{name} must be in {place}")

    def test_nothing_stated_nothing_ignored(self, rig: Rig) -> None:
        """A bare spec ignores nothing, and asking twice gives the same answer."""
        one, two = _assess(rig, rig.spec()), _assess(rig, rig.spec())
        require(not one.ignored, f"nothing was stated and this is ignored: {one.ignored}")
        require(one == two, "assess must be repeatable")


def _assess(rig: Rig, spec: JobSpec) -> Assessment:
    adapter = rig.adapter()
    try:
        return adapter.assess(
            spec,
            options=rig.info.options_type.model_validate(dict(rig.needed_options(spec.method))),
            statistics=DatasetStatistics(rows=3, messages=6, characters=300, text_bytes=300),
        )
    finally:
        adapter.close()


def _overridden(rig: Rig, feature: Feature) -> bool:
    made, base = type(rig.adapter()), TrainingAdapter
    return getattr(made, feature.value) is not getattr(base, feature.value)


def _calls(adapter: TrainingAdapter, name: str) -> Mapping[Feature, Callable[[], object]]:
    ref = JobRef(provider=name, id="contract")
    file = FileRef(provider=name, id="contract", name="x.jsonl", sha256="0" * 64, bytes=1)
    model = TunedModel(source=ModelSource.PROVIDER_MODEL, name="contract", provider=name)
    return {
        Feature.CANCEL: partial(adapter.cancel, ref),
        Feature.PAUSE: partial(adapter.pause, ref),
        Feature.RESUME: partial(adapter.resume, ref),
        Feature.EVENTS: partial(adapter.events, ref),
        Feature.CHECKPOINTS: partial(adapter.checkpoints, ref),
        Feature.JOBS: adapter.jobs,
        Feature.MODELS: adapter.models,
        Feature.FILES: adapter.files,
        Feature.FIND_FILE: partial(adapter.find_file, "0" * 64, size_bytes=1),
        Feature.DOWNLOAD_FILE: partial(
            adapter.download_file, "contract", target=Path("contract.jsonl")
        ),
        Feature.DELETE_FILE: partial(adapter.delete_file, file),
        Feature.DELETE_MODEL: partial(adapter.delete_model, "contract"),
        Feature.EXPORT: partial(
            adapter.export, model, folder=Path("contract"), format=ExportFormat.ADAPTER
        ),
    }


def _knobs(rig: Rig, method: Method) -> Mapping[str, HyperparameterInfo]:
    return {k.name: k for k in rig.info.hyperparameters if method in k.methods}


def _outside(knob: HyperparameterInfo) -> list[float]:
    """Return values beyond the bounds that our own field still lets through."""
    low = [] if knob.minimum is None else [knob.minimum - 1, knob.minimum / 2]
    high = [] if knob.maximum is None else [knob.maximum + 1, knob.maximum * 1.01]
    outside = [value for value in low if knob.minimum is not None and value < knob.minimum]
    return [value for value in [*outside, *high] if _acceptable(knob.name, value)]


def _may_be_auto(name: str) -> bool:
    return _acceptable(name, "auto")


def _acceptable(name: str, value: float | str) -> bool:
    try:
        Hyperparameters.model_validate({name: value})
    except ValueError:
        return False
    return name != "lr_scheduler"
