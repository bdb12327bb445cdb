"""What was found in a file so far: counts without limit, detail within a limit.

A ledger knows how bad each rule is for each provider looked at. Ledgers of parts of a file can be
merged, so that parts may be looked at by different processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ftproviders.data.findings import Finding, format_path
from ftproviders.data.positions import locate, locate_all
from ftproviders.data.rules import RULES
from ftproviders.data.secrets import mask
from ftproviders.data.statistics import Tally
from ftproviders.errors import ConfigurationError
from ftproviders.provider.info import DataProfile
from ftproviders.schema.dataset import Issue, Severity, Verdict
from ftproviders.schema.hyperparameters import Method

__all__ = ["LIMITS", "Judgement", "Ledger", "judgements", "minds"]

_LOCATED_AT_ONCE = 4096
_ORDER = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}
_WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How bad one rule is among the providers looked at."""

    severity: Severity | None
    """The worst; None when no provider minds."""
    providers: tuple[str, ...]
    """Those for whom it is the worst; empty when that is all of them."""
    by_provider: Mapping[str, Severity]
    """Provider -> severity, without those that do not mind."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Provider -> how much is still taken, for rules that ask for an amount."""


LIMITS: Mapping[str, Callable[[DataProfile], int | None]] = {
    "image.count": lambda profile: profile.maximum_row_images,
    "file.images": lambda profile: profile.maximum_image_rows,
    "file.bytes": lambda profile: profile.maximum_bytes,
    "file.upload": lambda profile: profile.maximum_plain_bytes,
    "row.tokens": lambda profile: profile.maximum_row_tokens,
}
"""Rule id -> limit of a provider; None = no limit."""


def minds(finding: Finding, profile: DataProfile) -> bool:
    """Say whether a finding concerns a provider at all, by its limit or the shapes it takes."""
    if finding.shape:
        return finding.shape not in profile.row_shapes
    if finding.amount is None:
        return True
    limit = LIMITS[finding.rule](profile)
    return limit is not None and finding.amount > limit


def judgements(
    profiles: Mapping[str, DataProfile], method: Method = Method.SUPERVISED
) -> Mapping[str, Judgement]:
    """Work out for every rule of the table how bad it is for the providers of `profiles`.

    Raises:
        ConfigurationError: A profile names a rule that is not in the table.
    """
    for name, profile in profiles.items():
        named = set(profile.severities).union(*profile.method_severities.values())
        for rule_id in sorted(named - RULES.keys()):
            raise ConfigurationError(
                f"The data profile of {name} names the rule {rule_id!r}, which does not exist.",
                provider=name,
                hint="Use an id of ftproviders.data.RULES.",
            )
    return {rule_id: _judge(rule_id, profiles, method) for rule_id in RULES}


def _judge(rule_id: str, profiles: Mapping[str, DataProfile], method: Method) -> Judgement:
    default = RULES[rule_id].severity
    if not profiles:
        return Judgement(default, (), {})
    each = {name: one.severity(rule_id, method, default) for name, one in profiles.items()}
    minding = {name: severity for name, severity in each.items() if severity is not None}
    if not minding:
        return Judgement(None, (), {})
    worst = max(minding.values(), key=_ORDER.__getitem__)
    named = tuple(name for name, severity in minding.items() if severity == worst)
    return Judgement(worst, () if len(named) == len(profiles) else named, minding)


class Ledger:
    """Findings and sums of one file, or of one part of it.

    Args:
        rules: How bad each rule is, from `judgements`.
        max_issues: How many issues of rows are kept in detail, of each severity. Issues of the file
            as a whole are few, and are all kept.
        profiles: The providers looked at, for rules that only some of them mind.

    Attributes:
        counts: Rule id -> how often it was broken; never capped.
        tally: Sums over the rows.
        first_of_shape: Shape of rows -> line of the first one.
    """

    def __init__(
        self,
        rules: Mapping[str, Judgement],
        *,
        max_issues: int,
        profiles: Mapping[str, DataProfile] | None = None,
    ) -> None:
        self._rules = rules
        self._profiles = profiles or {}
        self._max_issues = max_issues
        self._of_rows: dict[Severity, list[Issue]] = {severity: [] for severity in _WORST_FIRST}
        self._of_file: dict[Severity, list[Issue]] = {severity: [] for severity in _WORST_FIRST}
        self._extra: Counter[tuple[str, Severity, str]] = Counter()
        self._limit_issues = 0
        self.counts: Counter[str] = Counter()
        self.tally = Tally()
        self.first_of_shape: dict[str, int] = {}

    def note_shape(self, shape: str, line: int) -> None:
        """Remember where rows of a shape begin."""
        self.first_of_shape[shape] = min(line, self.first_of_shape.get(shape, line))

    def wants(self, rule_id: str) -> bool:
        """Say whether another finding of this rule would still be kept in detail."""
        severity = self._rules[rule_id].severity
        return severity is not None and self._has_room(severity)

    def wants_shape(self, rule_id: str, shape: str) -> bool:
        """Say the same for a rule that only those mind who do not take rows of a shape."""
        minding = self._minding(Finding(rule=rule_id, message="", shape=shape))
        if minding is None:
            return self.wants(rule_id)
        severities = map(self._rules[rule_id].by_provider.get, minding)
        return any(one is not None and self._has_room(one) for one in severities)

    def add_unlisted(self, rule_id: str, shape: str, times: int) -> None:
        """Count rows of a shape as `add` does, of which no detail is wanted."""
        finding = Finding(rule=rule_id, message="", shape=shape)
        minding = self._minding(finding)
        if minding is None:
            self.counts[rule_id] += times
        else:
            self._add_for(minding, finding, times=times, listed=False)

    def _minding(self, finding: Finding) -> list[str] | None:
        """Return the providers that mind a finding, where not all of those looked at do."""
        if not finding.shape and finding.amount is None:
            return None
        minding = [name for name, one in self._profiles.items() if minds(finding, one)]
        some = len(minding) < len(self._profiles) or (finding.amount and not self._profiles)
        return minding if some else None

    @property
    def room(self) -> int:
        """Number of severities of which more issues of rows would be kept; it only falls."""
        return sum(map(self._has_room, self._of_rows))

    def _has_room(self, severity: Severity) -> bool:
        return len(self._of_rows[severity]) < self._max_issues

    def add_row(self, findings: Iterable[Finding], *, line: int, text: str) -> None:
        """Count the findings in a row as `add` does; the row is searched once for many columns."""
        rest = iter(findings)
        while batch := list(islice(rest, _LOCATED_AT_ONCE)):
            wanted = [one for one in batch if one.shape or one.amount or self.wants(one.rule)]
            columns = locate_all(text, wanted) if len(wanted) > 1 else {}
            for one in batch:
                self.add(one, line=line, text=text, column=columns.get(one))

    def add(self, finding: Finding, *, line: int, text: str, column: int | None = None) -> None:
        """Count a finding in a row, and keep it in detail while there is room.

        Args:
            finding: What was found.
            line: Line number from 1.
            text: The line, in which the column is looked up.
            column: The column, where it is known.
        """
        judgement = self._rules[finding.rule]
        minding = self._minding(finding)
        if minding is not None:
            self._add_for(minding, finding, line=line, text=text, column=column)
            return
        self.counts[finding.rule] += 1
        if judgement.severity is None or not self.wants(finding.rule):
            return
        column = column or locate(text, finding)
        self._keep(self._of_rows, finding, judgement, line=line, column=column)

    def add_file_issue(self, rule_id: str, *, message: str, fix: str, line: int = 0) -> None:
        """Count an issue of the file as a whole."""
        judgement = self._rules[rule_id]
        self.counts[rule_id] += 1
        if judgement.severity is not None:
            finding = Finding(rule=rule_id, message=message, fix=fix)
            self._keep(self._of_file, finding, judgement, line=line, column=None)

    def add_limit_issue(
        self,
        rule_id: str,
        *,
        providers: Sequence[str],
        everybody: bool,
        message: str,
        fix: str,
        severity: Severity | None = None,
    ) -> None:
        """Count an issue that only `providers` have, because their limits differ.

        `severity` goes before what the rule has for them.
        """
        finding = Finding(rule=rule_id, message=message, fix=fix)
        self._add_for(providers, finding, everybody=everybody, given=severity)

    def _add_for(
        self,
        providers: Sequence[str],
        finding: Finding,
        *,
        line: int = 0,
        text: str = "",
        column: int | None = None,
        everybody: bool = False,
        given: Severity | None = None,
        times: int = 1,
        listed: bool = True,
    ) -> None:
        """Count a finding that only `providers` mind."""
        by_severity: dict[Severity, list[str]] = {}
        for name in providers:
            severity = given or self._rules[finding.rule].by_provider.get(name)
            if severity is not None:
                by_severity.setdefault(severity, []).append(name)
                self._extra[name, severity, finding.rule] += times
        for severity, names in by_severity.items():
            self._limit_issues += times
            if not listed:
                continue
            if line and not self._has_room(severity):
                continue
            whole = everybody and len(names) == len(providers)
            judgement = Judgement(severity, () if whole else tuple(names), {})
            column = (column or locate(text, finding)) if line else None
            kept = self._of_rows if line else self._of_file
            self._keep(kept, finding, judgement, line=line, column=column)

    def _keep(
        self,
        kept: dict[Severity, list[Issue]],
        finding: Finding,
        judgement: Judgement,
        *,
        line: int,
        column: int | None,
    ) -> None:
        severity = judgement.severity or Severity.INFO
        kept[severity].append(
            Issue(
                line=line,
                column=column,
                path=format_path(finding.path),
                rule=finding.rule,
                severity=severity,
                providers=judgement.providers,
                message=mask(finding.message),
                fix=mask(finding.fix),
            )
        )

    def merge(self, other: Ledger, *, line_offset: int) -> None:
        """Add the ledger of the part that begins `line_offset` lines further down."""
        self.counts.update(other.counts)
        self._extra.update(other._extra)
        self._limit_issues += other._limit_issues
        self.tally.merge(other.tally)
        for shape, line in other.first_of_shape.items():
            self.note_shape(shape, line + line_offset)
        for severity, kept in self._of_rows.items():
            room = max(self._max_issues - len(kept), 0)
            kept.extend(
                issue.model_copy(update={"line": issue.line + line_offset})
                for issue in other._of_rows[severity][:room]
            )

    def verdict(self, provider: str) -> Verdict:
        """Add up what one provider minds."""
        totals: Counter[Severity] = Counter()
        reasons: set[str] = set()
        minded = [
            (self._rules[rule_id].by_provider.get(provider), rule_id, count)
            for rule_id, count in self.counts.items()
        ]
        minded += [
            (severity, rule_id, count)
            for (name, severity, rule_id), count in self._extra.items()
            if name == provider
        ]
        for severity, rule_id, count in minded:
            if severity is not None:
                totals[severity] += count
            if severity is Severity.ERROR and count:
                reasons.add(rule_id)
        errors = totals[Severity.ERROR]
        return Verdict(
            ok=not errors,
            errors=errors,
            warnings=totals[Severity.WARNING],
            reasons=tuple(rule_id for rule_id in RULES if rule_id in reasons),
        )

    def issues(self) -> tuple[tuple[Issue, ...], int]:
        """Return the issues in file order, and how many more there were.

        Errors are kept before warnings, warnings before infos, and of each those of the file as a
        whole before those of rows.
        """
        listed = [
            issue
            for severity in _WORST_FIRST
            for kept in (self._of_file, self._of_rows)
            for issue in kept[severity]
        ][: self._max_issues]
        total = sum(
            count
            for rule_id, count in self.counts.items()
            if self._rules[rule_id].severity is not None
        )
        total += self._limit_issues
        listed.sort(key=lambda issue: (issue.line, issue.column or 0))
        return tuple(listed), max(total - len(listed), 0)
