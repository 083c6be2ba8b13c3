"""Rubrics on disk, one file a task, every version kept; a person may edit them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import RubricError
from .files import load_rubric, save_rubric
from .rubric import Rubric

_FILE = re.compile(r"([0-9a-f]{16})\.(\d+)\.toml")


class RubricStore:
    """`ATLAS_HOME/rubrics`: files such as `3f2a….2.toml`, the last version of a task counts."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "rubrics"

    def get(self, task: str) -> Rubric | None:
        """The latest rubric of a task, or None. Raises `RubricError` where its file is damaged."""
        versions = self._versions(_key(task))
        if not versions:
            return None
        number, path = versions[-1]
        rubric = load_rubric(path)
        if _key(rubric.task) != _key(task):
            raise RubricError(
                "the file holds the rubric of another task", where=str(path),
                mend="restore its task, or remove the file to have a new rubric made",
            )  # fmt: skip
        return replace(rubric, version=number)

    def put(self, rubric: Rubric) -> Rubric:
        """Keep a rubric as the next version of its task; nothing is written where it is the latest already."""
        key = _key(rubric.task)
        versions = self._versions(key)
        if versions:
            latest = load_rubric(versions[-1][1])
            if latest.fingerprint == rubric.fingerprint and latest.criteria == rubric.criteria:
                return replace(latest, version=versions[-1][0])
        kept = replace(rubric, version=versions[-1][0] + 1 if versions else 1)
        save_rubric(kept, self.folder / f"{key}.{kept.version}.toml")
        return kept

    def path(self, rubric: Rubric) -> Path:
        """The file of one version."""
        return self.folder / f"{_key(rubric.task)}.{rubric.version}.toml"

    def __iter__(self) -> Iterator[Rubric]:
        """The latest rubric of each task."""
        keys = sorted({found.group(1) for path in self._files() if (found := _FILE.fullmatch(path.name))})
        for key in keys:
            number, path = self._versions(key)[-1]
            yield replace(load_rubric(path), version=number)

    def _versions(self, key: str) -> list[tuple[int, Path]]:
        found = [(match, path) for path in self._files() if (match := _FILE.fullmatch(path.name))]
        return sorted((int(match.group(2)), path) for match, path in found if match.group(1) == key)

    def _files(self) -> list[Path]:
        return list(self.folder.glob("*.toml")) if self.folder.is_dir() else []


def _key(task: str) -> str:
    return hashlib.sha256(" ".join(task.split()).encode("utf-8", "replace")).hexdigest()[:16]
