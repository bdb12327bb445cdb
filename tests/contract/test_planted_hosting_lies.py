"""Hosts that lie about deployments, each in one way: the contract suite catches every one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from typing_extensions import override

from ftproviders.provider import HostingAdapter, HostingFeature
from ftproviders.schema.deployment import (
    DeploymentPage,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    Lease,
)
from ftproviders.schema.job import TunedModel
from ftproviders.testing import HostingContract
from ftproviders.testing.memory import PROVIDER
from ftproviders.testing.memory.hosting import MemoryHosting
from ftproviders.testing.rig import HostingRig
from tests.contract.memory_rig import MemoryHostingRig

suite = HostingContract()


class OverriddenNotDeclared(MemoryHosting):
    info = dataclasses.replace(
        PROVIDER, hosting_features=PROVIDER.hosting_features - {HostingFeature.EXTEND}
    )


class ExtendAlone(MemoryHosting):
    info = dataclasses.replace(PROVIDER, hosting_features=frozenset({HostingFeature.EXTEND}))
    deploy = HostingAdapter.deploy
    deployment = HostingAdapter.deployment
    deployments = HostingAdapter.deployments
    undeploy = HostingAdapter.undeploy


class HalfOfThem(MemoryHosting):
    info = dataclasses.replace(
        PROVIDER, hosting_features=PROVIDER.hosting_features - {HostingFeature.UNDEPLOY}
    )
    undeploy = HostingAdapter.undeploy


class ExtendOnlySaysSo(MemoryHosting):
    @override
    def extend(self, ref: DeploymentRef, lease: Lease) -> DeploymentSnapshot:
        return self.deployment(ref).model_copy(update={"lease": lease})


class NamesItOtherwise(MemoryHosting):
    @override
    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        return super().deploy(model, spec.model_copy(update={"name": f"{spec.name}-x"}))


class ForgetsTheLease(MemoryHosting):
    @override
    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        return super().deploy(model, spec.model_copy(update={"lease": None}))


class ListsWithoutLeases(MemoryHosting):
    @override
    def deployments(self, *, cursor: str | None = None) -> DeploymentPage:
        page = super().deployments(cursor=cursor)
        bare = tuple(seen.model_copy(update={"lease": None}) for seen in page.deployments)
        return page.model_copy(update={"deployments": bare})


class TakesOverWhatHasTheName(MemoryHosting):
    @override
    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        ref = DeploymentRef(provider="memory", id=spec.name)
        if any(seen.ref == ref for seen in super().deployments().deployments):
            return ref
        return super().deploy(model, spec)


CASES: list[tuple[Callable[[HostingRig], None], type[MemoryHosting], str]] = [
    (suite.test_hosting_features_are_declared_and_overridden, OverriddenNotDeclared, "declared"),
    (suite.test_hosting_features_are_declared_and_overridden, ExtendAlone, "without deployments"),
    (suite.test_hosting_features_are_declared_and_overridden, HalfOfThem, "all four or none"),
    (suite.test_lease_can_be_changed, ExtendOnlySaysSo, "reading shows the new lease"),
    (suite.test_deployment_is_found_by_its_name, NamesItOtherwise, "the ref's id is"),
    (suite.test_lease_comes_back, ForgetsTheLease, "the lease comes back"),
    (suite.test_lease_comes_back, ListsWithoutLeases, "the listing shows the lease"),
    (suite.test_taken_name_is_a_conflict, TakesOverWhatHasTheName, "a name that is taken"),
]


@pytest.mark.parametrize(("check", "liar", "sentence"), CASES)
def test_liar_is_caught_and_the_honest_host_is_not(
    check: Callable[[HostingRig], None],
    liar: type[MemoryHosting],
    sentence: str,
    tmp_path: Path,
) -> None:
    honest, lying = MemoryHostingRig(tmp_path / "honest"), MemoryHostingRig(tmp_path / "lying")
    for rig in (honest, lying):
        rig.training.folder.mkdir()
    check(honest)
    lying.adapter_class = liar
    lying.info = liar.info
    with pytest.raises(AssertionError, match=sentence):
        check(lying)
