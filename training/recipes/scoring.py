"""Rewards of rollouts: one rubric a task, fixed for all its rollouts, and what each of the two decisions earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import UsageError
from ..practice.places import WorldPlace, made_world
from ..rewards import Reward, advantages, held_to_outcomes, reward_of, scored_by_programs
from ..rubrics import Rubric, RubricStore, plain_rubric, rubric_of_world
from .metrics import mean

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record
    from ..judges.judge import Judge
    from ..practice.tasks import PracticeTask
    from .options import RewardKind


_TOLD = ("known", "checked", "rated")
"""Outcomes that somebody other than a judge has told."""


@dataclass(slots=True)
class Scorer:
    """Scores the rollouts of tasks."""

    kind: RewardKind
    home: Path
    judge: Judge | None = None
    _rubrics: dict[str, Rubric] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind in ("generic", "paper") and self.judge is None:
            raise UsageError(
                f"the reward {self.kind!r} is given by a judge, and none is named", where="--reward",
                mend="name one with --judge SPEC, or take --reward rubric or outcome",
            )  # fmt: skip

    def rubric_of(self, task: PracticeTask) -> Rubric:
        """The user's own rubric for the task, else that of its world, else the plain one."""
        if task.name not in self._rubrics:
            self._rubrics[task.name] = RubricStore(self.home).get(task.text) or _made(task)
        return self._rubrics[task.name]

    def can_score(self, task: PracticeTask) -> bool:
        """Whether rollouts of a task can be scored: by its world, by the judge, or by the programs of its rubric."""
        if task.world_task is not None:
            return True
        if self.kind == "outcome":
            return False
        return self.judge is not None or scored_by_programs(self.rubric_of(task))

    async def group(self, records: Sequence[Record | None], rubric: Rubric) -> ScoredGroup:
        """Rewards and advantages of the rollouts of one task; None stands for one that left the record."""
        rewards = []
        for record in records:
            if record is None:
                rewards.append(Reward(None, {}, {}))
            else:
                rewards.append(await reward_of(record, rubric, self.judge, kind=self.kind))
        found = advantages(rewards, rubric)
        if self.kind == "rubric":  # the others are there to be compared as they are
            found = held_to_outcomes(found, [_solved(record) for record in records])
        return ScoredGroup(rubric, rewards, found)


@dataclass(frozen=True, slots=True)
class ScoredGroup:
    """The rollouts of one task with what they earned."""

    rubric: Rubric
    rewards: list[Reward]
    advantages: list[float]

    @property
    def flat(self) -> bool:
        """True where all did equally well: nothing is learned from it."""
        return not any(self.advantages)

    def figures(self) -> dict[str, Any]:
        """Mean reward, and that of the criteria by category and by decision."""
        by_category: dict[str, list[float | None]] = {}
        by_decision: dict[str, list[float | None]] = {"loading": [], "acting": []}
        for reward in self.rewards:
            for identifier, value in reward.criteria.items():
                criterion = next((one for one in self.rubric.criteria if one.id == identifier), None)
                if criterion is not None:
                    by_category.setdefault(criterion.category, []).append(value)
                    by_decision[criterion.decision].append(value)
        return {
            "reward": mean([one.total for one in self.rewards]),
            "criteria": {name: mean(values) for name, values in by_category.items()},
            "decisions": {name: mean(values) for name, values in by_decision.items()},
            "gates": mean([float(all(one.gates.values())) for one in self.rewards if one.gates]),
        }


def _solved(record: Record | None) -> bool | None:
    episode = record.episode if record is not None else None
    if episode is None or episode.outcome not in _TOLD or episode.reward is None:
        return None
    return episode.reward >= 1.0


def _made(task: PracticeTask) -> Rubric:
    place = task.place
    if isinstance(place, WorldPlace):
        item, expected = made_world(place.name)
        return rubric_of_world(item.task, item.world.tools, expected)
    return plain_rubric(task.text)


def merged(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The means over groups."""
    found: dict[str, Any] = {}
    for name in ("reward", "gates"):
        found[name] = mean([one[name] for one in figures])
    for name in ("criteria", "decisions"):
        keys = sorted({key for one in figures for key in one[name]})
        found[name] = {key: mean([one[name].get(key) for one in figures]) for key in keys}
    return found
