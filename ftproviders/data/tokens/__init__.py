"""Tokens of rows and files, counted offline with the model's own encoding or tokenizer.

``encodings`` knows which encoding a model has, ``counting`` what counts in a row, ``totals`` how a
file is added up: whole, or by a sample with its interval. A model with a tokenizer of its own is
counted by ``data.template``.
"""

from ftproviders.data.tokens.counting import ChatTokenizer, RowTokenizer, RowTokens
from ftproviders.data.tokens.encodings import INSTALL, default_epochs, encoding_of, load_encoding
from ftproviders.data.tokens.totals import RowCounter, count_file

__all__ = [
    "INSTALL",
    "ChatTokenizer",
    "RowCounter",
    "RowTokenizer",
    "RowTokens",
    "count_file",
    "default_epochs",
    "encoding_of",
    "load_encoding",
]
