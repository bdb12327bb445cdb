"""Typer commands over the client: what a person types, sees and gets as exit code.

What lives here: flags, job files, tables, JSON shapes, consent, exit codes. What does not: logic
that a user of the library would miss, and any provider's name. Nothing heavy is imported at the
top of a module, so that ``ftproviders --help`` stays light.
"""
