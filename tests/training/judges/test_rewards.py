"""Rewards and advantages: gates no judge outvotes, missing is not zero, criteria normalised one by one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from atlas.runtime.policies import ScriptedPolicy
from atlas.training.errors import JudgeError, RubricError
from atlas.training.judges import Judge
from atlas.training.judges.examples import Example
from atlas.training.rewards import (
    Reward,
    advantages,
    by_category,
    held_to_outcomes,
    on_one_scale,
    reward_of,
    statistics_of,
)
from atlas.training.rubrics import PAPER_COUNTS, Check, Rubric, RubricCriterion, plain_rubric

Answering = Callable[[Callable[[str, str], str]], ScriptedPolicy]


def score(example: Example, judge: Judge | None = None, rubric: Rubric | None = None, **options: Any) -> Reward:
    return asyncio.run(reward_of(example.record, rubric or example.rubric, judge, **options))


def reward(**criteria: float | None) -> Reward:
    known = [value for value in criteria.values() if value is not None]
    total = sum(known) / len(known) if known else None
    return Reward(total, criteria, {}, dict.fromkeys(criteria, 1 / len(criteria)))


@pytest.fixture
def solved(examples: list[Example]) -> Example:
    return next(one for one in examples if one.way == "reference" and len(one.truths) > 4)


@pytest.fixture
def failed(examples: list[Example]) -> Example:
    return next(one for one in examples if not one.solved and one.record.episode.status == "answered")


def test_a_run_that_meets_everything_is_worth_one_and_a_failed_one_less(solved: Example, failed: Example) -> None:
    best = score(solved, truth=True)
    assert best.total == pytest.approx(1.0) and all(best.gates.values())
    assert set(by_category(best, solved.rubric).values()) == {1.0}
    worse = score(failed, truth=True)
    assert worse.total is not None and worse.total < 0.9


def test_the_judge_is_asked_only_what_no_program_can_tell(answering: Answering, solved: Example) -> None:
    asked: list[str] = []
    judge = Judge(answering(lambda transcript, question: asked.append(question) or "yes"))
    assert score(solved, judge).total == pytest.approx(1.0)
    assert len(asked) == sum(one.check is None for one in solved.rubric.criteria) == 1
    against = score(solved, Judge(answering(lambda transcript, question: "no")))
    assert against.total == pytest.approx(1 - against.weights["fulfilment-1"]) and against.weights["fulfilment-1"] > 0.2
    assert sum(against.weights.values()) == pytest.approx(1.0)


def test_no_judge_outvotes_a_gate(answering: Answering, solved: Example) -> None:
    asked: list[str] = []
    judge = Judge(answering(lambda transcript, question: asked.append(question) or "yes"))
    row = dataclasses.replace(solved.record.episode, status="budget")
    found = score(dataclasses.replace(solved, record=dataclasses.replace(solved.record, episode=row)), judge)
    assert found.total == 0.0 and not found.passed and not asked
    assert found.gated("tool-1") == 0.0 and found.criteria["tool-1"] == 1.0


def test_a_failed_verdict_is_left_out_of_the_mean(answering: Answering, solved: Example) -> None:
    found = score(solved, Judge(answering(lambda transcript, question: "hm")))
    assert found.criteria["fulfilment-1"] is None and found.total == pytest.approx(1.0)


def test_a_total_needs_half_of_the_weight(solved: Example) -> None:
    rubric = Rubric("t", (
        RubricCriterion("a", "fulfilment", "Is right", 8), RubricCriterion("b", "tool", "Ends", 4, Check("answered")),
    ))  # fmt: skip
    found = score(solved, None, rubric)
    assert found.total is None and found.criteria == {"a": None, "b": 1.0}


def test_outcome_generic_and_paper_rewards(answering: Answering, solved: Example, failed: Example) -> None:
    assert score(solved, kind="outcome").total == 1.0 and score(failed, kind="outcome").total == 0.0
    unknown = dataclasses.replace(solved.record.episode, outcome="unknown", reward=None)
    blank = dataclasses.replace(solved, record=dataclasses.replace(solved.record, episode=unknown))
    assert score(blank, kind="outcome").total is None
    fits = Judge(answering(lambda transcript, question: "yes" if "fit the task" in question else "no"))
    assert score(solved, fits, kind="generic").total == pytest.approx(0.3)
    with pytest.raises(JudgeError, match="needs a judge"):
        score(solved, kind="generic")
    with pytest.raises(RubricError, match="needs a rubric"):
        asyncio.run(reward_of(solved.record, None, kind="rubric"))


def test_the_papers_reward_weighs_categories_and_criteria(solved: Example) -> None:
    listed = [
        RubricCriterion(f"{name}-{n}", name, f"{name} demand {n}", n) for name, count in PAPER_COUNTS.items()
        for n in range(1, count + 1)
    ]  # fmt: skip
    scores = [1.0] * 5 + [0.0, 0.0, 1.0] + [0.5, 0.5] + [0.0, 1.0]
    judge = Judge(ScriptedPolicy([f"<EVAL_SCORES>{scores}</EVAL_SCORES>"], context_length=100_000), "paper")
    found = score(solved, judge, Rubric("t", tuple(listed)), kind="paper")
    assert found.total == pytest.approx(0.4 * 1 + 0.3 * 3 / 6 + 0.2 * 0.5 + 0.1 * 2 / 3)


def test_both_learnable_decisions_have_a_reward_of_their_own(solved: Example) -> None:
    rubric = Rubric("t", (
        RubricCriterion("load", "tool", "Looks for tools", 5, Check("searched")),
        RubricCriterion("act", "fulfilment", "Ends with an answer", 5, Check("answered")),
    ))  # fmt: skip
    found = score(solved, None, rubric)
    assert found.decisions["acting"] == 1.0
    assert found.decisions["loading"] == float(any(call.tool == "search_tools" for call in solved.record.calls))


def test_advantages_compare_within_the_group_and_vanish_without_variance() -> None:
    assert advantages([reward(a=1.0), reward(a=1.0)]) == [0.0, 0.0]
    better, worse = advantages([reward(a=1.0), reward(a=0.0)])
    assert better == -worse == pytest.approx(1.0)
    assert advantages([reward(a=1.0)]) == [0.0] and advantages([]) == []


def test_different_ways_of_scoring_alike_stay_apart() -> None:
    group = [reward(a=1.0, b=0.0), reward(a=0.0, b=1.0), reward(a=0.0, b=1.0), reward(a=0.0, b=1.0)]
    assert advantages(group, per_criterion=False) == [0.0] * 4
    rare, *common = advantages(group)
    assert abs(rare) < 1e-9 and len(set(common)) == 1  # each alone says more: the sum of opposite ones cancels
    group = [reward(a=1.0, b=1.0), reward(a=1.0, b=0.0), reward(a=0.0, b=0.0)]
    first, second, third = advantages(group)
    assert first > second > third


def test_a_criterion_that_hardly_varies_is_not_blown_up() -> None:
    noisy = [reward(a=0.50), reward(a=0.51)]
    assert max(map(abs, advantages(noisy))) < 0.06
    clear = [reward(a=0.2), reward(a=0.8)]
    assert max(map(abs, advantages(clear))) == pytest.approx(1.0)


def test_a_missing_reward_is_in_no_mean_and_has_no_advantage() -> None:
    found = advantages([reward(a=1.0), Reward(None, {"a": None}, {}, {"a": 1.0}), reward(a=0.0)])
    assert found[1] == 0.0 and found[0] == -found[2] == pytest.approx(1.0)
    partly = advantages([reward(a=1.0, b=None), reward(a=0.0, b=1.0), reward(a=1.0, b=1.0)])
    assert partly[0] == partly[2] > partly[1]


def test_a_failed_gate_counts_as_nothing_in_every_criterion() -> None:
    good = reward(a=0.6, b=0.2)
    gated = Reward(0.0, {"a": 1.0, "b": 1.0}, {"format": False}, good.weights)
    better, worse = advantages([good, gated])
    assert better > 0 > worse


def test_the_groups_of_a_batch_come_on_one_scale() -> None:
    found = on_one_scale([[3.0, -3.0], [0.0, 0.0], [1.0, -1.0]])
    assert found[1] == [0.0, 0.0] and found[0][0] == pytest.approx(3 * found[2][0])
    assert sum(value * value for value in found[0] + found[2]) / 4 == pytest.approx(1.0)
    assert on_one_scale([[0.0, 0.0]]) == [[0.0, 0.0]]


def test_a_rollout_that_solved_its_task_is_never_pushed_away_from() -> None:
    assert held_to_outcomes([0.5, -0.4, -0.1], [True, False, True]) == [0.5, -0.4, 0.0]
    assert held_to_outcomes([0.5, -0.5], [True, True]) == [0.0, 0.0]
    assert held_to_outcomes([0.5, -0.5], [None, None]) == [0.5, -0.5]
    assert held_to_outcomes([0.2, -0.2], [False, False]) == [0.2, -0.2]


def test_signs_of_a_hacked_reward_are_reported() -> None:
    found = statistics_of([reward(a=0.0, b=None), reward(a=0.5, b=None), reward(a=1.0, b=1.0)], [10, 20, 30])
    assert found["a"]["length_correlation"] == pytest.approx(1.0) and found["a"]["mean"] == 0.5
    assert found["b"]["missing"] == pytest.approx(2 / 3)
    assert plain_rubric("x").criterion("fulfilment-1").decision == "acting"
