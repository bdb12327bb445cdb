"""Asking before money is spent or a paid job is stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftproviders.cli.failures import DeclinedError
from ftproviders.errors import ConsentError

if TYPE_CHECKING:
    from ftproviders.cli.session import Session

__all__ = ["ask"]


def ask(session: Session, *, what: str, facts: Sequence[str], verb: str, provider: str) -> None:
    """Show what will happen and ask; return when the answer is yes.

    Args:
        session: ``--yes`` answers without asking.
        what: One sentence: what will happen.
        facts: Lines to show before the question.
        verb: What is agreed to, for the error: ``submit``, ``cancel``.
        provider: Whom it concerns.

    Raises:
        ConsentError: Nobody can be asked: there is no terminal and no ``--yes``.
        DeclinedError: The answer was no.
    """
    if session.yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConsentError(
            f"{what} Nobody can be asked, because this is not a terminal; nothing was sent.",
            provider=provider,
            operation=verb,
            hint=f"Look at it with `ftproviders plan`, then add --yes to `{verb}`."
            if verb == "submit"
            else f"Add --yes to `{verb}`.",
        )
    for fact in facts:
        session.out.complain(fact)
    # The question goes to stderr: stdout carries results only.
    sys.stderr.write(f"{what} Go on? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise DeclinedError(
            "You did not agree; nothing was sent.", provider=provider, operation=verb
        )
