"""A service with OpenAI's API and options of its own beside the common ones, as Azure has."""

from __future__ import annotations

import dataclasses

from ftproviders.adapters._openai_dialect.options import DialectOptions
from ftproviders.adapters.azure_openai import PROVIDER as AZURE
from ftproviders.adapters.openai import PROVIDER as OPENAI
from ftproviders.adapters.openai.adapter import OpenAIAdapter

__all__ = ["PROVIDER", "SkylineAdapter"]


class SkylineOptions(DialectOptions):
    """What Skyline has beyond the dialect."""

    training_type: str | None = None
    """Where it trains."""


PROVIDER = dataclasses.replace(
    OPENAI,
    name="skyline",
    training="tests.runtime.skyline:SkylineAdapter",
    hosting=None,
    options_type=SkylineOptions,
    data=AZURE.data,
)


class SkylineAdapter(OpenAIAdapter):
    info = PROVIDER
