"""A person's own suite: a JSONL file with one task a line, for `atlas eval FILE`.

    {"task": "How many lines has a.txt?", "workspace": "folder", "answer": 3, "ordered": false, "check": "test -f b.txt"}

`task` is required. `workspace` (relative to the file) is copied before each run, so that no task changes it. A task is
solved when its `answer` is given, where there is one, and its `check` command (run in the copy) succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.errors import UsageError

_MISSING = object()


@dataclass(frozen=True, slots=True)
class FileTask:
    """One line of a file of tasks."""

    name: str
    text: str
    workspace: Path | None
    answer: Any
    ordered: bool
    check: str | None
    family: str = "own"

    @property
    def has_answer(self) -> bool:
        """Whether the line says what the answer must be."""
        return self.answer is not _MISSING


def file_tasks(path: Path, limit: int) -> Iterator[FileTask]:
    """The first `limit` tasks of a file. Raises `UsageError` naming file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the tasks: {error}", where=str(path), mend="name a JSONL file of tasks") from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    for number, line in numbered[:limit]:
        yield _parse(path, number, line)


def _parse(path: Path, number: int, line: str) -> FileTask:
    where = f"{path}:{number}"
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"not JSON: {error}", where=where, mend='write one object like {"task": "..."} a line') from None
    if not isinstance(row, dict) or not isinstance(row.get("task"), str) or not row["task"].strip():
        raise UsageError("no text under 'task'", where=where, mend='write one object like {"task": "..."} a line')
    folder = path.parent / row["workspace"] if isinstance(row.get("workspace"), str) else None
    if folder is not None and not folder.is_dir():
        raise UsageError(f"there is no workspace {folder}", where=where, mend="name a folder relative to the file")
    check = row.get("check")
    if check is None and "answer" not in row:
        raise UsageError("neither 'answer' nor 'check'", where=where, mend="say how to tell that the task is solved")
    return FileTask(
        f"{path.name}/{number}", row["task"], folder, row.get("answer", _MISSING), bool(row.get("ordered")),
        str(check) if check is not None else None, str(row.get("family", "own")),
    )  # fmt: skip
