"""How many clusters: as few as predict what was not shown to them about as well as any other number does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clusters import fit_clusters
from .encoder import Vectors
from .outcomes import Observed, Pair
from .statistics import SMOOTHING, Statistics

CANDIDATES = (1, 2, 4, 8, 16, 32, 64, 128)
LEAST_TASKS = 24
"""With fewer tasks than this all of them are one cluster."""
_TASKS_EACH = 12
_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Tried:
    """What one number of clusters came to on tasks that it was not fitted on."""

    count: int
    error: float
    """Mean squared error of the predicted score (the Brier score where scores are 0 or 1)."""
    worse: float
    """How much worse than the best number, ..."""
    margin: float
    """... and the standard error of that difference."""


def choose_count(vectors: Vectors, seen: Observed, *, seed: int = 0) -> tuple[int, list[Tried]]:
    """The smallest number whose error is within one standard error of the best, with what was tried."""
    tasks = len(vectors)
    candidates = [count for count in CANDIDATES if count == 1 or count * _TASKS_EACH <= tasks]
    if tasks < LEAST_TASKS or len(candidates) == 1:
        return 1, []
    folds = np.random.default_rng(seed).integers(0, _FOLDS, tasks)
    errors = {count: _errors(vectors, seen, folds, count, seed) for count in candidates}
    best = min(candidates, key=lambda count: errors[count].mean())
    tried = [_compared(count, errors[count], errors[best]) for count in candidates]
    chosen = next(one.count for one in tried if one.worse <= one.margin)
    return chosen, tried


def _with_models(seen: Observed) -> Observed:
    """Each observation of a pair with a tool also as one of its model, by its share: clusters must tell both."""
    apart = np.array([bool(name.tool) for name in seen.names], bool)[seen.pairs]
    models = dict.fromkeys(Pair(name.model) for name in seen.names)
    names = list(dict.fromkeys([*seen.names, *models]))
    of_model = np.array([names.index(Pair(name.model)) for name in seen.names], np.int64)

    def twice(values: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([values, values[apart]])

    return Observed(
        seen.texts, tuple(names), twice(seen.tasks), np.concatenate([seen.pairs, of_model[seen.pairs[apart]]]),
        twice(seen.scores), np.concatenate([seen.weights, (seen.weights * seen.shares)[apart]]), twice(seen.use),
        twice(seen.shares),
    )  # fmt: skip


def _errors(vectors: Vectors, seen: Observed, folds: NDArray[np.int64], count: int, seed: int) -> NDArray[np.float64]:
    """The squared error of each task's observations, by weight, predicted by clusters of the other folds."""
    asked = _with_models(seen)
    found = np.zeros(len(asked.tasks))
    for fold in range(_FOLDS):
        held = folds == fold
        if held.all() or not held.any():
            continue
        clusters = fit_clusters(vectors[~held], count, seed=seed)
        nearest = clusters.nearest(vectors)
        statistics = Statistics(clusters.count)
        statistics.add_all(seen.of_tasks(~held), nearest)
        places = np.array([statistics.place(name) for name in asked.names], np.int64)  # first: new ones get a column
        predicted = statistics.accuracy(SMOOTHING)
        rows = held[asked.tasks]
        guess = predicted[nearest[asked.tasks[rows]], places[asked.pairs[rows]]]
        found[rows] = asked.weights[rows] * (guess - asked.scores[rows]) ** 2
    tasks = len(vectors)
    shares = np.bincount(asked.tasks, asked.weights, tasks)
    by_task: NDArray[np.float64] = np.bincount(asked.tasks, found, tasks) / np.maximum(shares, 1e-9)
    return by_task


def _compared(count: int, own: NDArray[np.float64], best: NDArray[np.float64]) -> Tried:
    difference = own - best
    margin = float(difference.std() / np.sqrt(max(1, len(difference))))
    return Tried(count, float(own.mean()), float(difference.mean()), margin)
