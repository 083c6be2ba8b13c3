"""The log of all episodes: one SQLite file in WAL mode, readable by its owner only, shared by any number of processes.

What was committed survives the death of the process (not a power cut: `synchronous=NORMAL`).
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from ...tools_registry.private_file import create_private
from ..errors import EpisodeError, StoreError
from ..home import RESULTS_FOLDER
from .codec import from_text, to_text
from .migrations import VERSION, migrate, version_of
from .owner import is_alive
from .rows import EpisodeRow, Record, call_row, episode_row, turn_row

FILE_NAME = "episodes.db"
_WAIT_SECONDS = 15.0
_RESULT_CHARS = 50_000
"""A result that is longer is not read to see what a tool returns."""


class EpisodeStore:
    """An open store. `path` None keeps everything in memory (`--no-log`)."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.where = str(path) if path else "memory"
        with self.guarded():
            self.connection = self._open()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def __enter__(self) -> EpisodeStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection:
        if self.path is not None:
            create_private(self.path)
        connection = sqlite3.connect(self.path or ":memory:", timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            version = version_of(connection)
            if version > VERSION:
                raise StoreError(
                    f"the episode log has version {version}, this Atlas knows versions up to {VERSION}",
                    where=self.where, mend="upgrade Atlas, or set ATLAS_HOME to another folder",
                )  # fmt: skip
            if version == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # what is removed makes the file smaller
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Report what SQLite or the disk says as a `StoreError` that names the file and the mend."""
        try:
            yield
        except sqlite3.Error as problem:
            raise _explained(problem, self.where) from problem
        except OSError as problem:
            raise StoreError(
                f"the episode log cannot be opened: {problem.strerror}", where=self.where,
                mend="check the folder's permissions, set ATLAS_HOME to another folder, or run with --no-log",
            ) from problem  # fmt: skip

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several statements, all or none."""
        with self.guarded():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # a full disk may have ended it already
                    self.connection.execute("ROLLBACK")
                raise

    def find(self, key: str) -> EpisodeRow:
        """The episode with this id, the one whose id begins with it, or the `latest`."""
        with self.guarded():
            if key == "latest":
                found = self._select("SELECT * FROM episodes ORDER BY created_at DESC, id DESC LIMIT 1")
            else:
                low = key.upper()
                found = self._select("SELECT * FROM episodes WHERE id >= ? AND id < ? LIMIT 2", low, low + "\x7f")
        if not found or not key:
            message = "there are no episodes yet" if key == "latest" else f"there is no episode {key!r}"
            raise EpisodeError(message, where=self.where, mend="`atlas episodes list` shows the ids")
        if len(found) > 1:
            raise EpisodeError(f"more than one episode begins with {key!r}", where=self.where, mend="give more of the id")
        return episode_row(found[0])

    def get(self, key: str) -> Record:
        """Everything about one episode; `key` as for `find`."""
        row = self.find(key)
        with self.guarded():
            turns = self._select("SELECT * FROM turns WHERE episode = ? ORDER BY turn", row.id)
            calls = self._select("SELECT * FROM calls WHERE episode = ? ORDER BY number", row.id)
            clock = self._select("SELECT * FROM times WHERE episode = ? ORDER BY turn, position", row.id)
            times: dict[int, list[float]] = {}
            for one in clock:
                times.setdefault(one["turn"], []).append(one["value"])
            return Record(row, [turn_row(one) for one in turns], [call_row(one) for one in calls], times)

    def list(self, *, limit: int = 50, status: str | None = None) -> list[EpisodeRow]:
        """The newest episodes, newest first."""
        where, values = ("WHERE status = ?", [status]) if status else ("", [])
        with self.guarded():
            found = self._select(f"SELECT * FROM episodes {where} ORDER BY created_at DESC, id DESC LIMIT ?", *values, limit)
            return [episode_row(one) for one in found]

    def ids(self) -> list[str]:  # type: ignore[valid-type]  # `list` above is this class's own
        """All ids, oldest first."""
        with self.guarded():
            return [one["id"] for one in self._select("SELECT id FROM episodes ORDER BY created_at, id")]

    def solved(self, *, limit: int) -> Sequence[tuple[str, str]]:
        """Id and task of the newest episodes that a world, a check or a person found solved, without held-out ones."""
        with self.guarded():
            rows = self._select(
                "SELECT id, task FROM episodes WHERE reward >= 1 AND outcome IN ('known', 'checked', 'rated') "
                "AND split IS NOT 'heldout' ORDER BY created_at DESC LIMIT ?",
                limit,
            )
            return [(row["id"], row["task"]) for row in rows]

    def tools_called(self, identifier: str) -> Sequence[str]:
        """Full names of the tools that an episode called with success."""
        with self.guarded():
            rows = self._select("SELECT DISTINCT tool FROM calls WHERE episode = ? AND ok = 1", identifier)
            return [row["tool"] for row in rows]

    def results(self, tool: str, schema_hash: str, *, limit: int) -> Sequence[Any]:
        """The newest results that calls of this very tool returned, without very large ones and those of held-out tasks."""
        with self.guarded():
            rows = self._select(
                "SELECT value FROM calls JOIN episodes ON episodes.id = calls.episode WHERE tool = ? AND schema_hash = ? "
                "AND ok = 1 AND returned_at IS NOT NULL AND length(value) <= ? AND split IS NOT 'heldout' "
                "ORDER BY returned_at DESC LIMIT ?",
                tool, schema_hash, _RESULT_CHARS, limit,
            )  # fmt: skip
            return [from_text(row["value"]) for row in rows]

    def is_running(self, row: EpisodeRow) -> bool:
        """True while the process of an unfinished episode is alive."""
        return row.status is None and is_alive(row.owner)

    def rate(self, key: str, verdict: Literal["solved", "failed"], *, detail: str | None = None) -> EpisodeRow:
        """Record what a person says of an episode."""
        self.set_outcome(self.find(key).id, "rated", 1.0 if verdict == "solved" else 0.0, detail)
        return self.find(key)

    def set_outcome(self, identifier: str, kind: str, reward: float | None, detail: str | None = None) -> None:
        """Record how well the task was solved, and who says so."""
        with self.guarded():
            self.connection.execute(
                "UPDATE episodes SET outcome = ?, reward = ?, outcome_detail = ? WHERE id = ?",
                (kind, reward, detail, identifier),
            )

    def set_route(self, identifier: str, route: Mapping[str, Any]) -> None:
        """Record which model a router chose for an episode, why, and what it cost."""
        with self.guarded():
            self.connection.execute(
                "UPDATE episodes SET settings = json_set(settings, '$.route', json(?)) WHERE id = ?",
                (to_text(route), identifier),
            )

    def asked_by(self, identifier: str) -> Sequence[EpisodeRow]:
        """The episodes that another one's program asked for, oldest first."""
        with self.guarded():
            rows = self.connection.execute(
                "SELECT id FROM episodes WHERE json_extract(settings, '$.route.asked_by') = ? ORDER BY created_at, id",
                (identifier,),
            ).fetchall()
        return [self.find(row["id"]) for row in rows]

    def remove(self, key: str) -> str:
        """Remove one episode that is not running; returns its id."""
        row = self.find(key)
        if self.is_running(row):
            raise EpisodeError(f"episode {row.id} is running", where=self.where, mend="interrupt it first")
        self._delete("id = ?", row.id)
        self._drop_results(row.id)
        return row.id

    def remove_older(self, days: float) -> int:
        """Remove the episodes that began more than `days` ago and do not run; returns how many."""
        limit = time.time() - days * 86_400
        with self.guarded():
            old = [episode_row(one) for one in self._select("SELECT * FROM episodes WHERE created_at < ?", limit)]
        gone = [row.id for row in old if not self.is_running(row)]
        for identifier in gone:
            self._delete("id = ?", identifier)
            self._drop_results(identifier)
        return len(gone)

    def _drop_results(self, identifier: str) -> None:
        """Remove what an episode kept in files."""
        if self.path is not None:
            shutil.rmtree(Path(self.path).parent / RESULTS_FOLDER / identifier, ignore_errors=True)

    def _delete(self, condition: str, *values: object) -> None:
        """Remove rows and give their space back. A full disk has no room for the log of the change: see `_in_place`."""
        try:
            with self.transaction() as connection:
                connection.execute(f"DELETE FROM episodes WHERE {condition}", values)
        except StoreError as problem:
            if not _is_full(problem.__cause__):
                raise
            with self._in_place() as connection:
                connection.execute(f"DELETE FROM episodes WHERE {condition}", values)
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA incremental_vacuum").fetchall()
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _in_place(self) -> Iterator[sqlite3.Connection]:
        """A change that takes no space, with what is needed to undo it in memory: for making room on a full disk."""
        with self.guarded():
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            mode = self.connection.execute("PRAGMA journal_mode = MEMORY").fetchone()[0]
            try:
                if mode != "memory":
                    raise sqlite3.OperationalError("database is locked")
                with self.transaction() as connection:
                    yield connection
                self.connection.execute("PRAGMA incremental_vacuum").fetchall()
            finally:
                self.connection.execute("PRAGMA journal_mode = WAL")

    def _select(self, statement: str, *values: object) -> Sequence[Any]:
        return self.connection.execute(statement, values).fetchall()


def open_store(home: Path) -> EpisodeStore:
    """The store of this user."""
    return EpisodeStore(home / FILE_NAME)


def _is_full(problem: BaseException | None) -> bool:
    return isinstance(problem, sqlite3.Error) and "full" in str(problem)


def _explained(problem: sqlite3.Error, where: str) -> StoreError:
    text = str(problem)
    if "malformed" in text or "not a database" in text:
        return StoreError(
            f"the episode log is damaged: {text}", where=where,
            mend="move the file away to start a new log, or run with --no-log",
        )  # fmt: skip
    if _is_full(problem):
        return StoreError(f"the disk is full: {text}", where=where, mend="free some space, or run with --no-log")
    if "readonly" in text or "read-only" in text:
        return StoreError(
            f"the episode log cannot be written: {text}", where=where,
            mend="check its permissions, set ATLAS_HOME to another folder, or run with --no-log",
        )  # fmt: skip
    if "locked" in text:
        return StoreError(
            f"the episode log is held by another process: {text}", where=where,
            mend="wait for the other process, or run with --no-log",
        )  # fmt: skip
    return StoreError(f"the episode log failed: {text}", where=where, mend="check the disk, or run with --no-log")
