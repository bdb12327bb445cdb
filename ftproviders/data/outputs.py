"""Output files that are there whole, or not at all.

An output is written beside its place under a temporary name and takes its place only when
everything went well: an error, a full disk or Ctrl-C leaves what was there before.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from ftproviders.data.findings import show_file
from ftproviders.errors import ConfigurationError

__all__ = ["check_outputs", "new_files"]


def check_outputs(
    outputs: Sequence[Path], *, sources: Sequence[Path] = (), overwrite: bool = False
) -> None:
    """Refuse outputs that would destroy something.

    Args:
        outputs: Files to be written; ``-`` is standard output.
        sources: Files that are read meanwhile, which are never overwritten.
        overwrite: Whether other files may be.

    Raises:
        ConfigurationError: An output is a source, another output, a folder, in no folder, or
            there already.
    """
    seen: list[Path] = []
    for out in outputs:
        if str(out) == "-":
            continue
        shown = show_file(out)
        if any(_same(out, source) for source in sources):
            raise ConfigurationError(
                f"{shown} is the file that is read; it is never overwritten.",
                hint="Name another output file.",
            )
        if any(_same(out, other) for other in seen):
            raise ConfigurationError(
                f"{shown} is named as two outputs.", hint="Name a file for each."
            )
        seen.append(out)
        if out.is_dir():
            raise ConfigurationError(f"{shown} is a folder.", hint="Name a file in it.")
        if not out.parent.is_dir():
            raise ConfigurationError(
                f"The folder {show_file(out.parent)} for {out.name} does not exist.",
                hint=f"Make it: mkdir -p {show_file(out.parent)}",
            )
        if out.is_file() and not overwrite:
            raise ConfigurationError(
                f"{shown} exists already.", hint="Name another file, or add --overwrite."
            )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()


@contextlib.contextmanager
def new_files(*outputs: Path) -> Iterator[tuple[IO[bytes], ...]]:
    """Open files that take their places together when the block ends without an exception.

    Standard output (``-``) and what is no regular file (a pipe, a device) are written directly.
    """
    opened: list[tuple[IO[bytes], Path | None, Path]] = []
    try:
        opened.extend(map(_open, outputs))  # those before one that fails are in the list
        yield tuple(file for file, _, _ in opened)
        for file, temporary, _ in opened:
            file.flush()
            if temporary is not None:
                os.fsync(file.fileno())
        for file, temporary, place in opened:
            if temporary is not None:
                file.close()
                temporary.replace(place)
    finally:
        for file, temporary, _ in opened:
            if temporary is None:
                continue
            file.close()
            temporary.unlink(missing_ok=True)


def _open(out: Path) -> tuple[IO[bytes], Path | None, Path]:
    if str(out) == "-":
        return sys.stdout.buffer, None, out
    place = Path(os.path.realpath(out))
    if place.exists() and not place.is_file():
        return place.open("wb"), None, place
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{place.name[:100]}.", suffix=".part", dir=place.parent
        )
    except PermissionError as error:
        raise ConfigurationError(
            f"{show_file(out)} cannot be written: nothing may be made in the folder "
            f"{show_file(place.parent)}.",
            hint="Name a file in another folder.",
        ) from error
    temporary = Path(name)
    try:
        temporary.chmod(_mode(place))
        return os.fdopen(handle, "wb"), temporary, place
    except BaseException:
        os.close(handle)
        temporary.unlink(missing_ok=True)
        raise


def _mode(place: Path) -> int:
    """Return the permissions that an ordinary new file would have, or the old file's."""
    if place.exists():
        return place.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
