"""What a deployment costs for being there: its age, and the dated price of its tier."""

from __future__ import annotations

from datetime import datetime

from ftproviders.planning import hosting_price
from ftproviders.schema.deployment import DeploymentCost, DeploymentSnapshot

__all__ = ["standing_cost"]


def standing_cost(seen: DeploymentSnapshot, *, now: datetime, free: bool) -> DeploymentCost:
    """Return how old a deployment is and what that has cost, as far as it is known.

    Args:
        seen: The deployment.
        now: The present moment.
        free: Whether the host never costs money.
    """
    age = None
    if seen.created_at is not None:
        # Clocks differ: what was made in our future is new.
        age = max((now - seen.created_at).total_seconds(), 0.0)
    if free:
        return DeploymentCost(age_seconds=age, usd_per_hour=0.0, usd_so_far=0.0)
    price = hosting_price(seen.ref.provider, seen.tier)
    if price is None:
        return DeploymentCost(age_seconds=age)
    spent = None if age is None else round(price.usd_per_hour * age / 3600, 2)
    return DeploymentCost(
        age_seconds=age,
        usd_per_hour=price.usd_per_hour,
        usd_so_far=spent,
        source=price.source,
        as_of=price.as_of,
    )
