"""Verdicts that were given, on disk: a run that is killed and goes on asks no judge twice."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...tools_registry.private_file import create_private
from ..errors import JudgeError

_TABLE = "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, score REAL NOT NULL, at REAL NOT NULL) WITHOUT ROWID"


class VerdictCache:
    """Scores by a hash of judge, transcript and question. Failed verdicts are not kept: they may come out next time."""

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps them in memory."""
        self._where = str(path) if path else "memory"
        with self._guarded():
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                create_private(path)
            self._connection = sqlite3.connect(path or ":memory:", timeout=15.0, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_TABLE)
        self.hits = 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __del__(self) -> None:
        with suppress(AttributeError, sqlite3.Error):  # it was never opened, or belongs to another thread
            self._connection.close()

    def __enter__(self) -> VerdictCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: str) -> float | None:
        """A score that was given, or None."""
        with self._guarded():
            row = self._connection.execute("SELECT score FROM verdicts WHERE key = ?", (key,)).fetchone()
        self.hits += row is not None
        return None if row is None else float(row[0])

    def put(self, key: str, score: float) -> None:
        """Keep a score; on disk when this returns."""
        with self._guarded():
            self._connection.execute("INSERT OR REPLACE INTO verdicts VALUES (?,?,?)", (key, score, time.time()))

    def __len__(self) -> int:
        with self._guarded():
            return int(self._connection.execute("SELECT count(*) FROM verdicts").fetchone()[0])

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as problem:
            raise JudgeError(
                f"the cache of verdicts cannot be used: {problem}", where=self._where,
                mend="make room on the disk, or remove the file: verdicts will be asked for again",
            ) from problem  # fmt: skip


def verdict_key(*parts: str) -> str:
    """The key of one verdict."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "replace")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
