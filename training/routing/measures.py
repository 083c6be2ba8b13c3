"""What a router's choices are worth: accuracy, money, gaps, curves, and intervals by paired bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .recorded import Numbers, Recorded

RESAMPLES = 2_000
_ARENA = (0.0044, 200.0, 0.1)
"""Least and most USD for 1,000 questions, and the weight b, of the RouterArena score (arXiv 2510.00202)."""


@dataclass(frozen=True, slots=True)
class Picked:
    """Score and cost of each test question under some router."""

    scores: Numbers
    costs: Numbers
    choices: NDArray[np.int64] | None = None

    @property
    def accuracy(self) -> float:
        """Mean score."""
        return float(self.scores.mean())

    @property
    def cost(self) -> float:
        """Mean USD for one question."""
        return float(self.costs.mean())

    @property
    def per_thousand(self) -> float:
        """USD for 1,000 questions."""
        return float(1_000 * self.costs.mean())


def picked(test: Recorded, choices: NDArray[np.int64]) -> Picked:
    """What the chosen pairs scored and cost."""
    rows = np.arange(len(choices))
    return Picked(test.scores[rows, choices], test.costs[rows, choices], choices)


def interval(values: Numbers, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean by resampling questions; of a difference it is the paired interval."""
    if not len(values):
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), RESAMPLES)
    low, high = np.percentile(counts @ values / len(values), [2.5, 97.5])
    return float(low), float(high)


def saved_at_equal_accuracy(curve: Sequence[tuple[float, float]], single: Picked) -> float | None:
    """1 - cost / cost of the best single pair, at the cheapest point of a curve (USD, accuracy) that is as accurate.

    None where no point is. The point is found on the test half: it shows what the curve offers, not what was promised.
    """
    enough = [usd for usd, accuracy in curve if accuracy >= single.accuracy - 1e-12]
    return 1 - min(enough) / single.per_thousand if enough and single.per_thousand > 0 else None


def area(curve: Sequence[tuple[float, float]], least: float, most: float) -> float:
    """AIQ of RouterBench: the mean height, from `least` to `most` USD, of the curve's non-decreasing convex hull."""
    points = sorted({(min(max(usd, least), most), accuracy) for usd, accuracy in curve})
    hull: list[tuple[float, float]] = []
    best = 0.0
    for usd, accuracy in points:
        best = max(best, accuracy)
        while hull and (hull[-1][0] == usd or (len(hull) > 1 and _below(hull[-2], hull[-1], (usd, best)))):
            hull.pop()
        hull.append((usd, best))
    if not hull or most <= least:
        return hull[-1][1] if hull else 0.0
    xs, ys = [x for x, _ in hull], [y for _, y in hull]
    xs, ys = [*xs, most], [*ys, ys[-1]]
    covered = sum((x2 - x1) * (y1 + y2) / 2 for x1, x2, y1, y2 in zip(xs, xs[1:], ys, ys[1:], strict=False))
    return covered / (most - least)


def _below(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the middle point lies under the line from the first to the last."""
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def arena(accuracy: float, per_thousand: float) -> float:
    """The RouterArena score, from 0 to 1."""
    least, most, weight = _ARENA
    usd = min(max(per_thousand, least), most)
    cheap = (math.log2(most) - math.log2(usd)) / (math.log2(most) - math.log2(least))
    below = weight * accuracy + cheap
    return (1 + weight) * accuracy * cheap / below if below > 0 else 0.0


def by_task(test: Recorded, one: Picked) -> dict[str, Any]:
    """For each task: accuracy, and the share of the pair that got most of it (1: a table by task would do the same)."""
    found: dict[str, Any] = {}
    for task in sorted(set(test.tasks.tolist())):
        rows = test.tasks == task
        shares = None if one.choices is None else np.bincount(one.choices[rows]).max() / rows.sum()
        found[task] = {
            "n": int(rows.sum()), "accuracy": round(float(one.scores[rows].mean()), 4),
            "dominant": None if shares is None else round(float(shares), 4),
        }  # fmt: skip
    return found
