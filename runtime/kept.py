"""The folder of an episode's files: results that were too large for a program, pictures and other bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

READ_CHARS = 100_000
_MOST_CHARS = 1_000_000
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string"}, "start": {"type": "integer", "default": 0},
        "length": {"type": "integer", "default": READ_CHARS},
    },
    "required": ["path"],
}  # fmt: skip
"""Of `read_result(path, start=0, length=...)`, by which a program reads what was kept."""


class NotKept(Exception):
    """What a program wants to read is no kept result."""


class Kept:
    """Files of one episode, readable by their owner only. The folder is made when the first one is written."""

    def __init__(self, root: Path, episode: str) -> None:
        self._root = root
        self._folder = root / episode
        self._count = 0

    def keep(self, data: bytes, ending: str) -> str:
        """Write `data` to a file of its own and return its path. Raises `OSError`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            self._count += 1
            path = self._folder / f"{self._count}{ending}"
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            return str(path)

    def read(self, path: object, start: object, length: object) -> str:
        """A piece of the text of a kept result, in characters. Raises `NotKept`."""
        if not isinstance(path, str) or not _whole(start) or not _whole(length):
            raise NotKept("read_result takes the path of a handle and whole numbers for start and length")
        file = Path(path)
        try:
            real = file.resolve(strict=True)
        except OSError:
            raise NotKept(f"no kept result: {path}") from None
        if not real.is_relative_to(self._root.resolve()):
            raise NotKept(f"no kept result: {path}")
        text = real.read_text(encoding="utf-8", errors="replace")
        first = max(0, int(str(start)))
        return text[first : first + min(max(0, int(str(length))), _MOST_CHARS)]


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
