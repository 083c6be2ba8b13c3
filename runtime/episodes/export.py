"""Episodes as files: whole ones as JSON lines, which other machines can merge; chat messages; ATIF; a Parquet table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from ..new_file import new_file
from .atif import trajectory_of
from .codec import clean, from_text, unpack_floats, unpack_ids
from .redact import Redaction
from .rows import Record, TurnRow
from .store import EpisodeStore

FORMAT = "atlas-episode-1"
Format = Literal["jsonl", "messages", "atif"]
JSON_COLUMNS = frozenset(
    "answer settings servers_started notes in_view sampler constrained error value variables loaded arguments".split()
)
"""Columns that hold JSON text (the `error` of an episode is plain text)."""
ID_COLUMNS = frozenset(("prompt_ids", "reply_ids"))
FLOAT_COLUMNS = frozenset(("logprobs", "logprobs_at_temperature"))


def export_episodes(
    store: EpisodeStore, out: TextIO, *, format: Format = "jsonl", redact: bool = False, ids: list[str] | None = None
) -> int:
    """Write episodes (all, oldest first) to `out`, one JSON object a line; returns how many episodes."""
    if format != "messages":
        count = 0
        for document in documents(store, redact=redact, ids=ids):
            line = trajectory_of(document) if format == "atif" else document
            out.write(_json(line) + "\n")
            count += 1
        return count
    redaction = Redaction() if redact else None
    chosen = _chosen(store, ids)
    for identifier in chosen:
        for line in _messages(store.get(identifier)):
            out.write(_json(redaction.value(line) if redaction else line) + "\n")
    return len(chosen)


def export_trajectories(store: EpisodeStore, folder: Path, *, redact: bool = False, ids: list[str] | None = None) -> int:
    """Write each episode as an ATIF file of its own, named by its id; returns how many."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    count = 0
    for document in documents(store, redact=redact, ids=ids):
        path = folder / f"{document['episode']['id']}.json"
        with new_file(path) as file:
            file.write(_json(trajectory_of(document), indent=1) + "\n")
        count += 1
    return count


def export_table(store: EpisodeStore, target: Path, *, redact: bool = False, ids: list[str] | None = None) -> int:
    """Write episodes as one Parquet table with a row for each turn; returns how many episodes."""
    from .table import write_table

    return write_table(documents(store, redact=redact, ids=ids), target)


def documents(store: EpisodeStore, *, redact: bool = False, ids: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Everything about episodes (all, oldest first), without secrets where asked."""
    redaction = Redaction() if redact else None
    for identifier in _chosen(store, ids):
        document = document_of(store, identifier)
        yield redaction.document(document) if redaction else document


def _json(value: Any, indent: int | None = None) -> str:
    """JSON that can be written as UTF-8: a lone surrogate (from a tool's result) is written as its escape, which is JSON."""
    return clean(json.dumps(value, ensure_ascii=False, indent=indent))


def _chosen(store: EpisodeStore, ids: Sequence[str] | None) -> Sequence[str]:
    return list(store.ids()) if ids is None else [store.find(key).id for key in ids]


def document_of(store: EpisodeStore, identifier: str) -> dict[str, Any]:
    """Everything about one episode as one JSON object."""
    with store.guarded():
        select = store.connection.execute
        episode = select("SELECT * FROM episodes WHERE id = ?", (identifier,)).fetchone()
        turns = select("SELECT * FROM turns WHERE episode = ? ORDER BY turn", (identifier,)).fetchall()
        calls = select("SELECT * FROM calls WHERE episode = ? ORDER BY number", (identifier,)).fetchall()
        times = select("SELECT * FROM times WHERE episode = ? ORDER BY turn, position", (identifier,)).fetchall()
    return {
        "format": FORMAT,
        "episode": _plain(episode, text=("error",)),
        "turns": [_plain(row) for row in turns],
        "calls": [_plain(row) for row in calls],
        "times": [[row["turn"], row["position"], row["value"]] for row in times],
    }


def _plain(row: Any, text: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: _plain_value(name, row[name], name in text) for name in row.keys()}  # noqa: SIM118 - a sqlite3.Row


def _plain_value(name: str, value: Any, text: bool) -> Any:
    if name in ID_COLUMNS:
        return unpack_ids(value)
    if name in FLOAT_COLUMNS:
        return unpack_floats(value)
    return from_text(value) if name in JSON_COLUMNS and not text else value


def _messages(record: Record) -> Iterator[dict[str, Any]]:
    """One conversation for each training row: a re-base begins a new one."""
    system = record.episode.settings.get("system", "")
    row: list[TurnRow] = []
    rows: list[list[TurnRow]] = []
    for turn in record.turns:
        if turn.role == "user" and row:
            rows.append(row)
            row = []
        row.append(turn)
    for number, turns in enumerate([*rows, row] if row else rows):
        messages = [{"role": "system", "content": system}]
        for turn in turns:
            messages.append({"role": "user" if turn.role == "user" else "tool", "content": turn.prompt_text})
            messages.append({"role": "assistant", "content": turn.reply_text})
        episode = record.episode
        yield {
            "episode": episode.id, "row": number, "task": episode.task, "status": episode.status,
            "outcome": episode.outcome, "reward": episode.reward, "split": episode.split, "messages": messages,
        }  # fmt: skip
