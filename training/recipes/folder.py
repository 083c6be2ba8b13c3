"""The folder of one training run: options, journals, checkpoints, metrics and the report.

Every file is written whole or line by line, so that a run that is killed anywhere is gone on with from what is there.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import RecipeError
from .options import TrainOptions

FOLDER = "training"
STATE = "run.json"
PRACTICE = "practice.db"
"""The episodes of forks and rollouts; never the log of the user, whatever folder is named."""


class RunFolder:
    """Where one run keeps everything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The run's name, which its adapter gets."""
        return str(self.state().get("run") or self.path.name)

    @property
    def rollouts(self) -> Path:
        """The journal of finished rollouts."""
        return self.path / "rollouts.jsonl"

    def checkpoint(self, phase: str) -> Path:
        """The trainer's own folder in a phase."""
        return self.path / "checkpoints" / phase

    def state(self) -> dict[str, Any]:
        """What is recorded of the run; empty for a folder without one."""
        try:
            found = json.loads((self.path / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, **changes: Any) -> None:
        """Record something of the run, replacing the file as a whole."""
        self.write(STATE, json.dumps(self.state() | changes, indent=1, default=str) + "\n")

    def options(self) -> TrainOptions:
        """The options that the run was started with. Raises `RecipeError` where they cannot be read."""
        try:
            return TrainOptions.from_json(self.state()["options"])
        except (KeyError, TypeError, ValueError) as problem:
            raise RecipeError(
                f"the options of this run cannot be read: {problem}", where=str(self.path / STATE), mend="start a new run"
            ) from problem

    def write(self, name: str, text: str) -> Path:
        """Write a file so that a reader sees the old one or the new one. Raises `RecipeError`."""
        path = self.path / name
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with self.explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with draft.open("w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        return path

    def write_lines(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """A JSONL file as a whole."""
        return self.write(name, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows))

    def append(self, name: str, row: Mapping[str, Any]) -> None:
        """One more line of a JSONL file."""
        path = self.path / name
        with self.explained(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")

    def go_back(self, name: str, phase: str, kept: list[dict[str, Any]]) -> None:
        """Make a phase's lines those of its last checkpoint: what a killed run wrote after it is done again."""
        others = [row for row in self.lines(name) if row.get("phase") != phase]
        if others or kept:
            self.write_lines(name, [*others, *kept])

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The whole lines of a JSONL file; a torn last line is left out."""
        try:
            text = (self.path / name).read_text(encoding="utf-8")
        except OSError:
            return []
        rows = []
        for line in text.splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return rows

    def discard(self) -> None:
        """Take back a run in which nothing was done yet; files of others in its folder stay."""
        for name in (STATE, ".lock", *(PRACTICE + end for end in ("", "-wal", "-shm"))):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    @contextmanager
    def explained(self, path: Path) -> Iterator[None]:
        """What the disk says, as a `RecipeError` that names the file and the mend."""
        try:
            yield
        except OSError as problem:
            full = problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise RecipeError(
                f"the run cannot be written: {problem.strerror or problem}", where=str(path),
                mend="free some space, then `atlas train --resume`" if full else "check the folder, or name another --out",
            ) from problem  # fmt: skip

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process off this run. Raises `RecipeError` where one is at work on it."""
        with self.explained(self.path):
            file = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RecipeError(
                    "another process is at work on this run", where=str(self.path), mend="wait for it, or start a new run"
                ) from None
            yield
        finally:
            os.close(file)


def new_run(home: Path, options: TrainOptions, out: Path | None) -> RunFolder:
    """A new, empty run. Raises `RecipeError` where the folder cannot be made or holds a run already."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{options.recipe}"
    path = out if out is not None else _free(home / FOLDER, name)
    folder = RunFolder(path)
    if folder.state():
        raise RecipeError("there is a run in this folder", where=str(path), mend="name another --out, or give --resume")
    if (path / PRACTICE).exists() or path.resolve() == home.resolve():
        raise RecipeError("this folder holds other things already", where=str(path), mend="name a new folder as --out")
    with folder.explained(path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.note(run=path.name if out is None else name, options=options.to_json(), created=datetime.now(UTC).isoformat())
    return folder


def _free(parent: Path, name: str) -> Path:
    number = 1
    path = parent / name
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path


def unfinished_run(home: Path, out: Path | None) -> RunFolder:
    """The run to go on with: the one in `out`, else the newest that has not ended. Raises `RecipeError`."""
    if out is not None:
        folder = RunFolder(out)
        if not folder.state():
            raise RecipeError("there is no run in this folder", where=str(out), mend="leave --resume out to start one")
        return _not_finished(folder)
    found = [RunFolder(path.parent) for path in (home / FOLDER).glob(f"*/{STATE}")]
    open_runs = [one for one in found if one.state().get("options") and not one.state().get("finished")]
    if not open_runs:
        raise RecipeError(
            "there is no run to go on with", where=str(home / FOLDER), mend="leave --resume out, or name its folder as --out"
        )
    return max(open_runs, key=lambda one: str(one.state().get("created", "")))


def _not_finished(folder: RunFolder) -> RunFolder:
    if folder.state().get("finished"):
        raise RecipeError("this run has come to its end", where=str(folder.path), mend="start another without --resume")
    return folder
