"""Split a data file into training, validation and test files."""

from ftproviders.data.splitting.splitter import split

__all__ = ["split"]
