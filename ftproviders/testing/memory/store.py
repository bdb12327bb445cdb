"""Where the in-memory server keeps its state: SQLite, in memory or in a folder.

A folder's state is changed only inside a transaction that takes the write lock first, so any number
of processes may use it and a kill at any moment loses nothing that was answered. It is not meant to
survive a power cut.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Store", "Transaction"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id)
)
"""
_LOCK_TIMEOUT_SECONDS = 60.0


class Transaction:
    """Documents (JSON objects) by kind and id, in the order in which they were made."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return a document, or None."""
        row = self._connection.execute(
            "SELECT body FROM documents WHERE kind = ? AND id = ?", (kind, key)
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, kind: str, key: str, body: dict[str, Any]) -> None:
        """Write a document; one that is there keeps its place in the order."""
        self._connection.execute(
            "INSERT INTO documents (kind, id, body) VALUES (?, ?, ?) "
            "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            (kind, key, json.dumps(body)),
        )

    def delete(self, kind: str, key: str) -> None:
        """Remove a document; without effect when it is not there."""
        self._connection.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, key))

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return every document of a kind, oldest first."""
        rows = self._connection.execute(
            "SELECT body FROM documents WHERE kind = ? ORDER BY seq", (kind,)
        )
        return [json.loads(body) for (body,) in rows]

    def next_number(self, name: str) -> int:
        """Count up a named counter, from 1; numbers are never given twice."""
        counter = self.get("counter", name) or {"value": 0}
        counter["value"] += 1
        self.put("counter", name, counter)
        return int(counter["value"])


class Store:
    """One server's state.

    Args:
        folder: Folder to keep it in; None = in this process, gone with this object.
    """

    def __init__(self, folder: Path | None) -> None:
        self._lock = threading.RLock()
        self._file = ":memory:" if folder is None else str(folder / "server.sqlite3")
        self._connection: sqlite3.Connection | None = None
        if folder is None:
            self._connection = _connect(self._file)
            weakref.finalize(self, self._connection.close)
        else:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Rows and answers are in it; SQLite's own files take this one's permissions.
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        with self._opened() as connection:
            connection.execute(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything inside happens, or nothing; one at a time over all processes."""
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # A folder's connection is opened for each transaction: nothing to inherit over a fork, and
        # nothing left open when the adapter is simply dropped.
        with self._lock:
            if self._connection is not None:
                yield self._connection
                return
            connection = _connect(self._file)
            try:
                yield connection
            finally:
                connection.close()


def _connect(target: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        target, timeout=_LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = OFF")
    return connection
