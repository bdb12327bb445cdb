"""The judge: decides about a row slowly and exactly. Whatever the fast path says, this holds."""

from __future__ import annotations

from ftproviders.data.exact.document import Document, read_document
from ftproviders.data.exact.row import check_row

__all__ = ["Document", "check_row", "read_document"]
