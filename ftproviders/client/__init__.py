"""The public, synchronous face: FineTuneClient, FineTuneJob and Deployment."""

from ftproviders.client.client import FineTuneClient
from ftproviders.client.deployment import Deployment
from ftproviders.client.job import FineTuneJob

__all__ = ["Deployment", "FineTuneClient", "FineTuneJob"]
