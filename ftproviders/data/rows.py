"""Read the rows of a file that was validated, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ftproviders.data.engine import TOO_LONG
from ftproviders.data.exact import check_row, read_document
from ftproviders.data.findings import Finding, format_path, show_file
from ftproviders.data.ledger import minds
from ftproviders.data.positions import locate
from ftproviders.data.rules import RULES
from ftproviders.data.stream import LineStream, open_data_file
from ftproviders.errors import DatasetError
from ftproviders.provider.info import DataProfile
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = ["read_rows"]

_DEFAULT = DataProfile()


def read_rows(
    path: Path | str, *, profile: DataProfile = _DEFAULT, method: Method = Method.SUPERVISED
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number (from 1) and row of every row of a file, as a stream.

    A bad row is never left out in silence: rows are meant to be read after `validate`, so a row
    with an error means that the file is not the one that was validated.

    Args:
        path: Path of the file.
        profile: Whose severities and shapes of rows count.
        method: Training method that the rows are for.

    Raises:
        DatasetError: The file cannot be read, or a row breaks a rule that is an error for
            `profile`; the message names line, column and place.
    """
    path = Path(path)
    with closing(open_data_file(path)) as opened:
        for block in LineStream(opened, path=path, digest=False).blocks():
            if block.too_long:
                raise _bad_row(TOO_LONG, "", block.first_line, path)
            for number, line in enumerate(block.lines, block.first_line):
                if line.strip(b" \t\r"):
                    yield number, _read_row(line, number, path, profile, method)


def _read_row(
    line: bytes, number: int, path: Path, profile: DataProfile, method: Method
) -> dict[str, Any]:
    document = read_document(line)
    findings = list(document.findings)
    if document.readable:
        found = check_row(document.value, method=method, shapes=profile.row_shapes)
        findings.extend(one for one in found if not document.is_constant(one.path))
    for finding in findings:
        severity = profile.severity(finding.rule, method, RULES[finding.rule].severity)
        if severity is Severity.ERROR and minds(finding, profile):
            raise _bad_row(finding, document.text, number, path)
    if not isinstance(document.value, dict):
        raise _bad_row(findings[0], document.text, number, path)
    return document.value


def _bad_row(finding: Finding, text: str, number: int, path: Path) -> DatasetError:
    place = f"{show_file(path)}, line {number}, column {locate(text, finding)}"
    if finding.path:
        place += f", {format_path(finding.path)}"
    return DatasetError(f"{place}: {finding.message} ({finding.rule}).", hint=finding.fix)
