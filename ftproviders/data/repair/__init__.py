"""Repair data files where there is only one way to do it."""

from ftproviders.data.repair.repairing import repair

__all__ = ["repair"]
