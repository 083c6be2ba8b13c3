"""Vectors of tools in the catalogue's file, by encoder and text: a tool whose text did not change is never encoded again.

Two tables. `vectors` holds one vector for each text, `space_vectors` those of a whole toolspace in one piece, so that the
next process reads them at once. Both hold 16-bit numbers. It is a cache: what cannot be read or written is made anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from .encoding import Vectors
from .private_file import create_private

KEPT_SECONDS = 30 * 86_400
"""Vectors of texts that no toolspace was put together from for so long are dropped."""
KEPT_SPACES = 6
_BUSY_SECONDS = 20.0
_AT_ONCE = 500
_TABLES = (
    "CREATE TABLE IF NOT EXISTS vectors (encoder TEXT, text BLOB, vector BLOB NOT NULL, used_at REAL NOT NULL, "
    "PRIMARY KEY (encoder, text)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS space_vectors (encoder TEXT, key TEXT, size INTEGER NOT NULL, body BLOB NOT NULL, "
    "made_at REAL NOT NULL, PRIMARY KEY (encoder, key))",
)


def text_key(text: str) -> bytes:
    """The hash under which the vector of a text is kept."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16]


class VectorCache:
    """The vectors kept in the file at `path`; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def known(self, encoder: str, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors of those texts that were encoded before; they count as used now."""
        found: dict[bytes, Vectors] = {}
        with self._open() as connection:
            if connection is None:
                return found
            for first in range(0, len(keys), _AT_ONCE):
                some = keys[first : first + _AT_ONCE]
                marks = ",".join("?" * len(some))
                where = f"encoder = ? AND text IN ({marks})"
                rows = connection.execute(f"SELECT text, vector FROM vectors WHERE {where}", (encoder, *some))
                found |= {key: np.frombuffer(body, np.float16).astype(np.float32) for key, body in rows}
                connection.execute(f"UPDATE vectors SET used_at = ? WHERE {where}", (time.time(), encoder, *some))
        return found

    def keep(self, encoder: str, vectors: Mapping[bytes, Vectors]) -> None:
        """Keep the vectors of some texts."""
        now = time.time()
        with self._open() as connection:
            if connection is not None:
                rows = ((encoder, key, _packed(vector), now) for key, vector in vectors.items())
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)

    def space(self, encoder: str, key: str, size: int) -> Vectors | None:
        """The vectors of a whole toolspace of `size` tools, in its order; None where they were never put together."""
        with self._open() as connection:
            if connection is None:
                return None
            statement = "SELECT body FROM space_vectors WHERE encoder = ? AND key = ? AND size = ?"
            row = connection.execute(statement, (encoder, key, size)).fetchone()
        if row is None or not row[0] or len(row[0]) % (2 * size):
            return None
        return np.frombuffer(row[0], np.float16).reshape(size, -1).astype(np.float32)

    def keep_space(self, encoder: str, key: str, vectors: Vectors) -> None:
        """Keep the vectors of a whole toolspace; drop the oldest ones, and vectors that nobody used for long."""
        now = time.time()
        with self._open() as connection:
            if connection is None:
                return
            connection.execute(
                "INSERT OR REPLACE INTO space_vectors VALUES (?, ?, ?, ?, ?)",
                (encoder, key, len(vectors), _packed(vectors), now),
            )
            connection.execute(
                "DELETE FROM space_vectors WHERE rowid NOT IN "
                "(SELECT rowid FROM space_vectors ORDER BY made_at DESC LIMIT ?)", (KEPT_SPACES,),
            )  # fmt: skip
            connection.execute("DELETE FROM vectors WHERE used_at < ?", (now - KEPT_SECONDS,))

    def forget(self, encoder: str) -> None:
        """Drop all vectors of an encoder."""
        with self._open() as connection:
            if connection is not None:
                for table in ("vectors", "space_vectors"):
                    connection.execute(f"DELETE FROM {table} WHERE encoder = ?", (encoder,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """A transaction; None without a file. Raises `sqlite3.Error` or `OSError` where the file cannot be used."""
        if self._path is None:
            yield None
            return
        create_private(self._path)
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as connection, connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            for table in _TABLES:
                connection.execute(table)
            yield connection


def _packed(vectors: Vectors) -> bytes:
    return vectors.astype(np.float16).tobytes()
