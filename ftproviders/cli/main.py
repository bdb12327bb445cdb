"""The command line: every verb, and the way in and out."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import typer

from ftproviders.cli import (
    catalogue,
    chatting,
    checkpointing,
    data,
    datafiles,
    deploying,
    deployments,
    exporting,
    jobs,
    keeping,
    methods,
    metrics,
    reporting,
    submitting,
    trial,
)
from ftproviders.cli.failures import guarded
from ftproviders.cli.output import Output
from ftproviders.cli.streams import open_closed, settle, writing

__all__ = ["app", "main", "run"]

_NAME = "ftproviders"

# Typer's rich help costs an import that plain help does not, and says the same.
app = typer.Typer(
    name=_NAME,
    help="Fine-tune language models on any provider with the same commands.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _command in (
    trial.demo,
    data.validate,
    submitting.plan,
    submitting.submit,
    jobs.jobs,
    jobs.status,
    jobs.watch,
    jobs.events,
    metrics.metrics,
    reporting.report,
    jobs.model,
    exporting.export,
    checkpointing.checkpoints,
    jobs.cancel,
    checkpointing.pause,
    checkpointing.resume,
    jobs.adopt,
    jobs.reconcile,
    deploying.deploy,
    deployments.deployments,
    deploying.undeploy,
    deploying.extend,
    chatting.chat,
    keeping.files,
    catalogue.providers,
    catalogue.models,
    methods.methods,
    catalogue.doctor,
):
    app.command()(_command)

_data = typer.Typer(
    help="Count, convert and split data files.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (data.stats, data.tokens, datafiles.convert, datafiles.split):
    _data.command()(_command)
app.add_typer(_data, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as installed

        try:
            print(f"ftproviders {installed('ftproviders')}")
        except PackageNotFoundError:
            print("ftproviders (run from its source folder, not installed)")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and leave."
    ),
) -> None:
    del version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: Without the program's name; default ``sys.argv[1:]``.

    Returns:
        The exit code; the table stands in ``failures``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # A flag that does not exist is found before --json is read, so it is looked up here.
    flags = given[: given.index("--")] if "--" in given else given
    output = Output(json_mode="--json" in flags, quiet="--quiet" in flags)

    def action() -> int:
        command = typer.main.get_command(app)
        code = command.main(args=given or ["--help"], prog_name=_NAME, standalone_mode=False)
        with writing():
            sys.stdout.flush()
        if not given:
            return 2  # the help was shown, but no verb was named
        return code if isinstance(code, int) else 0

    return guarded(action, output=output, debug="--debug" in flags)


def run() -> None:
    """Be the ``ftproviders`` command."""
    open_closed()
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end a command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = main()
    settle()
    sys.exit(code)
