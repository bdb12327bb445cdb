"""The SQLite notebook: submissions with intents and outcomes, jobs as last seen, files."""

from ftproviders.journal.journal import Journal
from ftproviders.journal.rows import SubmissionRow

__all__ = ["Journal", "SubmissionRow"]
