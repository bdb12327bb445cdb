"""Keys, tokens, private keys and passwords inside data files: found, named, never shown.

``kinds`` is the table of what is known, ``search`` finds it in bytes, ``scan`` in the blocks of a
file. Words for people go through `mask`, so that no report or log holds a secret.
"""

from ftproviders.data.secrets.kinds import KINDS, SecretKind
from ftproviders.data.secrets.search import Secret, find_secrets, mask

__all__ = ["KINDS", "Secret", "SecretKind", "find_secrets", "mask"]
