"""Recorded outcomes: lines of `{"question", "task", "split", "model", "score", "cost"}` with an optional `tool`."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.routing.errors import OutcomesError
from ...runtime.routing.outcomes import Observed, Pair

_FORM = '{"question": "...", "task": "...", "split": "train" or "test", "model": "...", "score": 0..1, "cost": USD}'
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Questions x pairs; what was not recorded is not a number."""

    questions: tuple[str, ...]
    tasks: NDArray[np.str_]
    train: NDArray[np.bool_]
    pairs: tuple[Pair, ...]
    scores: Numbers
    costs: Numbers
    """USD."""

    def part(self, chosen: NDArray[np.bool_]) -> Recorded:
        """Some of the questions."""
        questions = tuple(text for text, kept in zip(self.questions, chosen, strict=True) if kept)
        return Recorded(
            questions, self.tasks[chosen], self.train[chosen], self.pairs, self.scores[chosen], self.costs[chosen]
        )

    def observed(self) -> Observed:
        """The form in which the runtime's statistics take them; question i is task i."""
        tasks, pairs = np.nonzero(~np.isnan(self.scores))
        use = np.zeros((len(tasks), 4))
        use[:, 3] = self.costs[tasks, pairs]
        scores = self.scores[tasks, pairs]
        once = np.ones(len(tasks))  # every line is a run of its own
        return Observed(self.questions, self.pairs, tasks, pairs, scores, once, use, once)


def read_recorded(path: Path) -> Recorded:
    """Read a file, plain or gzip. Raises `OutcomesError` naming the line and what is wrong there."""
    try:
        with _open(path) as lines:
            return recorded(_rows(path, lines))
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise OutcomesError(
            f"the outcomes cannot be read: {problem}", where=str(path), mend="give a JSONL file, plain or .gz"
        ) from None


def recorded(rows: Iterable[Mapping[str, Any]]) -> Recorded:
    """Checked rows as arrays. Raises `OutcomesError` where one half is empty."""
    questions: dict[tuple[str, str, str], int] = {}
    pairs: dict[Pair, int] = {}
    cells: dict[tuple[int, int], tuple[float, float]] = {}
    for row in rows:
        at = questions.setdefault((row["question"], row["task"], row["split"]), len(questions))
        pair = pairs.setdefault(Pair(row["model"], row.get("tool") or ""), len(pairs))
        cells[at, pair] = float(row["score"]), float(row["cost"])
    scores, costs = np.full((len(questions), len(pairs)), np.nan), np.full((len(questions), len(pairs)), np.nan)
    for place, (score, cost) in cells.items():
        scores[place], costs[place] = score, cost
    train = np.array([split == "train" for _, _, split in questions], bool)
    if not train.any() or train.all():
        half = "test" if train.any() else "train"
        raise OutcomesError(f"no line has the split {half}", where="outcomes", mend='mark lines "train" and "test"')
    tasks = np.array([task for _, task, _ in questions])
    return Recorded(tuple(text for text, _, _ in questions), tasks, train, tuple(pairs), scores, costs)


def means(values: Numbers) -> Numbers:
    """The mean of each column over what was recorded; 0 where nothing was."""
    known = ~np.isnan(values)
    found: Numbers = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return found


def _open(path: Path) -> Any:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _rows(path: Path, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as problem:
            raise _wrong(path, number, f"not JSON: {problem}") from None
        fault = _fault(row)
        if fault:
            raise _wrong(path, number, fault)
        yield row


def _fault(row: object) -> str | None:
    if not isinstance(row, dict):
        return "no object"
    for key in ("question", "task", "split", "model"):
        if not isinstance(row.get(key), str):
            return f"{key} is missing or no text"
    if row["split"] not in ("train", "test"):
        return f"split is {row['split']!r}"
    if row.get("tool") is not None and not isinstance(row["tool"], str):
        return "tool is no text"
    for key, most in (("score", 1.0), ("cost", math.inf)):
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or math.isinf(value):
            return f"{key} is {value!r}"
    return None


def _wrong(path: Path, number: int, fault: str) -> OutcomesError:
    return OutcomesError(fault, where=f"{path}, line {number}", mend=f"write {_FORM}")
