"""Episodes as files: whole ones as JSON lines, which other machines can merge into their log, or as chat messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, TextIO

from .codec import from_text, unpack_floats, unpack_ids
from .redact import Redaction
from .rows import Record, TurnRow
from .store import EpisodeStore

FORMAT = "atlas-episode-1"
Format = Literal["jsonl", "messages"]
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
    redaction = Redaction() if redact else None
    count = 0
    for identifier in store.ids() if ids is None else [store.find(key).id for key in ids]:
        lines = [document_of(store, identifier)] if format == "jsonl" else list(_messages(store.get(identifier)))
        for line in lines:
            if redaction:
                line = redaction.document(line) if format == "jsonl" else redaction.value(line)
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
        count += 1
    return count


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
