"""Rules for a file as a whole, held against it after all its rows were seen."""

from __future__ import annotations

from collections.abc import Mapping

from ftproviders.data.findings import Finding
from ftproviders.data.ledger import Ledger
from ftproviders.data.scan import Part
from ftproviders.provider.info import DataProfile
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = ["check_file", "check_method", "check_sizes", "check_validation_file"]

_MEBIBYTE = 1024 * 1024


def check_file(part: Part, size: int, profiles: Mapping[str, DataProfile], purpose: str) -> None:
    """Look at what a file is as a whole: line ends, shapes, number of rows.

    Args:
        part: What was found in the whole file.
        size: Bytes of the file.
        profiles: The providers.
        purpose: ``training`` or ``validation``.
    """
    ledger = part.ledger
    if ledger.counts["file.format"]:
        return
    if part.blank:
        ledger.add_file_issue(
            "file.blank_lines",
            line=part.first_blank,
            message=f"{part.blank} blank {'line is' if part.blank == 1 else 'lines are'} skipped",
            fix="Nothing needs to be done.",
        )
    rows = ledger.tally.rows
    if not rows:
        what = "the file is empty" if not size else "the file has only blank lines"
        fix = 'Write one {"messages": [...]} a line.'
        ledger.add_file_issue("file.empty", message=what, fix=fix)
        return
    if part.had_bom:
        ledger.add_file_issue(
            "file.bom",
            message="the file begins with a byte order mark",
            fix="Save it as UTF-8 without BOM, if the provider minds.",
        )
    if part.crlf_line:
        ledger.add_file_issue(
            "file.crlf",
            line=part.crlf_line,
            message="lines end with carriage return and line feed",
            fix="Nothing needs to be done.",
        )
    if not part.ends_with_newline:
        ledger.add_file_issue(
            "file.last_newline",
            message="the last line has no line feed",
            fix="Nothing needs to be done.",
        )
    _check_shapes(ledger)
    _check_minimum(rows, ledger, profiles, purpose)


def _check_shapes(ledger: Ledger) -> None:
    """Say where rows of another shape begin."""
    shapes = sorted((line, shape) for shape, line in ledger.first_of_shape.items() if shape)
    if len(shapes) < 2:
        return
    (first, one), (line, other) = shapes[:2]
    ledger.add_file_issue(
        "file.mixed_shapes",
        line=line,
        message=f"rows of the shape {other} begin here; those of line {first} are {one}",
        fix="Write all rows in one shape: ftproviders data convert, or one file for each.",
    )


def check_method(ledger: Ledger, profiles: Mapping[str, DataProfile], method: Method) -> None:
    """Look whether providers and models tune with the method."""
    without = [n for n, p in profiles.items() if p.methods is not None and method not in p.methods]
    for names in {tuple(sorted(profiles[name].methods or ())) for name in without}:
        named = [name for name in without if tuple(sorted(profiles[name].methods or ())) == names]
        ledger.add_limit_issue(
            "file.method",
            providers=named,
            everybody=len(named) == len(profiles),
            message=f"the method {method.value} is not among those here: {', '.join(names)}",
            fix="Choose another method, model or provider.",
        )


def check_validation_file(
    ledger: Ledger, profiles: Mapping[str, DataProfile], method: Method, *, said: bool
) -> None:
    """Say who needs a validation file.

    Args:
        ledger: Where it is written.
        profiles: The providers.
        method: Training method.
        said: True when there is none; False when nobody said whether there is one.
    """
    needing = [n for n, p in profiles.items() if method in p.needs_validation_file]
    if needing:
        ledger.add_limit_issue(
            "file.validation",
            providers=needing,
            everybody=len(needing) == len(profiles),
            message=f"the method {method.value} needs a validation file"
            + ("" if said else ", which was not looked at"),
            fix="Give one: --validation-file FILE; ftproviders data split makes one of the rows.",
            severity=None if said else Severity.INFO,
        )


def _check_minimum(
    rows: int, ledger: Ledger, profiles: Mapping[str, DataProfile], purpose: str
) -> None:
    def minimum(profile: DataProfile) -> int:
        if purpose == "validation":
            return profile.minimum_validation_rows
        return profile.minimum_training_rows

    short = {name: minimum(p) for name, p in profiles.items() if rows < minimum(p)}
    for limit in sorted(set(short.values())):
        named = [name for name, needed in short.items() if needed == limit]
        ledger.add_limit_issue(
            "file.rows",
            providers=named,
            everybody=len(named) == len(profiles),
            message=f"the file has {rows} {'row' if rows == 1 else 'rows'}, "
            f"fewer than {limit} for {purpose}",
            fix=f"Add at least {limit - rows} more.",
        )


def check_sizes(size: int, ledger: Ledger, profiles: Mapping[str, DataProfile]) -> None:
    """Hold the file against limits that differ between providers."""
    images = ledger.tally.image_rows
    _check_limit(
        ledger,
        profiles,
        {name: p.maximum_bytes for name, p in profiles.items()},
        Finding(rule="file.bytes", amount=size, message=f"the file has {size:,} bytes, more than",
                fix="Leave out rows, or split them into two jobs."),
    )  # fmt: skip
    _check_limit(
        ledger,
        profiles,
        {name: p.maximum_plain_bytes for name, p in profiles.items()
         if p.maximum_bytes is None or size <= p.maximum_bytes},
        Finding(rule="file.upload", amount=size,
                message=f"the file has {size:,} bytes; one plain upload takes",
                fix="It must go up in parts, or be imported from storage."),
    )  # fmt: skip
    if images:
        _check_limit(
            ledger,
            profiles,
            {name: p.maximum_image_rows for name, p in profiles.items()},
            Finding(rule="file.images", amount=images,
                    message=f"{images:,} {'row has' if images == 1 else 'rows have'} images, more "
                    "than", fix="Leave out images, or choose a model that sees."),
        )  # fmt: skip


def _check_limit(
    ledger: Ledger,
    profiles: Mapping[str, DataProfile],
    limits: Mapping[str, int | None],
    finding: Finding,
) -> None:
    """Add one issue for each limit that is too low."""
    amount = finding.amount or 0
    over = {name: limit for name, limit in limits.items() if limit is not None and amount > limit}
    for limit in sorted(set(over.values())):
        named = [name for name, allowed in over.items() if allowed == limit]
        size = f" ({limit / _MEBIBYTE:,.0f} MiB)" if finding.rule != "file.images" else ""
        ledger.add_limit_issue(
            finding.rule,
            providers=named,
            everybody=len(named) == len(profiles),
            message=f"{finding.message} {limit:,}{size}",
            fix=finding.fix,
        )
