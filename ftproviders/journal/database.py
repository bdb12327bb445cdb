"""A small SQLite file opened for durability: WAL, every commit flushed, many processes at once."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ftproviders.errors import JournalError

__all__ = ["Database"]

_BUSY_SECONDS = 30.0


class Database:
    """One connection, shared by the threads of a process under a lock.

    Args:
        path: The file; it and its folder are made with owner-only permissions.
        migrations: SQL scripts; script n brings the file from version n to n + 1.

    Raises:
        JournalError: The file cannot be opened, is no journal, or is of a newer version.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._guard("opened"):
            _make_private(path)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            try:
                self._prepare(migrations)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, migrations: Sequence[str]) -> None:
        _enter_wal(self._connection)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        with self._transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(migrations):
                raise JournalError(
                    f"The journal {self.path} was written by a newer ftproviders "
                    f"(version {version}, this one knows {len(migrations)}).",
                    hint="Update ftproviders, or set FTPROVIDERS_HOME to another folder.",
                )
            for number in range(version, len(migrations)):
                for statement in _statements(migrations[number]):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version={number + 1}")

    def write(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run one change durably; return the number of rows it touched."""
        with self._guard("written"), self._transaction():
            return self._connection.execute(statement, parameters).rowcount

    def write_all(self, changes: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Run several changes as one: all or none."""
        with self._guard("written"), self._transaction():
            for statement, parameters in changes:
                self._connection.execute(statement, parameters)

    def read(self, query: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._guard("read"):
            return self._connection.execute(query, parameters).fetchall()

    def close(self) -> None:
        """Close the connection; may be called again."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # A failed COMMIT may have rolled back already.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _guard(self, what: str) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                file = _file_above(self.path)
                if file is not None:
                    raise _no_folder(file) from error
                raise JournalError(
                    f"The journal {self.path} cannot be {what}: {error}.",
                    operation="journal",
                    hint=_hint(error),
                ) from error


def _file_above(path: Path) -> Path | None:
    """Return what stands on the way to `path` and is no folder; None when nothing does."""
    for parent in path.parents:
        with suppress(OSError):
            if parent.exists():
                return None if parent.is_dir() else parent
    return None


def _no_folder(file: Path) -> JournalError:
    return JournalError(
        f"{file} is a file, and the journal needs a folder there.",
        operation="journal",
        hint="Set FTPROVIDERS_HOME to a folder (one that does not exist yet is made), or move that "
        "file away.",
    )


def _hint(error: Exception) -> str:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return (
            "Move that file away; a new journal is started, and `ftproviders reconcile` brings "
            "the jobs of each provider back into it."
        )
    return "Free disk space or correct its permissions, or set FTPROVIDERS_HOME to another folder."


def _make_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Created before SQLite does it, so that the file is never readable by others, not even briefly.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _enter_wal(connection: sqlite3.Connection) -> None:
    # The switch to WAL does not honour the busy time-out when several processes do it at once.
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _statements(script: str) -> list[str]:
    return [part for part in (piece.strip() for piece in script.split(";")) if part]
