"""Writes ``docs/data-rules.md`` from the rule table and the providers' data profiles.

``python -m ftproviders.cli.datarules docs/data-rules.md`` rewrites the page; with ``--check`` it
only says whether that would change anything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main", "page"]


def page() -> str:
    """Return the page as it should be: built-in providers only."""
    from ftproviders import registry
    from ftproviders.data.reference import data_rules_page

    return data_rules_page({name: registry.info(name) for name in registry.built_in()})


def main(arguments: Sequence[str]) -> int:
    """Rewrite or check the file; return the exit code."""
    check = "--check" in arguments
    names = [argument for argument in arguments if argument != "--check"]
    if len(names) != 1:
        print("usage: python -m ftproviders.cli.datarules [--check] FILE", file=sys.stderr)
        return 2
    file = Path(names[0])
    new = page()
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    if check:
        if new != old:
            print(f"{file} does not fit the rules; run without --check.", file=sys.stderr)
        return int(new != old)
    file.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
