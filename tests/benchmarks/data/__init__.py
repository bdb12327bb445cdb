"""Parts of ``make bench-data``: rows to read, and programs that read them."""
