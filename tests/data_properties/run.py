"""Files of good and mutated rows, each one looked at by both engines, and what came out counted."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Severity, ValidationReport
from ftproviders.schema.hyperparameters import Method
from tests.data_properties.good_rows import GoodRows, Writing
from tests.data_properties.mutations import (
    Mutations,
    planted_faults,
    planted_of_methods,
    varied,
)
from tests.unit.data.data_cases import image
from tests.unit.data.method_cases import METHOD_CASES, sized
from tests.unit.data.test_secrets import SAMPLES

LIMITS = {
    "MAX_ROW_BYTES": 60_000,
    "MAX_IMAGE_BYTES": 900,
    "_CHUNK_BYTES": 50_000,
    "_BLOCK_BYTES": 6_000,
    "_SHORT_BYTES": 250,
    "_LONG": 60,
    "_EDGE": 9,
}
"""Constants of the data room, made small; a file of some hundred rows then has many blocks."""

ALL = 1_000_000
HAS_NATIVE = importlib.util.find_spec("ftproviders.data._native") is not None
SHAPES = frozenset({"messages", "preference", "chosen-rejected", "prompt-completion", "text"})
PROFILE = DataProfile(
    severities={"row.consecutive_assistant": Severity.WARNING},
    maximum_row_images=10,
    row_shapes=SHAPES,
)
PLANTED = {
    Method.SUPERVISED: {
        **planted_faults(),
        **{rule: line for rule, line in planted_of_methods().items()
           if METHOD_CASES[rule].method is Method.SUPERVISED},
        "image.bytes": image(f'"url": "data:image/png;base64,{sized(901)}"').encode(),
        "json.length": b'{"messages": [' + b" " * 60_000 + b"]}",
    },
    Method.DPO: {rule: line for rule, line in planted_of_methods().items()
                 if METHOD_CASES[rule].method is Method.DPO},
    Method.REINFORCEMENT: {rule: line for rule, line in planted_of_methods().items()
                           if METHOD_CASES[rule].method is Method.REINFORCEMENT},
}  # fmt: skip
"""Method -> rule -> a row that breaks it."""

KINDS = ("plain", "plain", "alike", "rich", "plain and rich", "completion", "text")
"""What the good rows of a supervised file are."""

SHARES = (0.0, "one", "few", 0.5, 0.9, 0.95, 1.0, 1.0, 1.0)
"""How many rows of a file are mutated."""


@dataclass
class Counts:
    """What a run counted."""

    rows: Counter[Method] = field(default_factory=Counter)
    mutated: int = 0
    files: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    """Rule id -> issues."""
    native: Counter[str] = field(default_factory=Counter)
    """Place in the native engine's code -> rows that were refused there."""
    spared: Counter[str] = field(default_factory=Counter)
    """Rule id -> issues that the native engine counted by itself or had counted."""

    def lines(self) -> Iterator[str]:
        """Write the numbers for people."""
        total = sum(self.rows.values())
        yield f"{self.files:,} files, {total:,} rows, {self.mutated / total:.1%} of them mutated"
        yield from (f"{method.value}: {count:,} rows" for method, count in self.rows.items())
        rule, hits = self.hits.most_common()[-1]
        yield f"{len(self.hits)} rules hit, least of them {rule}: {hits} times"


class Run:
    """One run over many files.

    Args:
        folder: Where the files are written, one after the other.
        seed: Chance; the same seed makes the same files.
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.chance = random.Random(seed)
        self.counts = Counts()
        self._folder = folder
        self.good = GoodRows(self.chance)
        self._mutations = Mutations(self.chance)
        self._planted = {
            method: itertools.cycle(sorted(rows.items())) for method, rows in PLANTED.items()
        }
        self._secrets = itertools.cycle(_secrets())

    def compare(self, content: bytes, **wishes: Any) -> ValidationReport:
        """Look at a file with both engines; return the report on which they agree."""
        file = self._folder / "rows.jsonl"
        file.write_bytes(content)
        validation: Any = importlib.import_module("ftproviders.data.validation")
        wishes = {"profiles": {"all": PROFILE}, "max_issues": ALL, "across_rows": True, **wishes}
        with engine("judge"):
            judged = validation.validate(file, **wishes)
        with engine("python"):
            assert_same(judged, validation.validate(file, **wishes), content)
        if HAS_NATIVE:
            self._compare_native(judged, content, file, wishes)
        report: ValidationReport = judged[1]
        assert report.issues_truncated == 0
        self.counts.files += 1
        self.counts.hits.update(issue.rule for issue in report.issues)
        self.counts.rows[wishes.get("method", Method.SUPERVISED)] += report.rows
        return report

    def _compare_native(
        self, judged: Any, content: bytes, file: Path, wishes: dict[str, Any]
    ) -> None:
        """Look with the native engine: at every file with no detail, at some with all of it."""
        validation: Any = importlib.import_module("ftproviders.data.validation")
        scan: Any = importlib.import_module("ftproviders.data.scan")
        engines: Any = importlib.import_module("ftproviders.data.engines")
        made: list[Any] = []
        with engine("native", made):
            if self.counts.files % 8 == 0:  # what is described is described by the judge
                assert_same(judged, validation.validate(file, **wishes), content)
            if wishes.get("method", Method.SUPERVISED) is not Method.SUPERVISED:
                return
            if "model" in wishes:
                return  # which looks at the file by itself
            issues = Counter(issue.rule for issue in judged[1].issues)
            if issues["file.format"]:
                return
            ledger = scan.scan_part(engines_job(file, wishes)).ledger
        for one in made:
            self.counts.native.update(one.refusals())
        rules = engines.native().RULES
        counts = ledger.counts + Counter()
        for (_, _, rule), times in ledger._extra.items():  # of the two providers, one minds
            counts[rule] += times
        said = {rule: counts[rule] for rule in rules}
        assert said == {rule: issues[rule] for rule in rules}, content[:5_000]
        if judged[1].rows:
            assert ledger.tally.to_statistics() == judged[1].statistics, content[:5_000]
        self.counts.spared.update(said)

    def check_file(self, method: Method) -> None:
        """Make a file, look at it, and look again with less detail."""
        chance = self.chance
        rows, mutated = self.lines(method)
        self.counts.mutated += mutated
        content = self._joined(rows)
        wishes = self._wishes(method, len(content), len(rows))
        report = self.compare(content, **wishes)
        if chance.random() < 0.2:
            validation: Any = importlib.import_module("ftproviders.data.validation")
            wishes["max_issues"] = chance.choice((0, 1, 3))
            file = self._folder / "rows.jsonl"
            capped = validation.validate(
                file, **{"profiles": {"all": PROFILE}, "across_rows": True, **wishes}
            )[1]
            assert capped.verdicts == report.verdicts, "detail is capped, counts are not"
            assert len(capped.issues) + capped.issues_truncated == len(report.issues)

    def lines(self, method: Method) -> tuple[list[bytes], int]:
        """Make the lines of a file; return how many of them are mutated, too."""
        chance = self.chance
        count = chance.choice((1, 9, 40, 200, 400))
        writing = Writing(chance)
        makers = self._makers(method)
        lines = [writing.write(chance.choice(makers)()) for _ in range(count)]
        share = chance.choice(SHARES)
        if share == "one":
            bad = {chance.randrange(count)}
        elif share == "few":
            bad = {chance.randrange(count) for _ in range(4)}
        else:
            bad = {index for index in range(count) if chance.random() < float(share)}
        for index in bad:
            lines[index] = self._bad(lines[index], method)
        if chance.random() < 0.5 and count > 1:
            self._repeat(lines)
        return lines, len(bad)

    def _makers(self, method: Method) -> Sequence[Any]:
        good = self.good
        if method is Method.REINFORCEMENT:
            return [good.graded]
        if method is not Method.SUPERVISED:
            return [self.chance.choice((good.pair, good.columns))]
        match self.chance.choice(KINDS):
            case "plain":
                return [good.talk]
            case "alike":
                return [good.question]
            case "rich":
                return [good.rich]
            case "completion":
                return [good.completion]
            case "text":
                return [good.plain_text]
            case _:
                return [good.talk, good.talk, good.rich]

    def _bad(self, line: bytes, method: Method) -> bytes:
        """Return a row with something wrong, in place of `line`."""
        chance = self.chance
        dice = chance.random()
        own = method if method in PLANTED else Method.DPO
        if dice < 0.45:
            return varied(next(self._planted[own])[1], self.good.text())
        if dice < 0.52 and method is Method.SUPERVISED:
            said, secret = next(self._secrets)
            text = json.dumps(f"use {said}{secret} here")[1:-1].encode()
            return line.replace(b'": "', b'": "' + text + b" ", 1)
        if dice < 0.65:
            return self._mutations.mutated(next(self._planted[own])[1])
        return self._mutations.mutated(line)

    def _repeat(self, lines: list[bytes]) -> None:
        """Write some rows twice, and some with another answer."""
        chance = self.chance
        for _ in range(chance.choice((1, 2, 5))):
            line = chance.choice(lines)
            if chance.random() < 0.5:
                at = line.rfind(b'"}')
                line = line[:at] + b" or not" + line[at:] if at > 0 else line
            lines[chance.randrange(len(lines))] = line

    def _joined(self, lines: Sequence[bytes]) -> bytes:
        """Write lines into one, with all sorts of line ends."""
        chance = self.chance
        end = b"\r\n" if chance.random() < 0.3 else b"\n"
        lines = [line.replace(b"\n", b" ") for line in lines]
        if chance.random() < 0.4:
            for _ in range(chance.choice((1, 3))):
                blank = chance.choice((b"", b" \t"))
                lines = [*lines[: (at := chance.randrange(len(lines) + 1))], blank, *lines[at:]]
        content = end.join(lines) + (end if chance.random() < 0.6 else b"")
        return b"\xef\xbb\xbf" + content if chance.random() < 0.3 else content

    def _sometimes(self, value: Any) -> Any:
        return value if self.chance.random() < 0.35 else None

    def _wishes(self, method: Method, size: int, count: int) -> dict[str, Any]:
        """Choose what providers want, so that now and then the file is beyond it."""
        chance = self.chance
        profile = replace(
            PROFILE,
            minimum_training_rows=chance.choice((1, 1, count + 1)),
            maximum_bytes=self._sometimes(size - 1),
            maximum_plain_bytes=self._sometimes(size - 1),
            maximum_image_rows=self._sometimes(0),
            maximum_row_tokens=self._sometimes(120),
            methods=self._sometimes(frozenset(Method) - {method}),
            needs_validation_file=frozenset(Method) if chance.random() < 0.35 else frozenset(),
        )
        profiles = {"all": profile}
        if chance.random() < 0.3:
            profiles["usual"] = DataProfile()
        return {
            "profiles": profiles,
            "method": method,
            "has_validation_file": chance.choice((False, False, True, None)),
            "count_tokens": _count_tokens if chance.random() < 0.7 else None,
            "secrets": chance.choice(("warning", "warning", "error", "off")),
        }


def engines_job(file: Path, wishes: dict[str, Any]) -> Any:
    """Return what asks for a pass over a file of which no detail is wanted."""
    scan: Any = importlib.import_module("ftproviders.data.scan")
    ledger: Any = importlib.import_module("ftproviders.data.ledger")
    profiles = wishes["profiles"]
    return scan.Job(
        path=file,
        method=Method.SUPERVISED,
        shapes=SHAPES,
        rules=ledger.judgements(profiles),
        profiles=profiles,
        max_issues=0,
        want_keys=False,
    )


def _count_tokens(row: object) -> int:
    return len(json.dumps(row)) // 4


def _secrets() -> list[tuple[str, str]]:
    """Return samples of every rule, each rule as often as the others."""
    special = ("a JSON Web Token", "a private key", "a connection string with a password")
    tokens = [one for name, some in SAMPLES.items() if name not in special for one in some]
    others = [SAMPLES[name] for name in special]
    return [
        one
        for index, token in enumerate(tokens)
        for one in (token, *(some[index % len(some)] for some in others))
    ]


@contextmanager
def engine(name: str, made: list[Any] | None = None) -> Iterator[None]:
    """Let one of the engines look at every row, for as long as this lasts.

    Args:
        name: ``judge``, ``python`` or ``native``.
        made: Where the engines are put that were used.
    """
    scan: Any = importlib.import_module("ftproviders.data.scan")
    engines: Any = importlib.import_module("ftproviders.data.engines")
    kinds = {"judge": "ExactEngine", "python": "TwoPathEngine", "native": "NativeEngine"}
    kind = getattr(engines, kinds[name])
    usual = scan.engine_for

    def engine_for(rows: Any) -> Any:
        one = kind(rows)
        if made is not None:
            made.append(one)
        return one

    scan.engine_for = engine_for
    try:
        yield
    finally:
        scan.engine_for = usual


def assert_same(judged: Any, both: Any, content: bytes) -> None:
    """Compare two results; name the first line about which they differ."""
    if judged == both:
        return
    for one, other in itertools.zip_longest(judged[1].issues, both[1].issues):
        if one != other:
            line = min(issue.line for issue in (one, other) if issue is not None)
            text = content.splitlines()[line - 1][:2_000] if line else content[:200]
            raise AssertionError(f"judge: {one}\nboth:  {other}\nline {line}: {text!r}")
    for name, value in judged[1]:
        assert getattr(both[1], name) == value, f"{name} differs; rows: {content[:5_000]!r}"
    assert judged == both
