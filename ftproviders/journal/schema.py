"""The journal's tables, as numbered migrations. A migration that has landed is never changed."""

from __future__ import annotations

__all__ = ["MIGRATIONS"]

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE submissions (
        submission_id TEXT PRIMARY KEY,
        series_id     TEXT NOT NULL,
        attempt       INTEGER NOT NULL CHECK (attempt >= 1),
        provider      TEXT NOT NULL,
        account       TEXT NOT NULL,
        base_model    TEXT NOT NULL,
        state         TEXT NOT NULL CHECK (state IN ('intent', 'unknown', 'created', 'refused')),
        spec          TEXT NOT NULL,
        identity      TEXT NOT NULL,
        similar       TEXT NOT NULL DEFAULT '[]',
        files         TEXT NOT NULL DEFAULT '[]',
        ref           TEXT,
        reason        TEXT,
        note          TEXT,
        created_at    TEXT NOT NULL,
        sent_at       TEXT,
        shown_at      TEXT,
        UNIQUE (series_id, attempt)
    );
    CREATE TABLE jobs (
        ref           TEXT PRIMARY KEY,
        provider      TEXT NOT NULL,
        account       TEXT NOT NULL,
        submission_id TEXT,
        snapshot      TEXT NOT NULL,
        first_seen_at TEXT NOT NULL,
        last_seen_at  TEXT NOT NULL,
        note          TEXT
    );
    CREATE INDEX jobs_by_submission ON jobs (submission_id);
    CREATE TABLE files (
        provider   TEXT NOT NULL,
        account    TEXT NOT NULL,
        file_id    TEXT NOT NULL,
        file       TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (provider, account, file_id)
    );
    CREATE TABLE operations (
        id            INTEGER PRIMARY KEY AUTOINCREMENT,
        submission_id TEXT NOT NULL,
        operation     TEXT NOT NULL,
        started_at    TEXT NOT NULL,
        finished_at   TEXT,
        outcome       TEXT
    );
    """,
    """
    CREATE TABLE deployments (
        provider   TEXT NOT NULL,
        account    TEXT NOT NULL,
        name       TEXT NOT NULL,
        state      TEXT NOT NULL
                   CHECK (state IN ('intent', 'unknown', 'created', 'refused', 'deleted')),
        ref        TEXT,
        record     TEXT NOT NULL,
        sent_at    TEXT,
        reason     TEXT,
        created_at TEXT NOT NULL,
        PRIMARY KEY (provider, account, name)
    );
    """,
)
