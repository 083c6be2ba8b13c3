"""A toolspace on disk that is searched without being read: only the words of a query and the tools found are fetched.

Two kinds of rows in the catalogue's file. `parts` and `part_tools` keep what was read of each server under a digest of its
listing, so that a change of one server reads that server again and no other. `spaces` and `space_postings` hold the search
over whole toolspaces put together from parts, each under a key of its own. A space is written in one transaction and never
changed; whoever has one open reads from a snapshot, so other processes may add and drop spaces meanwhile.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .cards import Card, card, packed, unpacked
from .postings import Numbers, Segment, Weights, merged, segment, tool_terms
from .private_file import create_private
from .tool import Tool

KEPT_SPACES = 6
KEPT_PART_SECONDS = 30 * 86_400
_BUSY_SECONDS = 20.0
_VERSION = "4"
"""Part of every key: what another version of the ranking or of the cards wrote is not read."""
_TABLES = (
    "CREATE TABLE IF NOT EXISTS parts (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL, size INTEGER NOT NULL, "
    "body BLOB NOT NULL, cards TEXT NOT NULL, used_at REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS part_tools (part INTEGER, number INTEGER, full_name TEXT NOT NULL, tool TEXT NOT NULL, "
    "PRIMARY KEY (part, number)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS part_tools_names ON part_tools (full_name)",
    "CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, parts TEXT NOT NULL, "
    "made_at REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS space_postings (space INTEGER, term TEXT, tools BLOB NOT NULL, weights BLOB NOT NULL, "
    "PRIMARY KEY (space, term)) WITHOUT ROWID",
)


class Part(Protocol):
    """One server of a toolspace. Its tools are asked for only where nothing is stored under its digest."""

    @property
    def digest(self) -> str:
        """Of everything else."""

    @property
    def tools(self) -> Sequence[Tool]:
        """Its tools."""

    @property
    def instructions(self) -> str:
        """What the server says about itself."""


@dataclass(frozen=True, slots=True)
class ReadPart:
    """A part whose tools are known already."""

    digest: str
    tools: Sequence[Tool]
    instructions: str = ""


class StoredSpace(Mapping[str, Tool]):
    """A toolspace on disk: its tools by full name, and its postings. Close it when it is no longer needed."""

    def __init__(self, connection: sqlite3.Connection, space: int, parts: Sequence[tuple[int, int]]) -> None:
        """`parts` are the number and the size of each."""
        sizes = np.array([size for _, size in parts], np.int32)
        self.size = int(sizes.sum())
        self.servers: Numbers = np.repeat(np.arange(len(parts)), sizes).astype(np.int32)
        self._firsts = np.cumsum(sizes) - sizes
        self._parts = [part for part, _ in parts]
        self._known = frozenset(self._parts)
        self._connection = connection
        self._space = space
        self._postings: dict[str, tuple[Numbers, Weights] | None] = {}
        self._tools: dict[str, Tool] = {}

    def of(self, term: str) -> tuple[Numbers, Weights] | None:
        """The tools that hold a term, in rising order, and its weight in each."""
        if term not in self._postings:
            row = self._one("SELECT tools, weights FROM space_postings WHERE space = ? AND term = ?", self._space, term)
            self._postings[term] = (
                (np.frombuffer(row[0], np.int32), np.frombuffer(row[1], np.float16).astype(np.float32)) if row else None
            )
        return self._postings[term]

    def numbered(self, number: int) -> Tool:
        """The tool of that number."""
        place = int(self.servers[number])
        row = self._one(
            "SELECT full_name, tool FROM part_tools WHERE part = ? AND number = ?",
            self._parts[place], number - int(self._firsts[place]),
        )  # fmt: skip
        return self._tool(*row)

    def __getitem__(self, full_name: str) -> Tool:
        known = self._tools.get(full_name)
        if known is not None:
            return known
        rows = self._connection.execute("SELECT part, tool FROM part_tools WHERE full_name = ?", (full_name,))
        for part, text in rows:
            if part in self._known:
                return self._tool(full_name, text)
        raise KeyError(full_name)

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            statement = "SELECT full_name FROM part_tools WHERE part = ? ORDER BY number"
            yield from (name for (name,) in self._connection.execute(statement, (part,)))

    def __len__(self) -> int:
        return self.size

    def tools(self) -> Iterator[Tool]:
        """All tools, in order."""
        for part in self._parts:
            statement = "SELECT full_name, tool FROM part_tools WHERE part = ? ORDER BY number"
            yield from (self._tool(*row) for row in self._connection.execute(statement, (part,)).fetchall())

    def cards(self) -> list[Card]:
        """What programs must know of each tool, in order."""
        statement = "SELECT cards FROM parts WHERE id = ?"
        return [one for part in self._parts for one in unpacked(self._one(statement, part)[0])]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _tool(self, full_name: str, text: str) -> Tool:
        if full_name not in self._tools:  # the same object every time: schemas are compiled once
            self._tools[full_name] = _tool(text)
        return self._tools[full_name]

    def _one(self, statement: str, *values: str | int) -> Any:
        return self._connection.execute(statement, values).fetchone()


def open_space(path: str | os.PathLike[str], key: str) -> StoredSpace | None:
    """The toolspace stored under `key`, or None where there is none. The block's view of it never changes."""
    if not Path(path).exists():
        return None
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN")
        row = connection.execute("SELECT id, parts FROM spaces WHERE key = ?", (_keyed(key),)).fetchone()
    except sqlite3.DatabaseError:  # another file, or one without these tables
        row = None
    if row is None:
        connection.close()
        return None
    return StoredSpace(connection, row[0], json.loads(row[1]))


def store_space(path: str | os.PathLike[str], key: str, parts: Sequence[Part]) -> list[str]:
    """Store a toolspace under `key`; returns the digests of the servers that had to be read anew."""
    create_private(path)
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for table in _TABLES:
            connection.execute(table)
        connection.execute("BEGIN IMMEDIATE")
        known = _segments(connection, parts)
        now = time.time()  # what is marked as used is not dropped by others meanwhile
        connection.executemany("UPDATE parts SET used_at = ? WHERE digest = ?", ((now, _keyed(one)) for one in known))
        connection.execute("COMMIT")
        tools = {part.digest: part.tools for part in parts if part.digest not in known}
        new = {part.digest: _segment(part) for part in parts if part.digest in tools}
        whole = merged([(known | new)[part.digest] for part in parts])
        connection.execute("BEGIN IMMEDIATE")  # from here on no other process writes
        if connection.execute("SELECT 1 FROM spaces WHERE key = ?", (_keyed(key),)).fetchone() is None:
            _write_parts(connection, new, tools)
            _write_space(connection, key, parts, whole)
            _drop_old(connection)
        connection.execute("COMMIT")
    return list(new)


def _write_parts(
    connection: sqlite3.Connection, new: Mapping[str, Segment], tools: Mapping[str, Sequence[Tool]]
) -> None:
    for digest, one in new.items():
        cursor = connection.execute(
            "INSERT OR IGNORE INTO parts (digest, size, body, cards, used_at) VALUES (?, ?, ?, ?, ?)",
            (_keyed(digest), one.size, _packed(one), packed(map(card, tools[digest])), time.time()),
        )
        if cursor.rowcount:  # no other process was faster
            part = cursor.lastrowid
            rows = ((part, number, _storable(tool.full_name), _text(tool)) for number, tool in enumerate(tools[digest]))
            connection.executemany("INSERT INTO part_tools VALUES (?, ?, ?, ?)", rows)


def _write_space(connection: sqlite3.Connection, key: str, parts: Sequence[Part], whole: Segment) -> None:
    statement = "SELECT id, size FROM parts WHERE digest = ?"
    placed = [connection.execute(statement, (_keyed(part.digest),)).fetchone() for part in parts]
    cursor = connection.execute(
        "INSERT INTO spaces (key, parts, made_at) VALUES (?, ?, ?)", (_keyed(key), json.dumps(placed), time.time())
    )
    connection.executemany("INSERT INTO space_postings VALUES (?, ?, ?, ?)", _rows(cursor.lastrowid, whole))


def _rows(space: int | None, whole: Segment) -> Iterator[tuple[int | None, str, bytes, bytes]]:
    tools, weights = whole.tools, whole.weights.astype(np.float16)
    ends = np.cumsum(whole.counts).tolist()
    for term, end, count in sorted(zip(whole.terms, ends, whole.counts.tolist(), strict=True)):
        yield space, _storable(term), tools[end - count : end].tobytes(), weights[end - count : end].tobytes()


def _drop_old(connection: sqlite3.Connection) -> None:
    """Drop the oldest spaces, and parts that none of the others holds and that nobody used for long."""
    rows = connection.execute("SELECT id, parts FROM spaces ORDER BY made_at DESC, id DESC").fetchall()
    old = [(space,) for space, _ in rows[KEPT_SPACES:]]
    connection.executemany("DELETE FROM space_postings WHERE space = ?", old)
    connection.executemany("DELETE FROM spaces WHERE id = ?", old)
    held = {part for _, parts in rows[:KEPT_SPACES] for part, _ in json.loads(parts)}
    unused = connection.execute("SELECT id FROM parts WHERE used_at < ?", (time.time() - KEPT_PART_SECONDS,)).fetchall()
    gone = [(part,) for (part,) in unused if part not in held]
    connection.executemany("DELETE FROM part_tools WHERE part = ?", gone)
    connection.executemany("DELETE FROM parts WHERE id = ?", gone)


def _segments(connection: sqlite3.Connection, parts: Iterable[Part]) -> dict[str, Segment]:
    statement = "SELECT body FROM parts WHERE digest = ?"
    found = ((part.digest, connection.execute(statement, (_keyed(part.digest),)).fetchone()) for part in parts)
    return {digest: _unpacked(row[0]) for digest, row in found if row is not None}


def _segment(part: Part) -> Segment:
    return segment(tool_terms(tool, part.instructions) for tool in part.tools)


def _packed(one: Segment) -> bytes:
    terms = "\n".join(map(_storable, one.terms)).encode()
    head = struct.pack("<III", one.size, len(terms), len(one.counts))
    return head + terms + one.counts.tobytes() + one.tools.tobytes() + one.weights.astype(np.float16).tobytes()


def _unpacked(body: bytes) -> Segment:
    size, length, count = struct.unpack_from("<III", body)
    terms = body[12 : 12 + length].decode().split("\n") if count else []
    counts = np.frombuffer(body, np.int32, count, 12 + length)
    places, start = int(counts.sum()), 12 + length + 4 * count
    tools = np.frombuffer(body, np.int32, places, start)
    weights = np.frombuffer(body, np.float16, places, start + 4 * places).astype(np.float32)
    return Segment(size, terms, counts, tools, weights)


def _text(tool: Tool) -> str:
    values = [getattr(tool, name) for name in Tool.__slots__]
    return json.dumps(values, separators=(",", ":"))


def _tool(text: str) -> Tool:
    return Tool(*json.loads(text))


def _storable(term: str) -> str:
    return term.encode("utf-8", "replace").decode()


def _keyed(key: str) -> str:
    return f"{_VERSION}:{key}"


def _connect(path: str | os.PathLike[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
