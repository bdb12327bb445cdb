"""Convert data files: CSV, TSV, JSON, Parquet and other rows to messages, and back."""

from ftproviders.data.conversion.converting import convert
from ftproviders.data.conversion.mapping import RowMapping

__all__ = ["RowMapping", "convert"]
