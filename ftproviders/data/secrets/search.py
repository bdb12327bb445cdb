r"""The search for secrets through the bytes of a file.

Regular expressions over everything would cost several times as much as validation itself. Nearly
every secret holds a run of at least 20 letters, digits, ``-`` and ``_``, and ordinary text holds
few: `bytes.translate` and `bytes.find` jump from run to run, a look at the first bytes of the run
and at what stands before it leaves very few, and only around those the expressions are tried.
Private keys and passwords in connection strings are found by a fixed piece of text instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ftproviders.data.secrets.kinds import KINDS, NAMED, NAMES, SecretKind

__all__ = ["Secret", "find_secrets", "mask"]

_RUN = 20
_RUN_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_CLASSES = bytes(ord("a") if byte in _RUN_BYTES else ord(" ") for byte in range(256))
_NEEDLE = b"a" * _RUN
_BLOB = re.compile(rb"[A-Za-z0-9+/]{400,}")
"""Base64 of a picture, not of a key: its runs are not looked at one by one."""

_FREE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))"
"""Nothing of a word stands before; the letter of an escaped line break is none."""


@dataclass(frozen=True, slots=True)
class _Probe:
    """Some kinds that are tried at the same places, as one expression."""

    kinds: Sequence[SecretKind]
    pattern: re.Pattern[bytes]
    """The group that matched is ``k`` and the index of the kind."""
    nearby: Sequence[re.Pattern[bytes] | None]
    """What each of the kinds needs around it."""


def _probe(kinds: Sequence[SecretKind]) -> _Probe:
    parts = (
        f"(?P<k{number}>{_FREE if kind.heads else ''}(?:{kind.pattern}))"
        for number, kind in enumerate(kinds)
    )
    nearby = [re.compile(kind.nearby.encode()) if kind.nearby else None for kind in kinds]
    return _Probe(kinds, re.compile("|".join(parts).encode()), nearby)


def _by(marks: Callable[[SecretKind], Iterable[str]]) -> dict[bytes, _Probe]:
    """Sort kinds by their marks, and make a probe for each mark."""
    sorted_kinds: dict[str, list[SecretKind]] = {}
    for kind in KINDS:
        for mark in marks(kind):
            sorted_kinds.setdefault(mark, []).append(kind)
    return {mark.encode(): _probe(kinds) for mark, kinds in sorted_kinds.items()}


@dataclass(frozen=True, slots=True)
class _Probes:
    """All kinds, by what leads to them."""

    heads: Mapping[bytes, _Probe]
    tails: Mapping[bytes, _Probe]
    needles: Mapping[bytes, _Probe]
    assigned: Mapping[bytes, _Probe]
    named: _Probe


@cache
def _probes() -> _Probes:
    """Compile everything, at the first use: it takes a few hundredths of a second."""
    return _Probes(
        heads=_by(lambda kind: kind.heads),
        tails=_by(lambda kind: kind.tails),
        needles=_by(lambda kind: (kind.needle,) if kind.needle else ()),
        assigned=_by(lambda kind: kind.assigned),
        named=_probe((NAMED,)),
    )


_MAYBE = re.compile(r"[A-Za-z0-9_-]{20}|[@=]|-----|(?i:ecret_?access)")
"""What every secret holds; most short texts have nothing of it."""
_URL = b"://"
_LONGEST_LOGIN_BYTES = 280
_NAMED = _probe((NAMED,))
_ASSIGNING = b"\"'\\ \t:=>"

_SHORTEST_NAMED = 24
_MASKED = frozenset(b"xX*.#-_?")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that was found; the secret itself is not in here."""

    kind: SecretKind
    start: int
    """First byte of what has to be hidden."""
    end: int
    """Byte after it."""
    shown: str
    """What may be seen of it: a mark that all of its kind have in common."""

    @property
    def masked(self) -> str:
        """How it is written for people."""
        return f"{self.shown}*** ({self.end - self.start} characters)"


def find_secrets(data: bytes) -> list[Secret]:
    """Find secrets in text as it stands in a JSON file; plain UTF-8 text will do as well.

    Args:
        data: Any number of lines.

    Returns:
        What was found, in order and without overlaps.
    """
    probes = _probes()
    found = [*_tokens(data, probes), *_structures(data, probes)]
    found.sort(key=lambda secret: secret.start)
    apart: list[Secret] = []
    for secret in found:
        if not apart or secret.start >= apart[-1].end:
            apart.append(secret)
    return apart


def _tokens(data: bytes, probes: _Probes) -> Iterator[Secret]:
    runs = data.translate(_CLASSES)
    start = runs.find(_NEEDLE)
    while start >= 0:
        end = runs.find(b" ", start + _RUN)
        end = len(data) if end < 0 else end
        if data[end : end + 1] in (b"+", b"/"):
            blob = _BLOB.match(data, start)
            end = blob.end() if blob else end
        found = _look(data, start, end, probes)
        if found:
            yield found
            end = max(end, found.end)
        start = runs.find(_NEEDLE, end)


def _look(data: bytes, start: int, end: int, probes: _Probes) -> Secret | None:
    """Look at one run: how it begins, what stands directly before it, what it is called."""
    joint = data[start - 1 : start] if start else b""
    begin = start + 1 if joint == b"\\" else start  # the letter of an escaped line break
    probe = probes.heads.get(data[begin : begin + 3])
    found = _try(data, probe, begin)
    if not found and start > 1:
        tail = data[start - 2 : start]
        found = _try(data, probes.tails.get(tail) or probes.tails.get(joint), start)
        if not found and joint in _ASSIGNING and end - start >= _SHORTEST_NAMED:
            before = data[max(0, start - 24) : start].rstrip(_ASSIGNING).lower()
            found = _try(data, probes.named, start) if before.endswith(NAMES) else None
    return found


def _structures(data: bytes, probes: _Probes) -> Iterator[Secret]:
    for needle in probes.needles:
        if needle != _URL:
            yield from _along(data, needle, probes, _fixed)
    yield from _along(data, b"@", probes, _login)
    yield from _along(data, b"=", probes, _assignment)


def _along(
    data: bytes,
    needle: bytes,
    probes: _Probes,
    look: Callable[[bytes, bytes, int, _Probes], Secret | None],
) -> Iterator[Secret]:
    place = data.find(needle)
    while place >= 0:
        found = look(data, needle, place, probes)
        if found:
            yield found
        place = data.find(needle, max(place + len(needle), found.end if found else 0))


def _fixed(data: bytes, needle: bytes, place: int, probes: _Probes) -> Secret | None:
    """Look for a secret that begins with the needle at `place`."""
    return _try(data, probes.needles[needle], place)


def _login(data: bytes, _: bytes, place: int, probes: _Probes) -> Secret | None:
    """Look for an address with a password before the ``@`` at `place`."""
    slash = data.rfind(b"/", max(0, place - _LONGEST_LOGIN_BYTES), place)
    if slash < 0:
        return None
    # Neither name nor password may hold a slash: this one is the second of the two, or nothing is.
    begin = slash - 2 if data[slash - 1 : slash] == b"/" else slash - 4
    return _try(data, probes.needles[_URL], begin) if begin > 0 else None


def _assignment(data: bytes, _: bytes, place: int, probes: _Probes) -> Secret | None:
    """Look for a secret that is assigned by the ``=`` at `place`."""
    return _try(data, probes.assigned.get(data[max(0, place - 3) : place]), place - 3)


def _try(data: bytes, probe: _Probe | None, place: int) -> Secret | None:
    """Say which kind of the probe, if any, begins at `place`."""
    match = probe.pattern.match(data, place) if probe else None
    if probe is None or match is None or match.lastgroup is None:
        return None
    number = int(match.lastgroup[1:])
    kind, nearby = probe.kinds[number], probe.nearby[number]
    if nearby and not nearby.search(data, max(0, place - kind.reach), match.end() + kind.reach):
        return None
    # The group inside, where there is one, is the secret part of what matched.
    own = probe.pattern.groupindex[match.lastgroup]
    inner = own + 1 if own < probe.pattern.groups and match.start(own + 1) >= 0 else own
    start, end = match.span(inner)
    start = max(0, start - kind.lead)
    if _MASKED.issuperset(data[start + kind.shown : end]):
        return None
    return Secret(kind, start, end, data[start : start + kind.shown].decode("ascii", "replace"))


def mask(text: str) -> str:
    """Return `text` with the secrets in it hidden."""
    if not _MAYBE.search(text):
        return text
    raw = text.encode("utf-8", "surrogatepass")
    found = find_secrets(raw)
    if not found:
        return text
    pieces, end = [], 0
    for secret in found:
        pieces.append(raw[end : secret.start] + secret.shown.encode() + b"***")
        end = secret.end
    return b"".join([*pieces, raw[end:]]).decode("utf-8", "surrogatepass")
