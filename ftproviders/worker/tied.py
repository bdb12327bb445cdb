"""Program: become another program, which ends with the process that started this one.

Started as ``python -m ftproviders.worker.tied PARENT COMMAND ARGUMENT...``. Linux keeps the bond
when one program becomes another; elsewhere there is none.
"""

from __future__ import annotations

import os
import sys

from ftproviders.worker import process

__all__ = ["main"]


def main() -> None:
    """Become the program; does not return."""
    process.die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command is the one who started us


if __name__ == "__main__":
    main()
