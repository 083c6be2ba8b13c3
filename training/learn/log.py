"""What a run writes down as it goes: config.json, metrics.jsonl and TensorBoard events, cut back when it resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .events import EventFile

METRICS = "metrics.jsonl"
CONFIG = "config.json"


class RunLog:
    """The log of one run in its folder; a failing disk is told at once, as everything is written in the calling thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: EventFile | None = None

    def config(self, values: Mapping[str, Any]) -> None:
        """Write what the run was started with."""
        path = self._folder / CONFIG
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            os.replace(new, path)
        except OSError as error:
            raise _unwritable(path, error) from error

    def begin(self, step: int) -> None:
        """Go on after `step` steps: what was logged of later ones belongs to a run that was killed."""
        path = self._folder / METRICS
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if step and path.exists() else []
            kept = [line for line in lines if _step_of(line) <= step]
            self._folder.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            os.replace(new, path)
            self._events = EventFile(self._folder, step + 1)
        except OSError as error:
            raise _unwritable(path, error) from error

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Log one step: everything to metrics.jsonl, the numbers to TensorBoard."""
        if self._events is None:
            self.begin(step - 1)
        assert self._events is not None
        try:
            with (self._folder / METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
            numbers = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
            self._events.scalars(step, {f"train/{name}": value for name, value in numbers.items()})
        except OSError as error:
            raise _unwritable(self._folder / METRICS, error) from error


def _step_of(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line that was cut off


def _unwritable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"the log of the run cannot be written: {error.strerror or error}", where=str(path),
        mend="free some disk space, then go on with --resume; the last checkpoint is whole",
    )  # fmt: skip
