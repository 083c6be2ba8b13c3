"""Merges exported episodes into a log, by id: what is there already stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import EpisodeError
from .codec import pack_floats, pack_ids, to_text
from .export import FLOAT_COLUMNS, FORMAT, ID_COLUMNS, JSON_COLUMNS
from .store import EpisodeStore


def import_episodes(store: EpisodeStore, path: Path) -> int:
    """Add the episodes of an exported file; all of it or nothing. Returns how many were new."""
    known = {table: _columns(store, table) for table in ("episodes", "turns", "calls")}
    added = 0
    with store.transaction() as connection:
        for where, document in _documents(path):
            identifier = document["episode"].get("id")
            if connection.execute("SELECT 1 FROM episodes WHERE id = ?", (identifier,)).fetchone():
                continue
            try:
                _insert(store, "episodes", _without_servers(document["episode"]), known["episodes"], plain=("error",))
                for table in ("turns", "calls"):
                    for row in document[table]:
                        _insert(store, table, row | {"episode": identifier}, known[table])
                connection.executemany(
                    "INSERT INTO times VALUES (?,?,?,?)", [(identifier, *one) for one in document.get("times", [])]
                )
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
                raise _damaged(where, str(problem)) from problem
            except Exception as problem:
                if "constraint" in str(problem) or "binding" in str(problem):
                    raise _damaged(where, str(problem)) from problem
                raise
            added += 1
    return added


def _without_servers(episode: dict[str, Any]) -> dict[str, Any]:
    """The episode without its server files: going on with it must not start what somebody else chose."""
    settings = episode.get("settings")
    if not isinstance(settings, dict) or not settings.get("mcp"):
        return episode
    return episode | {"settings": {name: value for name, value in settings.items() if name != "mcp"}}


def _documents(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            document = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError:
            raise _damaged(where, "it is no text (is it compressed, or a table?)") from None
        except (ValueError, RecursionError) as problem:
            raise _damaged(where, str(problem)) from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise _damaged(where, f"not in the format {FORMAT}")
        parts = [document.get("episode"), document.get("turns"), document.get("calls")]
        if not isinstance(parts[0], dict) or not isinstance(parts[1], list) or not isinstance(parts[2], list):
            raise _damaged(where, "episode, turns or calls are missing")
        yield where, document


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of the file; that it cannot be read is no fault of the log, which would be named otherwise."""
    try:
        with path.open("rb") as lines:
            yield from lines
    except OSError as problem:
        raise EpisodeError(
            f"cannot be read: {problem.strerror}", where=str(path),
            mend="give a file of `atlas episodes export --format jsonl`; of a folder, name the files in it",
        ) from None  # fmt: skip


def _damaged(where: str, what: str) -> EpisodeError:
    return EpisodeError(
        f"not an exported episode: {what}", where=where, mend="export again with `atlas episodes export --format jsonl`"
    )


def _columns(store: EpisodeStore, table: str) -> frozenset[str]:
    with store.guarded():
        return frozenset(row["name"] for row in store.connection.execute(f"PRAGMA table_info({table})"))


def _insert(
    store: EpisodeStore, table: str, row: dict[str, Any], known: frozenset[str], plain: Sequence[str] = ()
) -> None:
    named = {name: _stored(name, value, name in plain) for name, value in row.items() if name in known}
    names, marks = ", ".join(named), ", ".join("?" * len(named))
    store.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(named.values()))


def _stored(name: str, value: Any, plain: bool) -> Any:
    if name in ID_COLUMNS:
        return pack_ids(value)
    if name in FLOAT_COLUMNS:
        return pack_floats(value)
    return to_text(value) if name in JSON_COLUMNS and not plain and value is not None else value
