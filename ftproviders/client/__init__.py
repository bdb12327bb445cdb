"""The public, synchronous face: FineTuneClient and FineTuneJob."""

from ftproviders.client.client import FineTuneClient
from ftproviders.client.job import FineTuneJob

__all__ = ["FineTuneClient", "FineTuneJob"]
