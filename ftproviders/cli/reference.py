"""Writes the list of commands in ``docs/cli.md`` from the commands themselves.

``python -m ftproviders.cli.reference docs/cli.md`` rewrites what stands between the two markers;
with ``--check`` it only says whether that would change anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from ftproviders.cli.main import app
from ftproviders.cli.session import COMMON_FLAGS

__all__ = ["commands", "main", "updated", "verbs"]

BEGIN = "<!-- commands: begin (python -m ftproviders.cli.reference docs/cli.md) -->"
END = "<!-- commands: end -->"


def commands() -> str:
    """Return one section for each verb, in the order of ``--help``; ``data`` has verbs itself."""
    group: Any = typer.main.get_command(app)
    return "\n".join(_section(name, command) for name, command in verbs(group))


def verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield name and command of every verb, also of those in groups."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def updated(text: str) -> str:
    """Return `text` with the part between the markers written anew.

    Raises:
        ValueError: A marker is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the markers {BEGIN!r} and {END!r} are needed")
    return f"{before}{BEGIN}\n\n{commands()}\n{END}{after}"


def _section(name: str, command: Any) -> str:
    own = [p for p in command.params if p.name not in COMMON_FLAGS and p.name != "help"]
    arguments = [p for p in own if p.param_type_name == "argument"]
    flags = [p for p in own if p.param_type_name == "option"]
    usage = " ".join(
        ["ftproviders", name]
        + [p.metavar if p.required else f"[{p.metavar}]" for p in arguments]
        + (["[FLAGS]"] if flags else [])
    )
    lines = [f"### {name}", "", " ".join(str(command.help).split()), "", f"`{usage}`", ""]
    if own:
        lines += ["| argument or flag | what it says |", "|---|---|"]
        lines += [f"| {_name(p)} | {_cell(p.help)}{_default(p)} |" for p in [*arguments, *flags]]
        lines.append("")
    return "\n".join(lines)


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_cell(parameter.metavar)}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or 'VALUE'}"
    return ", ".join(f"`{_cell(flag + value)}`" for flag in parameter.opts)


def _default(parameter: Any) -> str:
    default = None if parameter.required else parameter.default
    if default is None or isinstance(default, (bool, list, tuple)) or callable(default):
        return ""
    return f" Default: {default}."


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def main(arguments: Sequence[str]) -> int:
    """Rewrite or check the file; return the exit code."""
    check = "--check" in arguments
    names = [argument for argument in arguments if argument != "--check"]
    if len(names) != 1:
        print("usage: python -m ftproviders.cli.reference [--check] docs/cli.md", file=sys.stderr)
        return 2
    file = Path(names[0])
    text = file.read_text(encoding="utf-8")
    new = updated(text)
    if check:
        if new != text:
            print(f"{file} does not fit the commands; run without --check.", file=sys.stderr)
        return int(new != text)
    file.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
