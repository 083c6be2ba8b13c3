"""References of generated tasks as rows: played by the runtime, in the policy's own tokens, loss on the programs alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import get_args

import pytest

from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.errors import UsageError
from atlas.runtime.policies import load_policy
from atlas.training.outcomes import Selection
from atlas.training.practice import Ledger
from atlas.training.practice.recorded import NotPractisable
from atlas.training.practice.references import reference_rows, show
from atlas.training.practice.rollouts import Manner
from atlas.training.practice.tasks import generated_task, world_practice
from atlas.training.recipes.options import TrainOptions
from atlas.training.recipes.referring import referred_tasks
from atlas.training.recipes.train import check_before
from atlas.training.worlds.variants import Acting, Loading

NAMES = [f"worlds:hard/practice/5/{number}" for number in range(6)]


def test_rows_of_references_carry_the_programs_and_a_second_run_plays_nothing_again(tmp_path):
    tasks, told = [world_practice(name) for name in NAMES], []

    async def go():
        policy = load_policy("nano")
        try:
            with EpisodeStore(tmp_path / "practice.db") as store:
                ledger = Ledger(tmp_path / "rollouts.jsonl")
                manner = Manner(policy, store, ledger=ledger)
                rows = await reference_rows(policy, tasks, manner, lambda *progress: told.append(progress))
                again = await reference_rows(policy, tasks, manner, lambda *_: None)
                decode = policy.template.tokenizer.decode
                spoken = [[token for token, sampled in zip(row.ids, row.loss_mask, strict=True) if sampled] for row in rows]
                return rows, again, ledger.reused, [decode(row.ids) for row in rows], [decode(ids) for ids in spoken]
        finally:
            await policy.aclose()

    rows, again, reused, read, spoken = asyncio.run(go())
    assert reused == len(NAMES) and [row.ids for row in again] == [row.ids for row in rows]
    assert told[-1] == ("playing references", len(NAMES), len(NAMES))
    assert len({row.rollout for row in rows}) == len(NAMES)
    for task in tasks:
        written = "".join(text for text, whole in zip(spoken, read, strict=True) if task.text in whole)
        assert all(program in written for program in task.world_task.programs), task.name
    assert all(any(row.ce_weight) and not any(row.rl_weight) for row in rows)


def test_of_a_suite_so_many_fresh_practice_tasks_are_referred_to():
    tasks = referred_tasks(Selection([]), "worlds:hard", TrainOptions(recipe="sft", references=5))
    assert len({task.name for task in tasks}) == 5
    assert all(task.name.startswith("worlds:hard/practice/") for task in tasks)


def test_references_solve_their_tasks_in_every_variant(tmp_path):
    tasks = [world_practice(f"worlds:20/practice/3/{number}") for number in range(5)]
    variants = [(acting, loading) for acting in get_args(Acting) for loading in get_args(Loading)]

    async def go():
        policy = load_policy("nano")
        try:
            with EpisodeStore(tmp_path / "practice.db") as store:
                return {
                    (acting, loading): [
                        await show(policy, task, Manner(policy, store, variant={
                            "acting": acting, "loading": loading, "budget": 8192, "output_tokens": 1000,
                        })) for task in tasks
                    ] for acting, loading in variants
                }  # fmt: skip
        finally:
            await policy.aclose()

    for variant, runs in asyncio.run(go()).items():
        assert [(run.known, run.why) for run in runs] == [(1.0, "")] * len(tasks), variant


def test_an_episode_whose_task_other_versions_generated_is_practised_nowhere(tmp_path):
    task = world_practice(NAMES[0])
    now, then = (
        SimpleNamespace(episode=SimpleNamespace(task=text, settings={"origin": NAMES[0]}))
        for text in (task.text, "an old task")
    )
    assert generated_task(now).name == NAMES[0]
    with pytest.raises(NotPractisable, match="another version"):
        generated_task(then)
    failed = [SimpleNamespace(record=record, solved=False) for record in (now, then)]
    names = [one.name for one in referred_tasks(failed, "worlds", TrainOptions(recipe="sft", references=3))]
    assert names[0] == NAMES[0] and len(names) == 3 and all(name.startswith("worlds/practice/200003/") for name in names[1:])


def test_a_recipe_that_imitates_nothing_refuses_references(tmp_path):
    for recipe in ("rubric", "router"):
        with pytest.raises(UsageError, match="references"):
            check_before(TrainOptions(recipe=recipe, references=4), tmp_path)
