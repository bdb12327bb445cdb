"""From spec, data and an adapter's assessment to a plan; identity; dated prices."""

from ftproviders.planning.identity import identity, submission_id
from ftproviders.planning.lifecycle import alternatives
from ftproviders.planning.plan import PlanInput, base_model_for, make_plan
from ftproviders.planning.prices import HostingPrice, hosting_price

__all__ = [
    "HostingPrice",
    "PlanInput",
    "alternatives",
    "base_model_for",
    "hosting_price",
    "identity",
    "make_plan",
    "submission_id",
]
