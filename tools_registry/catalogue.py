"""The tool lists of all servers ever seen, on disk, so that a run needs no server to know what it offers.

SQLite in WAL mode, readable by its owner only, safe with several processes. It is a cache: a damaged file is set aside
and built anew, and where it cannot be written the run goes on without. A listing is kept under the fingerprint of its
server's configuration, so a changed command or address is a server never seen.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .errors import CatalogueError
from .listing import Head, Listing, decode, encode, head_of
from .private_file import create_private

_log = logging.getLogger(__name__)
_VERSION = 2
_EARLIER = 1
"""Its tables are dropped: what they held is listed again."""
_BUSY_SECONDS = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS listings (
    fingerprint TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    way TEXT NOT NULL,
    head TEXT NOT NULL,
    listing TEXT NOT NULL,
    listed_at REAL NOT NULL,
    problem TEXT
)"""

_DISCOVERED = """
CREATE TABLE IF NOT EXISTS discovered (
    fingerprint TEXT PRIMARY KEY,
    result TEXT NOT NULL,
    asked_at REAL NOT NULL
)"""
KEPT_DISCOVERED_SECONDS = 86_400.0
"""So long what a server said of itself is taken for true without asking again, while its tool list stays the same."""


@dataclass(frozen=True)
class Entry:
    """What is known of one server; its tools are read by `Catalogue.listing`."""

    head: Head
    way: str
    """The way of connecting that worked."""
    listed_at: float
    problem: str | None = None
    """Set where the server was asked in vain, at `listed_at`; it has no tools then."""

    @property
    def age_seconds(self) -> float:
        """How old the listing is."""
        return max(0.0, time.time() - self.listed_at)


class Catalogue:
    """The cache at `path`; without a path it lives in memory. Problems with the file are collected in `warnings`."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self.warnings: list[str] = []
        self._memory: dict[str, tuple[Entry, Listing]] = {}
        self._discovered: dict[str, tuple[str, float]] = {}
        if self.path is not None:
            self._prepare(self.path)

    def get(self, fingerprint: str) -> Entry | None:
        """The entry of a server, or None where it was never listed."""
        return self.get_all([fingerprint]).get(fingerprint)

    def get_all(self, fingerprints: Sequence[str]) -> dict[str, Entry]:
        """The entries of those servers that were ever listed."""
        if self.path is None:
            return {key: self._memory[key][0] for key in fingerprints if key in self._memory}
        marks = ",".join("?" * len(fingerprints))
        rows = self._execute(
            f"SELECT fingerprint, head, way, listed_at, problem FROM listings WHERE fingerprint IN ({marks})",
            tuple(fingerprints),
        )
        found: dict[str, Entry] = {}
        for key, text, way, listed_at, problem in rows:
            with suppress(ValueError, TypeError, KeyError):  # written by another version: as good as never seen
                head = json.loads(text)
                found[key] = Entry(Head(tuple(head.pop("problems")), **head), str(way), float(listed_at), problem)
        return found

    def listing(self, fingerprint: str) -> Listing | None:
        """All that a server listed; None where it never was, or where what is kept cannot be read."""
        if self.path is None:
            return self._memory[fingerprint][1] if fingerprint in self._memory else None
        rows = self._execute("SELECT listing FROM listings WHERE fingerprint = ?", (fingerprint,))
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            return decode(rows[0][0]) if rows else None
        return None

    def put(self, fingerprint: str, server: str, listing: Listing, way: str) -> Entry:
        """Keep a listing that was fetched just now."""
        return self._put(fingerprint, server, Entry(head_of(listing), way, time.time()), listing)

    def put_problem(self, fingerprint: str, server: str, problem: str) -> Entry:
        """Keep that a server was asked in vain just now, so that the next run need not wait for it again."""
        return self._put(fingerprint, server, Entry(head_of(Listing()), "", time.time(), problem), Listing())

    def seen_again(self, fingerprint: str) -> None:
        """Note that a server has just listed what is kept of it."""
        now = time.time()
        if fingerprint in self._memory:
            entry, listing = self._memory[fingerprint]
            self._memory[fingerprint] = replace(entry, listed_at=now), listing
        self._execute("UPDATE listings SET listed_at = ? WHERE fingerprint = ?", (now, fingerprint))

    def discovered(self, fingerprint: str) -> str | None:
        """What a server of 2026-07-28 answered to `server/discover` within the last day, as JSON; None where it did not."""
        if self.path is None:
            result, asked_at = self._discovered.get(fingerprint, (None, 0.0))
        else:
            rows = self._execute("SELECT result, asked_at FROM discovered WHERE fingerprint = ?", (fingerprint,))
            result, asked_at = rows[0] if rows else (None, 0.0)
        return result if time.time() - asked_at < KEPT_DISCOVERED_SECONDS else None

    def put_discovered(self, fingerprint: str, result: str | None) -> None:
        """Keep what a server has just answered to `server/discover`; None forgets what it answered before."""
        self._discovered.pop(fingerprint, None)
        if result is None:
            self._execute("DELETE FROM discovered WHERE fingerprint = ?", (fingerprint,))
        elif self.path is None:
            self._discovered[fingerprint] = (result, time.time())
        else:
            self._execute("INSERT OR REPLACE INTO discovered VALUES (?, ?, ?)", (fingerprint, result, time.time()))

    def _put(self, fingerprint: str, server: str, entry: Entry, listing: Listing) -> Entry:
        if self.path is None:
            self._memory[fingerprint] = (entry, listing)
            return entry
        self._execute(
            "INSERT OR REPLACE INTO listings VALUES (?, ?, ?, ?, ?, ?, ?)",
            (fingerprint, server, entry.way, json.dumps(asdict(entry.head)), encode(listing), entry.listed_at,
             entry.problem),
        )
        return entry

    def remove(self, fingerprint: str) -> None:
        """Forget a server."""
        self._memory.pop(fingerprint, None)
        self._execute("DELETE FROM listings WHERE fingerprint = ?", (fingerprint,))
        self.put_discovered(fingerprint, None)

    def _execute(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        if self.path is None:
            return []
        for attempt in range(2):
            try:
                with closing(self._connect(self.path)) as connection, connection:
                    return connection.execute(statement, values).fetchall()
            except sqlite3.OperationalError as error:  # locked for too long, disk full, read-only
                self._warn(f"the tool catalogue {self.path} was not used: {error}")
                return []
            except sqlite3.DatabaseError:
                if attempt == 0:
                    self._prepare(self.path)
        return []

    def _connect(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _prepare(self, path: Path) -> None:
        """Create the file, or set a damaged one aside and create it anew; one process at a time."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(path.with_name(f"{path.name}.lock")):
                if not self._is_sound(path):
                    self._set_aside(path)
                    if not self._is_sound(path):
                        raise CatalogueError(f"cannot rebuild {path}", where=str(path), mend="remove the file")
        except OSError as error:
            raise CatalogueError(
                f"cannot open the tool catalogue {path}: {error}", where=str(path),
                mend="check the folder and its permissions",
            ) from error

    def _is_sound(self, path: Path) -> bool:
        create_private(path)
        try:
            with closing(self._connect(path)) as connection, connection:
                if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    connection.execute("PRAGMA journal_mode = WAL")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, _EARLIER, _VERSION):
                    return False
                if version == _EARLIER:
                    for table in ("listings", "segments", "spaces", "space_postings", "space_tools"):
                        connection.execute(f"DROP TABLE IF EXISTS {table}")
                connection.execute(_TABLE)
                connection.execute(_DISCOVERED)
                connection.execute("SELECT fingerprint, head FROM listings LIMIT 1").fetchone()
                if version != _VERSION:
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
                return True
        except sqlite3.OperationalError as error:
            raise OSError(str(error)) from error
        except sqlite3.DatabaseError:
            return False

    def _set_aside(self, path: Path) -> None:
        aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        path.rename(aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).unlink()
        self._warn(f"the tool catalogue {path} was damaged: it was set aside as {aside.name} and is built anew")

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)
            _log.debug(text)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
