"""The trial of an adapter: the same held-out tasks before and after, and the paired interval of the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..evaluate import TaskResult, evaluate, wilson

if TYPE_CHECKING:
    from pathlib import Path

    from ...runtime.policies.base import Policy
    from ...runtime.routing.crew import Crew
    from ..evaluate import Progress

_DRAWS = 4_000


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


async def score(
    policy: Policy, suite: str, *, limit: int, seed: int, out: Path, progress: Progress | None = None
) -> Score:
    """Run the first `limit` held-out tasks of a suite, greedily."""
    report = await evaluate(suite, split="heldout", model=policy, limit=limit, seed=seed, out=out, progress=progress)
    return Score(tuple(_row(one) for one in report.results))


async def score_crew(
    crew: Crew, suite: str, *, limit: int, seed: int, out: Path, progress: Progress | None = None
) -> Score:
    """Have a pool under its router do the first `limit` held-out tasks of a suite, greedily."""
    report = await evaluate(suite, split="heldout", crew=crew, limit=limit, seed=seed, out=out, progress=progress)
    return Score(tuple(_row(one) for one in report.results))


def _row(result: TaskResult) -> dict[str, Any]:
    return result.to_json()


def paired_interval(before: Sequence[bool], after: Sequence[bool], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the difference in success on the same tasks (paired bootstrap over tasks)."""
    import numpy as np

    changes = [int(new) - int(old) for old, new in zip(before, after, strict=True)]
    size = len(changes)
    if not size:
        return -1.0, 1.0
    better, worse = changes.count(1) / size, changes.count(-1) / size
    draws = np.random.default_rng(seed).multinomial(size, [better, worse, 1 - better - worse], _DRAWS)
    low, high = np.quantile((draws[:, 0] - draws[:, 1]) / size, [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)
