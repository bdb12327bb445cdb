"""Secrets in the blocks of a file, written into its ledger."""

from __future__ import annotations

from ftproviders.data.engine import Engine
from ftproviders.data.findings import Finding, JsonPath
from ftproviders.data.ledger import Ledger
from ftproviders.data.positions import SyntaxFault, walk
from ftproviders.data.secrets.search import Secret, find_secrets
from ftproviders.data.stream import Block

__all__ = ["ScanningEngine", "scan_block"]


class ScanningEngine:
    """Looks for secrets in every line that another engine looks at.

    Args:
        engine: The engine that judges the rows.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, block: Block, ledger: Ledger) -> None:
        """Look at every line of `block`, see `Engine`."""
        self._engine.check(block, ledger)
        if not block.too_long:
            scan_block(block, ledger)


def scan_block(block: Block, ledger: Ledger) -> None:
    """Write the secrets in the lines of `block` into `ledger`."""
    data = block.raw or b"\n".join(block.lines)
    index = counted = 0
    for secret in find_secrets(data):
        index += data.count(b"\n", counted, secret.start)
        counted = secret.start
        line_start = data.rfind(b"\n", 0, secret.start) + 1
        text, offset = "", 0
        if ledger.wants(secret.kind.rule):
            text = block.lines[index].decode("utf-8", "replace")
            offset = len(data[line_start : secret.start].decode("utf-8", "replace"))
        ledger.add(_finding(secret, text, offset), line=block.first_line + index, text=text)


def _finding(secret: Secret, text: str, offset: int) -> Finding:
    return Finding(
        rule=secret.kind.rule,
        path=_path(text, offset),
        offset=offset,
        message=f"this looks like {secret.kind.name}: {secret.masked}",
        fix="Whoever gets the file, or the tuned model, can get it: replace it by a made-up value, "
        "and revoke it if it was real.",
    )


def _path(text: str, offset: int) -> JsonPath:
    """Return the path of the value in which character `offset` of a line stands."""
    path: JsonPath = ()
    try:
        for entry in walk(text) if text else ():
            if (entry.start if entry.key is None else entry.key) > offset:
                break
            path = entry.path
    except SyntaxFault:
        return ()
    return path
