"""Which tasks to practise next: those that are solved sometimes teach most, those always or never solved nothing.

A task's success rate is a Beta estimate over its rollouts so far; its weight is the chance that a group of rollouts is
mixed. Tasks never tried count as one success in two. Everything is decided by the seed, and the state is plain JSON.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_FLOOR = 0.02
"""Nothing is ever given up for good: the policy changes."""


@dataclass(slots=True)
class Curriculum:
    """Success so far, by task name."""

    seed: int = 0
    group: int = 8
    tried: dict[str, list[float]] = field(default_factory=dict)
    """Name to [solved, run], both fading, because the policy changes."""
    fade: float = 0.7

    def weight(self, name: str) -> float:
        """About the chance that a group of this task holds both successes and failures."""
        solved, run = self.tried.get(name, [0.0, 0.0])
        rate = (solved + 1.0) / (run + 2.0)
        mixed = 1.0 - rate**self.group - (1.0 - rate) ** self.group
        return max(_FLOOR, mixed)

    def choose(self, names: Sequence[str], count: int, step: int) -> list[str]:
        """`count` different names for a step (fewer where there are not so many), drawn by their weights."""
        rng = random.Random(f"{self.seed}:{step}")
        left = list(names)
        chosen: list[str] = []
        while left and len(chosen) < count:
            weights = [self.weight(name) for name in left]
            chosen.append(left.pop(rng.choices(range(len(left)), weights)[0]))
        return chosen

    def note(self, name: str, outcomes: Iterable[float | None]) -> None:
        """What the rollouts of a task came to; unknown ones say nothing."""
        values = [value for value in outcomes if value is not None]
        if values:
            solved, run = self.tried.get(name, [0.0, 0.0])
            self.tried[name] = [solved * self.fade + sum(values), run * self.fade + len(values)]

    def state(self) -> dict[str, Any]:
        """To be kept with a checkpoint."""
        return {"tried": {name: list(pair) for name, pair in self.tried.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.tried = {str(name): [float(one) for one in pair] for name, pair in state.get("tried", {}).items()}
