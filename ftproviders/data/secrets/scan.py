"""Secrets in the blocks of a file, written into its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from ftproviders.data.findings import Finding, JsonPath
from ftproviders.data.ledger import Judgement, Ledger
from ftproviders.data.positions import SyntaxFault, walk
from ftproviders.data.rules_content import SECRET_RULES
from ftproviders.data.secrets.search import Secret, find_secrets
from ftproviders.data.stream import Block
from ftproviders.errors import ConfigurationError
from ftproviders.schema.dataset import Severity

__all__ = ["SecretLevel", "scan_block", "with_level"]

SecretLevel: TypeAlias = Literal["warning", "error", "off"]
"""How bad a secret in a data file is; ``off`` = they are not looked for."""


def with_level(rules: Mapping[str, Judgement], level: SecretLevel) -> dict[str, Judgement]:
    """Return the judgements of all rules, with secrets as bad as the user wants them to be.

    Raises:
        ConfigurationError: There is no such level; it would be taken for a warning.
    """
    if level not in get_args(SecretLevel):
        raise ConfigurationError(
            f"There is no level {level!r} for secrets.",
            hint=f"Levels: {', '.join(get_args(SecretLevel))}.",
        )
    wanted = Severity.ERROR if level == "error" else Severity.WARNING
    changed = dict(rules)
    for rule in SECRET_RULES:
        everybody = dict.fromkeys(rules[rule.id].by_provider, wanted)
        if level == "error" and rules[rule.id].severity is not None:
            changed[rule.id] = Judgement(wanted, (), everybody)
    return changed


def scan_block(block: Block, ledger: Ledger) -> None:
    """Write the secrets in the lines of `block` into `ledger`."""
    if block.too_long:
        return
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
