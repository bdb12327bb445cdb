"""Chat data files: read, validate, count. Provider-neutral; never goes to the network."""

from ftproviders.data import rules, statistics
from ftproviders.data.basemodel import BaseModelData, find_base_model
from ftproviders.data.rows import read_rows
from ftproviders.data.rules import RULES, Rule
from ftproviders.data.secrets.scan import SecretLevel
from ftproviders.data.validation import Wishes, validate, validate_pair

__all__ = [
    "RULES",
    "BaseModelData",
    "Rule",
    "SecretLevel",
    "Wishes",
    "find_base_model",
    "read_rows",
    "rules",
    "statistics",
    "validate",
    "validate_pair",
]
