"""From spec, data and an adapter's assessment to a plan; identity; dated prices."""

from ftproviders.planning.identity import identity, submission_id
from ftproviders.planning.lifecycle import (
    alternatives,
    base_of,
    has_dates,
    knows_model,
    lifecycle,
    tunable_models,
)
from ftproviders.planning.plan import PlanInput, base_model_for, make_plan
from ftproviders.planning.prices import HostingPrice, hosting_price, read_prices

__all__ = [
    "HostingPrice",
    "PlanInput",
    "alternatives",
    "base_model_for",
    "base_of",
    "has_dates",
    "hosting_price",
    "identity",
    "knows_model",
    "lifecycle",
    "make_plan",
    "read_prices",
    "submission_id",
    "tunable_models",
]
