"""How far a judge agrees with the truth: Cohen's kappa, and the threshold at which it does best."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement over some verdicts."""

    count: int
    kappa: float | None
    """1 is perfect, 0 is chance, None where truth or judge never varies."""
    accuracy: float
    interval: tuple[float, float] | None = None
    """95 % of kappa, by resampling episodes."""
    missing: int = 0
    """Verdicts that failed; they are in no other figure."""


_CANDIDATES = 200
Pair = tuple[bool, bool]
"""What is true, and what the judge says."""


def kappa(pairs: Sequence[Pair]) -> float | None:
    """Cohen's kappa (1960) of truth and judge."""
    if not pairs:
        return None
    count = len(pairs)
    agreed = sum(truth == said for truth, said in pairs) / count
    truth, said = sum(one for one, _ in pairs) / count, sum(one for _, one in pairs) / count
    by_chance = truth * said + (1 - truth) * (1 - said)
    return None if math.isclose(by_chance, 1.0) else (agreed - by_chance) / (1 - by_chance)


def agreement(groups: Sequence[Sequence[Pair]], *, missing: int = 0, resamples: int = 300, seed: int = 0) -> Agreement:
    """Agreement over the verdicts of several episodes, each a group: verdicts of one episode are not independent."""
    pairs = [pair for group in groups for pair in group]
    if not pairs:
        return Agreement(0, None, 0.0, None, missing)
    accuracy = sum(truth == said for truth, said in pairs) / len(pairs)
    return Agreement(len(pairs), kappa(pairs), accuracy, _interval(groups, resamples, seed), missing)


def _interval(groups: Sequence[Sequence[Pair]], resamples: int, seed: int) -> tuple[float, float] | None:
    rng = random.Random(seed)
    values = []
    for _ in range(resamples):
        drawn = rng.choices(groups, k=len(groups))
        value = kappa([pair for group in drawn for pair in group])
        if value is not None:
            values.append(value)
    if len(values) < resamples // 2 or not values:
        return None
    values.sort()
    return values[int(0.025 * len(values))], values[min(len(values) - 1, int(0.975 * len(values)))]


def best_threshold(truths: Sequence[bool], scores: Sequence[float]) -> float:
    """The threshold with the highest kappa; one half where none does better than that."""
    best, found = kappa([(truth, score >= 0.5) for truth, score in zip(truths, scores, strict=True)]) or 0.0, 0.5
    ordered = sorted(set(scores))
    every = max(1, len(ordered) // _CANDIDATES)
    for low, high in itertools.islice(itertools.pairwise(ordered), 0, None, every):
        middle = (low + high) / 2
        value = kappa([(truth, score >= middle) for truth, score in zip(truths, scores, strict=True)])
        if value is not None and value > best + 1e-9:
            best, found = value, middle
    return min(max(found, 1e-6), 1 - 1e-6)
