"""Plans: cost is known or said to be unknown, limits and strictness hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ftproviders.errors import ConfigurationError, CostLimitError
from ftproviders.planning import PlanInput, base_model_for, make_plan
from ftproviders.planning.prices import estimate
from ftproviders.provider import ProviderOptions
from ftproviders.schema.dataset import (
    Dataset,
    DatasetStatistics,
    TokenCount,
    ValidationReport,
    Verdict,
)
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobSpec
from ftproviders.schema.plan import Assessment, CostEstimate, IgnoredSetting

TODAY = date(2026, 11, 21)
DIGEST = "d" * 64


def given(assessment: Assessment | None = None, *, free: bool = False, **spec: Any) -> PlanInput:
    fields = {"provider": "openai", "base_model": "gpt-4o-2024-08-06", "training_file": "t", **spec}
    return PlanInput(
        spec=JobSpec(**fields),
        options=ProviderOptions(),
        account="acct",
        free=free,
        training=Dataset(path=Path("t"), sha256=DIGEST, bytes=400_000, rows=10),
        report=ValidationReport(
            file="t",
            sha256=DIGEST,
            bytes=400_000,
            rows=10,
            verdicts={"openai": Verdict(ok=True, errors=0, warnings=0)},
            issues=(),
            statistics=DatasetStatistics(rows=10),
            tokens=TokenCount(total=100_000, exact=False, method="estimate"),
        ),
        assessment=assessment or Assessment(resolved={"n_epochs": 2}),
        today=TODAY,
    )


def test_dated_price_times_tokens_times_epochs() -> None:
    plan = make_plan(given())
    assert plan.trained_tokens == 200_000
    assert plan.cost.usd == pytest.approx(200_000 * 25 / 1e6)
    assert plan.cost.source is not None
    assert "secondary source" in plan.cost.basis
    assert "the price is of 2026-01-01" in plan.cost.basis
    assert plan.needs_consent


def test_model_without_a_dated_price_costs_unknown_never_zero() -> None:
    plan = make_plan(given(base_model="gpt-9"))
    assert plan.cost.usd is None
    assert plan.cost.basis == "no dated price for gpt-9 on openai"


def test_price_is_unknown_when_the_provider_chooses_the_epochs() -> None:
    plan = make_plan(given(Assessment(resolved={"n_epochs": "auto"})))
    assert plan.trained_tokens is None
    assert plan.cost.usd is None
    assert "epochs is the provider's choice" in plan.cost.basis


def test_fresh_vendor_price_carries_no_doubt() -> None:
    cost = estimate(
        "azure-openai",
        "gpt-4.1",
        Method.SUPERVISED,
        trained_tokens=1_000_000,
        today=date(2026, 4, 1),
    )
    assert (cost.usd, cost.as_of) == (2.0, date(2026, 3, 19))
    assert "(" not in cost.basis


def test_free_provider_costs_nothing_and_needs_no_consent() -> None:
    plan = make_plan(given(free=True, provider="anything", base_model="m"))
    assert plan.cost.usd == 0
    assert not plan.needs_consent


def test_adapters_own_estimate_wins() -> None:
    own = CostEstimate(usd=7.0, basis="by the hour")
    assert make_plan(given(Assessment(cost=own))).cost == own


def test_limit_below_the_cost_is_refused() -> None:
    with pytest.raises(CostLimitError, match="the limit is 1 USD") as caught:
        make_plan(given(max_cost_usd=1.0))
    assert caught.value.estimate.usd == pytest.approx(5.0)
    assert make_plan(given(max_cost_usd=5.0)).cost.usd == pytest.approx(5.0)


def test_limit_with_unknown_cost_is_refused() -> None:
    with pytest.raises(CostLimitError, match="cannot be kept"):
        make_plan(given(base_model="gpt-9", max_cost_usd=1000.0))


def test_strict_refuses_what_would_be_ignored() -> None:
    ignored = Assessment(ignored=(IgnoredSetting(name="lora_r", value=8, reason="not there"),))
    with pytest.raises(ConfigurationError, match="lora_r"):
        make_plan(given(ignored, strict=True))
    assert make_plan(given(ignored)).ignored[0].name == "lora_r"


def test_base_model_mapping_is_read_for_its_provider() -> None:
    models = {"openai": "gpt-9", "azure_openai": "gpt-8"}
    spec = given(base_model=models).spec
    assert base_model_for(spec) == "gpt-9"
    with pytest.raises(ConfigurationError, match="names no model for provider local"):
        base_model_for(spec.model_copy(update={"provider": "local"}))


@pytest.mark.parametrize(
    ("model", "way", "usd"),
    [
        ("gpt-4.1-2025-04-14", "globalStandard", 2.0),
        ("gpt-4.1", "standard", None),
        ("gpt-4o-2024-08-06", "standard", 27.5),
        ("gpt-4o", "developerTier", None),
        ("gpt-oss-20b", "globalStandard", None),
    ],
)
def test_a_price_counts_for_its_way_of_training_only(
    model: str, way: str, usd: float | None
) -> None:
    resolved = {"n_epochs": 2, "training_type": way}
    plan = make_plan(
        given(Assessment(resolved=resolved), provider="azure-openai", base_model=model)
    )
    rate = None if plan.cost.usd is None else plan.cost.usd / (plan.trained_tokens or 1) * 1_000_000
    assert rate == pytest.approx(usd)
    assert (plan.cost.usd is None) == ("no dated price" in plan.cost.basis)


def test_the_plan_tells_what_being_deployed_costs() -> None:
    plan = make_plan(given(provider="azure-openai", base_model="gpt-4.1"))
    (note,) = (note for note in plan.notes if "USD an hour" in note)
    assert "1.7 USD an hour, used or not: 40.80 USD a day, 1,224 USD in 30 days" in note
    assert "2026-03-19; more than 90 days old" in note
    assert any("DeveloperTier" in note and "no hourly fee" in note for note in plan.notes)
    assert not [note for note in make_plan(given()).notes if "an hour" in note]
