"""Rewards of episodes, and advantages within a group of rollouts of one task.

`rubric`   criteria by programs where they can tell, else by a judge; gates that a judge cannot outvote
`paper`    the form of arXiv 2603.06713: all criteria judged in one call, no programs, no gates
`generic`  a judge's score for each of four dimensions of the trajectory, without a rubric
`outcome`  solved or not, as a world, a check or a person says

The first two weigh as the paper does: a mean by weight within each category, and the categories against each other by the
rubric's `weights`. So many small criteria of one category never outweigh the task itself.
What nobody could score is missing: it is left out of the mean, and never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..runtime.episodes.rows import Record
from .errors import JudgeError, RubricError
from .judges.judge import Judge
from .rubrics.rubric import CATEGORIES, CATEGORY_WEIGHTS, Category, Rubric

RewardKind = Literal["rubric", "generic", "outcome", "paper"]
STD_FLOOR = 0.1
"""A criterion that hardly varies in its group is not blown up: its deviations are divided by at least this."""
LEAST_STD = 1e-6
LEAST_WEIGHT = 0.5
"""Share of the weight that must have been scored for a total; with less, the total is missing."""


@dataclass(frozen=True, slots=True)
class Reward:
    """How good an episode is. `criteria` are scores from 0 to 1 before the gates, None where they are missing."""

    total: float | None
    criteria: Mapping[str, float | None] = field(default_factory=dict, hash=False)
    gates: Mapping[str, bool] = field(default_factory=dict, hash=False)
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Of the criteria, adding up to 1."""
    decisions: Mapping[str, float | None] = field(default_factory=dict, hash=False)
    """The reward of each learnable decision: `loading` (which tools) and `acting` (what is executed)."""

    @property
    def passed(self) -> bool:
        """Whether every gate was passed."""
        return all(self.gates.values())

    def gated(self, name: str) -> float | None:
        """The score of a criterion as it counts: nothing where a gate was failed."""
        return self.criteria[name] if self.passed else 0.0


async def reward_of(
    record: Record,
    rubric: Rubric | None,
    judge: Judge | None = None,
    *,
    kind: RewardKind = "rubric",
    truth: bool | None = None,
) -> Reward:
    """The reward of one episode.

    `truth` scores by the known outcome what would else be left to a judge; by default that is done where no judge is given.
    What neither can score is missing. Raises `JudgeError` or `RubricError` where the kind
    needs a judge or a rubric that is not given.
    """
    if kind == "outcome":
        return _by_outcome(record)
    if kind == "generic":
        return await _generic(record, _needed(judge, kind))
    if rubric is None:
        raise RubricError(f"the reward {kind!r} needs a rubric", where="reward", mend="write one, or use --reward outcome")
    if kind == "paper":
        return await _paper(record, rubric, _needed(judge, kind))
    return await _rubric(record, rubric, judge, judge is None if truth is None else truth)


def _needed(judge: Judge | None, kind: str) -> Judge:
    if judge is None:
        raise JudgeError(f"the reward {kind!r} needs a judge", where="reward", mend="give one, or use --reward outcome")
    return judge


def _by_outcome(record: Record) -> Reward:
    row = record.episode
    known = row.outcome != "unknown" and row.reward is not None and math.isfinite(row.reward)
    total = row.reward if known else None
    return Reward(total, {"outcome": total}, {}, {"outcome": 1.0}, {"acting": total})


async def _rubric(record: Record, rubric: Rubric, judge: Judge | None, truth: bool) -> Reward:
    facts = rubric.facts(record)
    gates = rubric.gates.run(facts)
    scores = {one.id: one.scored(facts, truth=truth) for one in rubric.criteria}
    open_ = [one for one in rubric.criteria if scores[one.id] is None and one.check is None]
    if judge is not None and open_ and all(gates.values()):  # a gate that was failed needs no judge any more
        scores |= await judge.verdicts(record, rubric, open_)
    return _reward(rubric, scores, gates, weights_of(rubric))


async def _paper(record: Record, rubric: Rubric, judge: Judge) -> Reward:
    scores = await judge.verdicts(record, rubric, rubric.criteria)
    return _reward(rubric, scores, {}, weights_of(rubric))


def weights_of(rubric: Rubric) -> dict[str, float]:
    """Weights of the criteria, adding up to 1, with which their mean equals the paper's sum over categories."""
    present = {name: rubric.weights.get(name, 0.0) for name in CATEGORIES if rubric.of(name)}
    whole = sum(present.values())
    return {
        one.id: present[one.category] / whole * one.weight / sum(other.weight for other in rubric.of(one.category))
        for one in rubric.criteria
    }


def scored_by_programs(rubric: Rubric) -> bool:
    """Whether programs alone score enough of a rubric for a total, where there is no judge and nobody knows the outcome."""
    told = {one.id: 1.0 if one.check is not None and one.check.kind != "solved" else None for one in rubric.criteria}
    return _mean(told, weights_of(rubric)) is not None


async def _generic(record: Record, judge: Judge) -> Reward:
    scores = await judge.dimensions(record)
    weights: dict[str, float] = {str(name): weight for name, weight in CATEGORY_WEIGHTS.items()}
    named: dict[str, float | None] = {str(name): score for name, score in scores.items()}
    return Reward(_mean(named, weights), named, {}, weights, {"acting": _mean(named, weights)})


def _reward(rubric: Rubric, scores: dict[str, float | None], gates: dict[str, bool], weights: dict[str, float]) -> Reward:
    total = _mean(scores, weights) if all(gates.values()) else 0.0
    parts: dict[str, float | None] = {}
    for decision in ("loading", "acting"):
        own = {one.id: scores[one.id] for one in rubric.criteria if one.decision == decision}
        if own:
            parts[decision] = _mean(own, weights)
    return Reward(total, scores, gates, weights, parts)


def _mean(scores: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """The weighted mean of what was scored, or None where that is less than half of the weight."""
    whole = sum(weights[name] for name in scores)
    scored = {name: score for name, score in scores.items() if score is not None}
    weight = sum(weights[name] for name in scored)
    if not scored or weight < LEAST_WEIGHT * whole:
        return None
    return sum(weights[name] * score for name, score in scored.items()) / weight


def by_category(reward: Reward, rubric: Rubric) -> dict[Category, float | None]:
    """The score of each category that the rubric has, for the report."""
    return {
        name: _mean({one.id: reward.criteria.get(one.id) for one in rubric.of(name)}, reward.weights)
        for name in CATEGORIES
        if rubric.of(name)
    }


def advantages(rewards: Sequence[Reward], rubric: Rubric | None = None, *, per_criterion: bool = True) -> list[float]:
    """How much better than its group each rollout of one task was.

    With `per_criterion` every criterion is normalised within the group before the weighted sum (GDPO, arXiv 2601.05242):
    otherwise different ways of scoring alike become one. With a `rubric`, only its criteria count. A group without variance
    gives zeros, and so does a rollout whose reward is missing.
    """
    usable = [place for place, reward in enumerate(rewards) if reward.total is not None]
    values = [0.0] * len(rewards)
    if len(usable) < 2:
        return values
    group = [rewards[place] for place in usable]
    names = list(group[0].weights)
    if not per_criterion or not names or any(list(reward.weights) != names for reward in group):
        found = _normalised([reward.total for reward in group])
    else:
        found = _summed(group, names, rubric)
    for place, value in zip(usable, found, strict=True):
        values[place] = value
    return values


def _summed(group: Sequence[Reward], names: Sequence[str], rubric: Rubric | None) -> list[float]:
    own = {one.id for one in rubric.criteria} & set(names) if rubric is not None else set(names)
    total = [0.0] * len(group)
    for name in names:
        if name in own or not own:
            for place, value in enumerate(_normalised([reward.gated(name) for reward in group])):
                total[place] += group[0].weights[name] * value
    return total


def _normalised(values: Sequence[float | None]) -> list[float]:
    """Deviations from the mean of what is there, over the standard deviation with its floor; missing ones are 0."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return [0.0] * len(values)
    mean = sum(known) / len(known)
    std = math.sqrt(sum((value - mean) ** 2 for value in known) / len(known))
    if std < LEAST_STD:
        return [0.0] * len(values)
    return [0.0 if value is None else (value - mean) / max(std, STD_FLOOR) for value in values]


def held_to_outcomes(values: Sequence[float], solved: Sequence[bool | None]) -> list[float]:
    """Advantages that never push away from a rollout that solved its task; None where nobody knows whether one did.

    Where all of a group are known to have solved it, the small criteria would be all that is left, and on one scale they
    would weigh as much as a failure elsewhere: nothing is learned from such a group.
    """
    if solved and all(solved):
        return [0.0] * len(values)
    return [max(0.0, value) if done else value for value, done in zip(values, solved, strict=True)]


def on_one_scale(groups: Sequence[Sequence[float]]) -> list[list[float]]:
    """Advantages of a batch's groups, scaled so that those of the groups that vary have a mean square of one.

    The last step of GDPO (arXiv 2601.05242): how many criteria a rubric has does not decide how far a step goes.
    """
    alive = [value for group in groups if any(group) for value in group]
    spread = math.sqrt(sum(value * value for value in alive) / len(alive)) if alive else 1.0
    return [[value / max(spread, LEAST_STD) for value in group] for group in groups]


def statistics_of(rewards: Sequence[Reward], lengths: Sequence[int] | None = None) -> dict[str, dict[str, float]]:
    """Mean, standard deviation, missing share and correlation with length of each criterion: signs of a hacked reward."""
    names = dict.fromkeys(name for reward in rewards for name in reward.criteria)
    return {name: _statistics([reward.criteria.get(name) for reward in rewards], lengths) for name in names}


def _statistics(values: Sequence[float | None], lengths: Sequence[int] | None) -> dict[str, float]:
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if not known:
        return {"missing": 1.0}
    mean = sum(value for _, value in known) / len(known)
    std = math.sqrt(sum((value - mean) ** 2 for _, value in known) / len(known))
    found = {"mean": mean, "std": std, "missing": 1.0 - len(known) / len(values)}
    if lengths is not None:
        found["length_correlation"] = _correlation([value for _, value in known], [lengths[place] for place, _ in known])
    return found


def _correlation(left: Sequence[float], right: Sequence[float]) -> float:
    first, second = sum(left) / len(left), sum(right) / len(right)
    product = sum((one - first) * (two - second) for one, two in zip(left, right, strict=True))
    scale = math.sqrt(sum((one - first) ** 2 for one in left) * sum((two - second) ** 2 for two in right))
    return product / scale if scale else 0.0
