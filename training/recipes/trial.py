"""The trial of an adapter: the same held-out tasks before and after, and the paired interval of the difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..evaluate import TaskResult, evaluate, wilson

if TYPE_CHECKING:
    from pathlib import Path

    from ...runtime.policies.base import Policy
    from ...runtime.routing.crew import Crew
    from ..evaluate import Progress

_Z = 1.959964
"""Standard errors of a two-sided 95 % interval."""
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Score:
    """How a policy did on held-out tasks."""

    results: tuple[dict[str, Any], ...]

    @property
    def solved(self) -> list[bool]:
        """Task by task."""
        return [bool(one["success"]) for one in self.results]

    def to_json(self) -> dict[str, Any]:
        """`before` and `after` of `atlas train --json`."""
        count = len(self.results)
        low, high = wilson(sum(self.solved), count)
        return {
            "success": round(sum(self.solved) / max(1, count), 4), "interval": [low, high], "n": count,
            "tokens": round(sum(one["tokens"] for one in self.results) / max(1, count), 1),
            "turns": round(sum(one["turns"] for one in self.results) / max(1, count), 2),
        }  # fmt: skip


async def score(policy: Policy, suite: str, *, limit: int, seed: int, out: Path, progress: Progress | None = None) -> Score:
    """Run the first `limit` held-out tasks of a suite, greedily."""
    report = await evaluate(suite, split="heldout", model=policy, limit=limit, seed=seed, out=out, progress=progress)
    return Score(tuple(_row(one) for one in report.results))


async def score_crew(crew: Crew, suite: str, *, limit: int, seed: int, out: Path, progress: Progress | None = None) -> Score:
    """Have a pool under its router do the first `limit` held-out tasks of a suite, greedily."""
    report = await evaluate(suite, split="heldout", crew=crew, limit=limit, seed=seed, out=out, progress=progress)
    return Score(tuple(_row(one) for one in report.results))


def _row(result: TaskResult) -> dict[str, Any]:
    return result.to_json()


def paired_interval(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, float]:
    """The 95 % interval of the difference in success on the same tasks: Tango's score interval for paired shares.

    (T. Tango, Statistics in Medicine 17, 1998.) A bootstrap draws from the changes that were seen alone: 30 tasks that all
    went as before are certainty to it. This one asks under which differences what was seen is still likely.
    """
    changes = [int(new) - int(old) for old, new in zip(before, after, strict=True)]
    if not changes:
        return -1.0, 1.0
    better, worse, size = changes.count(1), changes.count(-1), len(changes)
    seen = (better - worse) / size
    low = _last(lambda at: _score_of(at, better, worse, size) > _Z, -1.0, seen)
    high = _last(lambda at: _score_of(at, better, worse, size) > -_Z, seen, 1.0)
    return round(low, 4), round(high, 4)


def _score_of(difference: float, better: int, worse: int, size: int) -> float:
    """By how many standard errors what was seen lies above a difference, with the likeliest shares that have it."""
    half = (better + worse - (2 * size - better + worse) * difference) / (4 * size)
    losing = half + math.sqrt(max(0.0, half * half + worse * difference * (1 - difference) / (2 * size)))
    variance = size * (2 * losing + difference * (1 - difference))
    above = better - worse - size * difference
    if variance <= 0:
        return math.copysign(math.inf, above) if above else 0.0
    return above / math.sqrt(variance)


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where between two ends something ceases to hold."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2
