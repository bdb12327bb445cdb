"""What is the same for every provider: plan, submit exactly once, reconcile, wait, retry, chat."""

from ftproviders.runtime.clock import Clock, SystemClock
from ftproviders.runtime.session import Session

__all__ = ["Clock", "Session", "SystemClock"]
