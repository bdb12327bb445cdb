"""``files``: data files that are kept at providers, and deleting those that nothing needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftproviders.cli import shapes
from ftproviders.cli.output import when
from ftproviders.cli.session import Session, verb
from ftproviders.errors import ConfigurationError, ConsentError, FineTuneError

if TYPE_CHECKING:
    from ftproviders.schema.file import DeletedFiles, KeptFile

__all__ = ["files"]


@verb
def files(
    session: Session,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Only of this provider.")
    ] = None,
    delete_unused: Annotated[
        bool,
        typer.Option(
            "--delete-unused",
            help="First delete the files that were sent from here and that nothing needs.",
        ),
    ] = False,
) -> int:
    """List the data files of fine-tuning, at every provider that is set up here.

    --delete-unused deletes those that the journal here has sent and that no job needs which has not
    ended; they are listed, and on a paid provider agreed to, first. Exit 3 when a provider could
    not be asked, or a file could not be deleted.
    """
    found: list[KeptFile] = []
    done: list[DeletedFiles] = []
    problems: list[str] = []
    for name in _chosen(session, provider):
        try:
            if delete_unused:
                done.append(_deleted(session, name))
            found += session.client.files(name)
        except ConsentError:
            raise
        except FineTuneError as error:
            if provider is not None and not done:
                raise
            if isinstance(error, ConfigurationError):
                session.out.note(f"{name}: not set up: {error.message}")
                continue
            problems.append(f"{name}: {error}")
    problems = [*(problem for one in done for problem in one.problems), *problems]
    if session.out.json_mode:
        body: dict[str, Any] = {
            "files": [shapes.kept_file(one) for one in found],
            "problems": problems,
        }
        if delete_unused:
            body["deleted"] = [shapes.kept_file(f) for one in done for f in one.deleted]
            body["spared"] = [shapes.kept_file(f) for one in done for f in one.spared]
        session.out.document("files", body)
    else:
        _table(session, found)
        for problem in problems:
            session.out.complain(problem)
    return 3 if problems else 0


def _chosen(session: Session, provider: str | None) -> Iterator[str]:
    from ftproviders.provider import Feature

    if provider is not None:
        yield session.client.provider(provider).name
        return
    for info in session.client.providers():
        if Feature.FILES in info.features:
            yield info.name


def _table(session: Session, found: Sequence[KeptFile]) -> None:
    if not found:
        session.out.note("No data files are there.")
        return
    rows = [
        (
            one.file.provider,
            one.file.id,
            one.file.name,
            "" if one.file.bytes is None else f"{one.file.bytes:,}",
            one.file.status or "",
            when(one.file.created_at),
            when(one.file.expires_at),
            ", ".join(ref.id for ref in one.jobs),
            one.needed or "unused",
        )
        for one in found
    ]
    columns = ("provider", "id", "name", "bytes", "status", "created", "expires", "jobs", "needed")
    session.out.table(columns, rows)


def _deleted(session: Session, provider: str) -> DeletedFiles:
    def agree(unused: Sequence[KeptFile]) -> None:
        if session.client.is_free(provider):
            return
        from ftproviders.cli.consent import ask

        ask(
            session,
            what=f"This deletes {len(unused)} data file(s) at {provider} that nothing needs.",
            facts=[_words(one) for one in unused],
            verb="files --delete-unused",
            provider=provider,
        )

    done = session.client.delete_unused_files(provider, agree=agree)
    if not session.out.json_mode:
        for one in done.deleted:
            session.out.line(f"deleted {_words(one)}")
        for one in done.spared:
            session.out.line(f"left {one.file.id}: {one.needed}")
        if not (done.deleted or done.spared or done.problems):
            session.out.note(f"{provider}: no file of yours is unused.")
    return done


def _words(one: KeptFile) -> str:
    size = "" if one.file.bytes is None else f"  {one.file.bytes:,} bytes"
    return f"{one.file.provider}  {one.file.id}  {one.file.name}{size}"
