"""The tables of the episode store, as numbered steps; a store is brought up to date when it is opened."""

from __future__ import annotations

import sqlite3

_FIRST = """
CREATE TABLE episodes (
    id TEXT PRIMARY KEY,
    parent TEXT,
    forked_at INTEGER,
    atlas TEXT NOT NULL,
    created_at REAL NOT NULL,
    finished_at REAL,
    owner TEXT NOT NULL,
    task TEXT NOT NULL,
    status TEXT,
    answer TEXT,
    error TEXT,
    model TEXT NOT NULL,
    base_hash TEXT NOT NULL,
    adapter TEXT,
    adapter_hash TEXT,
    policy_version TEXT NOT NULL,
    counting TEXT NOT NULL,
    settings TEXT NOT NULL,
    servers_started TEXT NOT NULL DEFAULT '[]',
    peak INTEGER NOT NULL DEFAULT 0,
    total_prompt INTEGER NOT NULL DEFAULT 0,
    generated INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT 'unknown',
    reward REAL,
    outcome_detail TEXT,
    split TEXT,
    notes TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX episodes_by_time ON episodes (created_at);

CREATE TABLE turns (
    episode TEXT NOT NULL REFERENCES episodes (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,
    created_at REAL NOT NULL,
    role TEXT NOT NULL,
    prompt_text TEXT NOT NULL,
    row_start INTEGER NOT NULL,
    prompt_ids BLOB,
    prompt_tokens INTEGER NOT NULL,
    in_view TEXT NOT NULL,
    reply_text TEXT NOT NULL,
    reply_ids BLOB,
    logprobs BLOB,
    logprobs_at_temperature BLOB,
    sampler TEXT NOT NULL,
    constrained TEXT NOT NULL,
    finish TEXT NOT NULL,
    generated_tokens INTEGER NOT NULL,
    propose_seconds REAL NOT NULL,
    program TEXT,
    reply_kind TEXT NOT NULL,
    thinking TEXT,
    status TEXT,
    error TEXT,
    output TEXT,
    value TEXT,
    answered INTEGER,
    program_seconds REAL,
    peak_rss_mb REAL,
    variables TEXT,
    result_text TEXT,
    loaded TEXT NOT NULL DEFAULT '[]',
    finished_at REAL,
    PRIMARY KEY (episode, turn)
) WITHOUT ROWID;

CREATE TABLE calls (
    episode TEXT NOT NULL REFERENCES episodes (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tool TEXT NOT NULL,
    arguments TEXT NOT NULL,
    schema_hash TEXT NOT NULL,
    repeatable INTEGER NOT NULL,
    decision TEXT,
    decided_by TEXT,
    sent_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    returned_at REAL,
    completed INTEGER,
    ok INTEGER,
    value TEXT,
    error_kind TEXT,
    error_message TEXT,
    PRIMARY KEY (episode, number)
) WITHOUT ROWID;

CREATE TABLE times (
    episode TEXT NOT NULL REFERENCES episodes (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,
    position INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (episode, turn, position)
) WITHOUT ROWID;
"""

_BY_TOOL = "CREATE INDEX calls_by_tool ON calls (tool, schema_hash)"
"""What a tool returned so far is looked up by its name and offer."""

MIGRATIONS: tuple[str, ...] = (_FIRST, _BY_TOOL)
"""Step n brings a store from version n to n + 1. Steps are only ever added."""

VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of an open store; 0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the steps that are missing, all or none; other processes wait meanwhile."""
    if version_of(connection) >= VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[version_of(connection) :]:
            for statement in step.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise
