"""What the study of a live pool makes of outcomes; the runs themselves are tried by hand (benchmarks/routing_live.py)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from atlas.training.recipes import TrainOptions
from atlas.training.recipes.gathering import fresh_tasks
from atlas.training.routing.live import Outcome, Results, best_of_practice, interval, names_of, with_baselines

ALONE = {"a": Outcome(0.0, 0.1), "b": Outcome(1.0, 0.4), "c": Outcome(1.0, 0.2)}


def test_the_baselines_are_best_single_chance_and_one_who_knows():
    found = with_baselines(ALONE, "a")
    assert found["best_single"] == ALONE["a"] and found["oracle"] == ALONE["c"]
    assert found["random"].solved == pytest.approx(2 / 3) and found["random"].usd == pytest.approx(0.7 / 3)


def test_the_best_single_one_is_chosen_in_practice_and_the_cheaper_of_equals():
    assert best_of_practice({"t1": ALONE, "t2": ALONE}) == "c"
    assert best_of_practice({"t1": ALONE, "t2": {**ALONE, "c": Outcome(0.0, 0.2)}}) == "b"


def test_differences_are_paired():
    results = Results()
    for number in range(40):
        task = cast(Any, SimpleNamespace(name=f"t{number}", family="single"))
        solved = float(number % 2)
        results.add(task, {"x": Outcome(solved, 0.1), "y": Outcome(solved, 0.1)})
    assert results.difference("x", "y") == (0.0, 0.0)
    low, high = results.row("x")["interval"]
    assert low < 0.5 < high and results.row("x")["usd"] == pytest.approx(0.1)
    assert interval(results.solved("x")) == (low, high)


def test_tasks_of_named_families_are_of_these_families():
    names = names_of("toolbox", "heldout", ["loop", "single"], 2, 0)
    assert len(set(names)) == 4 and all(name.startswith("toolbox/heldout/0/") for name in names)
    tasks = fresh_tasks("toolbox", TrainOptions(recipe="router", families=("loop", "single"), fresh_tasks=4))
    assert [task.family for task in tasks] == ["loop", "single"] * 2
