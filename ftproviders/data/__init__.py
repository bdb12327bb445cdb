"""Chat data files: read, validate, count. Provider-neutral; never goes to the network."""

from ftproviders.data import rules, statistics
from ftproviders.data.rows import read_rows
from ftproviders.data.rules import RULES, Rule
from ftproviders.data.validation import validate

__all__ = ["RULES", "Rule", "read_rows", "rules", "statistics", "validate"]
