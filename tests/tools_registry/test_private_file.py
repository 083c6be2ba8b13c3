"""How database files come to be: their owner's alone, and without a hand on the locks of one that is open."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from atlas.tools_registry.private_file import create_private

from ..waiting import PATIENCE_SECONDS


def test_a_new_file_is_its_owners_alone_and_one_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    create_private(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.read_bytes() == b""
    path.write_bytes(b"content")
    path.chmod(0o640)
    create_private(path)
    assert path.read_bytes() == b"content" and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        create_private(tmp_path / "no" / "a.db")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in the midst of a read transaction, on a database with a write-ahead log beside it."""
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("BEGIN")
        assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]
        yield connection


VISIT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("INSERT INTO t VALUES (2)")
connection.close()  # the last one to leave removes the write-ahead log
"""


def visit(path: Path) -> list[str]:
    """Let another process write to the database and close it; the files that are there afterwards."""
    subprocess.run([sys.executable, "-c", VISIT, str(path)], check=True, timeout=PATIENCE_SECONDS)
    return sorted(os.listdir(path.parent))


def test_creating_a_database_that_is_open_lets_go_of_none_of_its_locks(tmp_path: Path, reader: sqlite3.Connection) -> None:
    create_private(tmp_path / "a.db")
    assert visit(tmp_path / "a.db") == ["a.db", "a.db-shm", "a.db-wal"]
    assert reader.execute("SELECT n FROM t").fetchall() == [(1,)]  # what it saw when it began
    reader.execute("COMMIT")
    assert reader.execute("SELECT n FROM t").fetchall() == [(1,), (2,)]
    reader.execute("INSERT INTO t VALUES (3)")
    with closing(sqlite3.connect(tmp_path / "a.db")) as other:
        assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_closing_a_second_descriptor_is_what_would_let_go_of_them(tmp_path: Path, reader: sqlite3.Connection) -> None:
    """The trap itself, so that the test above is known to see it."""
    os.close(os.open(tmp_path / "a.db", os.O_RDWR))
    assert visit(tmp_path / "a.db") == ["a.db"]
