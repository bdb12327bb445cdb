"""Reading the fenced code blocks of a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

_FENCE = re.compile(r"^```(\S*)[ \t]*([^\n]*)\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: ```` ```bash norun: reason ````."""

    page: Path
    line: int
    language: str
    info: str
    code: str
    expected: str | None = None
    """Text of the ``text output`` block that follows; ``…`` stands for anything."""

    @property
    def reason_not_to_run(self) -> str | None:
        """Return why the block is not run, or None when it is."""
        found = re.match(r"norun:?\s*(.*)", self.info)
        return found.group(1) if found else None

    @property
    def excerpt_of(self) -> str | None:
        """Return the file, relative to the root, of which the block is a part."""
        found = re.fullmatch(r"from (\S+)", self.info)
        return found.group(1) if found else None


def blocks(page: Path) -> Iterator[Block]:
    """Yield the page's blocks; an ``output`` block belongs to the one before it."""
    text = page.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    for match, after in zip_longest(found, found[1:]):
        if match.group(2).startswith("output"):
            continue
        output = after.group(3) if after and after.group(2).startswith("output") else None
        yield Block(
            page=page,
            line=text.count("\n", 0, match.start()) + 1,
            language=match.group(1),
            info=match.group(2).strip(),
            code=match.group(3),
            expected=output,
        )


def missing_lines(expected: str, actual: str) -> list[str]:
    """Return the expected lines that `actual` lacks; runs of blanks count as one."""
    squeezed = [" ".join(line.split()) for line in actual.splitlines()]
    return [
        line
        for line in expected.splitlines()
        if line.strip() and not any(_pattern(line).fullmatch(have) for have in squeezed)
    ]


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in " ".join(line.split()).split("…")))
