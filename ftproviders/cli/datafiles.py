"""``data convert`` and ``data split``: other files out of data files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ftproviders.cli.progress import reading
from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftproviders.cli.output import Output
    from ftproviders.data.conversion import RowMapping
    from ftproviders.data.shapes import Shape
    from ftproviders.schema.conversion import ConversionReport, SplitReport

__all__ = ["Overwrite", "SourceFile", "convert", "split"]

SourceFile: TypeAlias = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="File to read; - is standard input.", show_default=False),
]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Replace output files that are there already.")
]
_Template: TypeAlias = str | None


@verb
def convert(
    session: Session,
    file: SourceFile,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="File to write: .jsonl, .json, .csv or .tsv, with .gz packed; - is standard "
            "output.",
            show_default=False,
        ),
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="ROLE=COLUMN,...",
            help="Which column is what (repeatable). Roles: system, user, assistant; prompt, "
            "chosen, rejected; messages, tools. Needed where the rows have no known shape.",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="System message for rows that have none.")
    ] = None,
    user_template: Annotated[
        _Template,
        typer.Option(
            "--user-template",
            metavar="TEXT",
            help=r"User's message, with {column} in it; \n is a line feed.",
        ),
    ] = None,
    assistant_template: Annotated[
        _Template,
        typer.Option("--assistant-template", metavar="TEXT", help="The same for the assistant's."),
    ] = None,
    system_template: Annotated[
        _Template,
        typer.Option("--system-template", metavar="TEXT", help="The same for the system's."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep", metavar="COLUMN", help="Copy this column into the row (repeatable)."
        ),
    ] = None,
    source_shape: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SHAPE",
            help="Shape of the rows: messages, preference, chosen-rejected, prompt-completion, "
            "alpaca or sharegpt. Default: told from their keys.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="SHAPE",
            help="Shape to write: one of the same, or columns. Default: messages, or preference "
            "where the rows have rejected answers.",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="Encoding, where it is known better."),
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The table has no header; columns are 1, 2, 3.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out rows that cannot be converted, and list them."),
    ] = False,
    overwrite: Overwrite = False,
) -> int:
    """Turn a table, JSON, Parquet or rows of another shape into chat rows, or back.

    What the file is - packed, in which encoding, which format - is told from its bytes. The output
    is there whole or not at all; a row that cannot be converted ends the command with its line.
    """
    from ftproviders.data.conversion import convert as run
    from ftproviders.errors import ConfigurationError

    if str(out) == "-" and session.out.json_mode:
        raise ConfigurationError(
            "--json and --out - both write to standard output.", hint="Name a file with --out."
        )
    templates = {
        "user": user_template,
        "assistant": assistant_template,
        "system": system_template,
    }
    mapping = _mapping(columns or (), templates, system, keep or (), source_shape)
    report = run(
        file,
        out,
        mapping=mapping,
        target=_shape(target, "--to"),
        encoding=encoding,
        header=not no_header,
        skip_bad=skip_bad,
        overwrite=overwrite,
        on_progress=reading(session.out, f"converting {file}"),
    )
    if str(out) == "-":
        session.out.note(f"{report.rows:,} rows of shape {report.target} ({report.read_as})")
    elif session.out.json_mode:
        session.out.document("conversion", report.model_dump(mode="json"))
    else:
        _show_conversion(session.out, report)
    return 0


def _mapping(
    columns: Sequence[str],
    templates: Mapping[str, str | None],
    system: str | None,
    keep: Sequence[str],
    source_shape: str | None,
) -> RowMapping:
    from ftproviders.data.conversion import RowMapping
    from ftproviders.data.shapes import parse_columns
    from ftproviders.errors import ConfigurationError

    named: dict[str, str] = {}
    for text in columns:
        try:
            named |= parse_columns(text)
        except ValueError as error:
            raise ConfigurationError(
                f"--columns {text}: {error}.",
                hint="For instance: --columns user=question,assistant=answer",
            ) from error
    return RowMapping(
        source_shape=_shape(source_shape, "--from"),
        columns=named,
        templates={role: _unescaped(text) for role, text in templates.items() if text is not None},
        system=None if system is None else _unescaped(system),
        keep=tuple(keep),
    )


def _shape(name: str | None, flag: str) -> Shape | None:
    from ftproviders.data.shapes import Shape
    from ftproviders.errors import ConfigurationError

    if name is None:
        return None
    try:
        return Shape(name.replace("_", "-"))
    except ValueError as error:
        raise ConfigurationError(
            f"{flag}: there is no shape {name!r}.", hint=f"Shapes: {', '.join(Shape)}."
        ) from error


def _unescaped(text: str) -> str:
    r"""Read ``\n``, ``\t`` and ``\\``, which a shell passes on as they are."""
    pieces = text.split(r"\\")
    return "\\".join(piece.replace(r"\n", "\n").replace(r"\t", "\t") for piece in pieces)


def _show_conversion(out: Output, report: ConversionReport) -> None:
    shapes = ", ".join(f"{count:,} {shape}" for shape, count in report.shapes.items())
    pairs = [
        ("read", f"{report.source} ({report.read_as}): {shapes}"),
        ("wrote", f"{report.out}: {report.rows:,} rows of shape {report.target}"),
    ]
    if report.left_out:
        pairs.append(("left out", f"columns {', '.join(report.left_out)}"))
    if report.bad_rows:
        pairs.append(("skipped", f"{report.bad_rows:,} rows that cannot be converted"))
    out.pairs(pairs)
    for row in report.bad:
        out.line(f"{report.source}:{row.line}: {row.message}")
    if report.bad_rows > len(report.bad):
        out.line(f"... and {report.bad_rows - len(report.bad):,} more")
    if report.target in {"messages", "preference"}:
        method = " --method dpo" if report.target == "preference" else ""
        out.note(f"next: ftproviders validate {report.out}{method}")


@verb
def split(
    session: Session,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON Lines file to split.", show_default=False)
    ],
    validation: Annotated[
        str,
        typer.Option(
            "--validation", metavar="SIZE", help="Share (0.1) or number (200) of validation rows."
        ),
    ] = "0.1",
    test: Annotated[
        str, typer.Option("--test", metavar="SIZE", help="The same for test rows; 0 = none.")
    ] = "0",
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another split.")] = 0,
    group_by: Annotated[
        str | None,
        typer.Option(
            "--group-by",
            metavar="FIELD",
            help="Keep rows together that have the same value there (metadata.user), or that "
            "ask the same (prompt). Equal rows always stay together.",
        ),
    ] = None,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out-folder", metavar="FOLDER", help="Default: beside the file."),
    ] = None,
    overwrite: Overwrite = False,
) -> int:
    """Split rows into training, validation and test files.

    The same rows and seed make the same files, in whatever order the rows are. Files are named
    NAME.train.jsonl, NAME.validation.jsonl and NAME.test.jsonl.
    """
    from ftproviders.data.splitting import split as run

    report = run(
        file,
        validation=_size(validation, "--validation"),
        test=_size(test, "--test"),
        seed=seed,
        group_by=group_by,
        out_folder=out_folder,
        overwrite=overwrite,
        on_progress=reading(session.out, f"splitting {file}"),
    )
    if session.out.json_mode:
        session.out.document("split", report.model_dump(mode="json"))
    else:
        _show_split(session.out, report)
    return 0


def _size(text: str, flag: str) -> float:
    from ftproviders.errors import ConfigurationError

    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else _number(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{flag} {text}: this is no size.", hint="Give a share (0.1, 10%) or a number (200)."
        ) from error


def _number(text: str) -> float:
    """Return a whole number as an int, so that 1 is one row and 0.5 is half of them."""
    return float(text) if "." in text else int(text)


def _show_split(out: Output, report: SplitReport) -> None:
    rows = [
        (
            part.name,
            str(part.file),
            f"{part.rows:,}",
            "" if part.wanted is None else f"{part.wanted:,}",
        )
        for part in report.parts
    ]
    out.table(("part", "file", "rows", "wanted"), rows)
    out.line()
    kept = "equal rows" if report.group_by == "row" else f"rows with the same {report.group_by}"
    pairs = [("kept together", f"{kept} ({report.groups:,} groups of {report.rows:,} rows)")]
    if report.shared_prompts:
        leak = f"{report.shared_prompts:,} prompts are both learnt and asked; see --group-by prompt"
    else:
        leak = "no prompt stands in the training rows and in the others"
    out.pairs([*pairs, ("leaks", leak)])
