"""The catalogue on disk: private, shared between processes, and no reason for a run to fail."""

import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from atlas.tools_registry import Catalogue, CatalogueError
from atlas.tools_registry.listing import ListedTool, Listing, head_of

from ..waiting import PATIENCE_SECONDS, side_by_side

SCHEMA = {"type": "object", "properties": {"ä": {"type": "string"}}}
LISTING = Listing(
    (ListedTool("a-b", "Does ä.", SCHEMA, None, True, False),), ("'x' left out",), "Hi.", "srv 1", "2025-11-25", 5.0
)


def test_what_is_put_comes_back_in_another_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "catalogue.sqlite"
    Catalogue(path).put("f", "srv", LISTING, "legacy")
    entry = Catalogue(path).get("f")
    assert entry is not None
    assert (entry.head, entry.way) == (head_of(LISTING), "legacy")
    assert Catalogue(path).listing("f") == LISTING
    assert entry.age_seconds < 60
    assert Catalogue(path).get("other") is None
    Catalogue(path).remove("f")
    assert Catalogue(path).get("f") is None


def test_without_a_path_it_lives_in_memory() -> None:
    catalogue = Catalogue()
    catalogue.put("f", "srv", LISTING, "auto")
    assert catalogue.get_all(["f", "g"])["f"].head.tool_count == 1
    assert catalogue.listing("f") == LISTING and catalogue.listing("g") is None
    catalogue.remove("f")
    assert catalogue.get("f") is None


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    catalogue = Catalogue(path)
    keeper = sqlite3.connect(path)  # keeps the write-ahead log on disk
    catalogue.put("f", "srv", LISTING, "auto")
    try:
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
        assert keeper.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        keeper.close()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_is_set_aside_with_a_warning(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(content)
    catalogue = Catalogue(path)
    assert "set aside" in catalogue.warnings[0]
    catalogue.put("f", "srv", LISTING, "auto")
    assert catalogue.get("f") is not None
    assert [file.read_bytes() for file in tmp_path.glob("*.damaged-*")] == [content]


def test_damage_while_in_use_is_mended_too(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    catalogue = Catalogue(path)
    catalogue.put("f", "srv", LISTING, "auto")
    path.write_bytes(b"garbage" * 5000)
    assert catalogue.get("f") is None
    catalogue.put("f", "srv", LISTING, "auto")
    assert Catalogue(path).get("f") is not None
    assert catalogue.warnings


def test_a_file_of_another_version_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert Catalogue(path).get("f") is None


def test_an_entry_that_cannot_be_read_counts_as_never_seen(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    catalogue = Catalogue(path)
    catalogue.put("f", "srv", LISTING, "auto")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE listings SET listing = '{}', head = '{}'")
    connection.close()
    assert catalogue.get("f") is None and catalogue.listing("f") is None


def test_a_file_of_the_version_before_is_listed_anew_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE listings (fingerprint TEXT PRIMARY KEY, server TEXT, listing TEXT)")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    catalogue = Catalogue(path)
    assert catalogue.get("f") is None
    catalogue.put("f", "srv", LISTING, "auto")
    assert catalogue.listing("f") == LISTING and not catalogue.warnings


def test_a_place_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogueError) as caught:
        Catalogue(tmp_path / "file" / "catalogue.sqlite")
    assert str(tmp_path) in caught.value.message


WRITE = """
import sys
from atlas.tools_registry import Catalogue
from atlas.tools_registry.listing import Listing
for number in range(20):
    Catalogue(sys.argv[1]).put(f"{sys.argv[2]}{number}", "srv", Listing(), "auto")
"""


def test_several_processes_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(b"damaged" * 1000)
    with side_by_side([sys.executable, "-c", WRITE, str(path), name] for name in "abc") as writers:
        for writer in writers:
            assert writer.communicate(timeout=PATIENCE_SECONDS) == ("", "") and writer.returncode == 0
    assert len(Catalogue(path).get_all([f"{name}{number}" for name in "abc" for number in range(20)])) == 60
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
