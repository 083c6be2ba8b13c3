"""What came of a task when a model (and a server's tools) did it: the rows from which statistics are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Pair(NamedTuple):
    """A model, and the server or tool it worked with; an empty `tool` is the model alone."""

    model: str
    tool: str = ""

    def __str__(self) -> str:
        return f"{self.model}@@{self.tool}" if self.tool else self.model


@dataclass(frozen=True, slots=True)
class Outcome:
    """One observation."""

    task: str
    pair: Pair
    score: float
    """From 0 (failed) to 1 (solved)."""
    weight: float = 1.0
    """How sure the score is; 1 where a world, a check or a person said so."""
    prompt_tokens: float = 0.0
    generated_tokens: float = 0.0
    seconds: float = 0.0
    cost_usd: float | None = None
    """What it cost, where that was recorded; else tokens and seconds are priced."""
    share: float = 1.0
    """How much of a run it is: what its model did counts so much, so that a run with several servers is one run of it."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Many outcomes as arrays: row i is task `tasks[i]` done by pair `pairs[i]`."""

    texts: tuple[str, ...]
    names: tuple[Pair, ...]
    tasks: NDArray[np.int64]
    pairs: NDArray[np.int64]
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    use: NDArray[np.float64]
    """Columns: prompt tokens, generated tokens, seconds, USD (not a number where not recorded)."""
    shares: NDArray[np.float64]
    """How much of a run each row is."""

    def of_tasks(self, chosen: NDArray[np.bool_]) -> Observed:
        """The rows of some tasks; numbers of tasks and pairs stay."""
        rows = chosen[self.tasks]
        return Observed(
            self.texts, self.names, self.tasks[rows], self.pairs[rows], self.scores[rows], self.weights[rows],
            self.use[rows], self.shares[rows],
        )  # fmt: skip


def observed(outcomes: Sequence[Outcome]) -> Observed:
    """Outcomes as arrays; tasks with the same text are one task."""
    texts: dict[str, int] = {}
    names: dict[Pair, int] = {}
    tasks = [texts.setdefault(one.task, len(texts)) for one in outcomes]
    pairs = [names.setdefault(one.pair, len(names)) for one in outcomes]
    missing = float("nan")
    use = [
        (one.prompt_tokens, one.generated_tokens, one.seconds, missing if one.cost_usd is None else one.cost_usd)
        for one in outcomes
    ]
    return Observed(
        tuple(texts), tuple(names), np.array(tasks, np.int64), np.array(pairs, np.int64),
        np.array([one.score for one in outcomes], float), np.array([one.weight for one in outcomes], float),
        np.array(use, float).reshape(len(outcomes), 4), np.array([one.share for one in outcomes], float),
    )  # fmt: skip
