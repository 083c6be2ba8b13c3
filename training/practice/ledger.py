"""The journal of finished rollouts: a run that was killed uses them again in place of sampling anew."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One finished rollout."""

    key: str
    episode: str
    known: float | None
    why: str
    unknown: bool


class Ledger:
    """Finished rollouts by key; a line is written when a rollout is complete, and an unfinished last line is dropped."""

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps them in memory only."""
        self.path = path
        self.reused = 0
        self._entries: dict[str, Entry] = {}
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        good = 0
        data = path.read_bytes()
        for line in data.splitlines(keepends=True):
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            good += len(line)
            self._entries[entry.key] = entry
        if good < len(data):  # the process died while it wrote
            with path.open("r+b") as file:
                file.truncate(good)

    def get(self, key: str) -> Entry | None:
        """The finished rollout under this key."""
        return self._entries.get(key)

    def put(self, entry: Entry) -> None:
        """Keep a finished rollout."""
        self._entries[entry.key] = entry
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_plain(entry), ensure_ascii=False) + "\n")

    def __len__(self) -> int:
        return len(self._entries)


def _plain(entry: Entry) -> dict[str, Any]:
    return asdict(entry)
