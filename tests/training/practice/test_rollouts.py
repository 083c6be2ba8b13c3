"""Rollouts in generated worlds: fresh for each, checked at the end, journalled, and gone on with from a turn."""

from __future__ import annotations

import asyncio
import json

import pytest

from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.policies import ScriptedPolicy, load_policy
from atlas.training.practice import Ledger, practise
from atlas.training.practice.curriculum import Curriculum
from atlas.training.practice.forks import continuations
from atlas.training.practice.rollouts import Manner
from atlas.training.practice.tasks import world_practice
from atlas.training.suites import suite_task

TASKS = ["worlds/practice/0/0", "worlds/practice/0/1"]


def by_turn(replies):
    def reply(conversation):
        return replies[sum(message["role"] == "assistant" for message in conversation.messages)]

    return ScriptedPolicy(reply)


def references(names):
    return [program for name in names for program in suite_task(name).task.programs]


def test_every_rollout_acts_in_a_world_of_its_own_and_is_checked():
    names = ["toolbox/practice/0/0", "worlds:hard/practice/0/1"]
    replies = [program for name in names for program in references([name]) * 2]

    async def go():
        with EpisodeStore(None) as store:
            tasks = [world_practice(name) for name in names]
            return await practise(ScriptedPolicy(replies), tasks, group=2, store=store, at_once=1)

    groups = asyncio.run(go())
    assert [[one.known for one in group] for group in groups] == [[1.0, 1.0], [1.0, 1.0]]
    assert all(one.record.episode.outcome == "known" for group in groups for one in group)
    assert [group[0].record.episode.settings["origin"] for group in groups] == names


def test_finished_rollouts_are_used_again_and_a_torn_line_is_dropped(tmp_path):
    path = tmp_path / "rollouts.jsonl"

    def once(replies):
        async def go():
            with EpisodeStore(tmp_path / "episodes.db") as store:
                ledger = Ledger(path)
                tasks = [world_practice(name) for name in TASKS]
                policy = ScriptedPolicy(lambda conversation: replies.pop(0))
                groups = await practise(policy, tasks, group=1, seed=3, store=store, ledger=ledger, at_once=1)
                return [one.record.episode.id for group in groups for one in group], ledger.reused

        return asyncio.run(go())

    first, reused = once(["answer(1)"] * 2)
    assert reused == 0
    with path.open("a") as file:
        file.write('{"key": "half a li')
    again, reused = once([])
    assert (again, reused) == (first, 2)
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n" + lines[1][:20])
    third, reused = once(["answer(1)"])
    assert third[0] == first[0] and third[1] != first[1] and reused == 1
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2


def test_the_policy_goes_on_from_a_turn_in_a_fresh_world():
    names = (f"worlds/practice/0/{number}" for number in range(40))
    name = next(name for name in names if len(suite_task(name).task.programs) == 2)
    programs = references([name])

    async def go():
        with EpisodeStore(None) as store:
            task = world_practice(name)
            (group,) = await practise(by_turn(programs), [task], group=1, store=store)
            good, bad = Manner(by_turn(programs), store), Manner(by_turn([programs[0], "answer('no')"]), store)
            parent = group[0].record.episode.id
            solved = await continuations(good, task, parent, 1, count=2, seed=0)
            failed = await continuations(bad, task, parent, 1, count=1, seed=0)
            return group[0], [*solved, *failed]

    first, forks = asyncio.run(go())
    assert first.known == 1.0
    assert [one.known for one in forks] == [1.0, 1.0, 0.0]
    assert all(one.record.episode.parent == first.record.episode.id for one in forks)
    assert all(one.record.turns[0].reply_ids == first.record.turns[0].reply_ids for one in forks)


def test_nano_samples_with_exact_logprobs_and_seeds_of_its_own():
    async def go():
        policy = load_policy("nano")
        try:
            with EpisodeStore(None) as store:
                task = world_practice("worlds/practice/0/0")
                return await practise(policy, [task], group=2, seed=1, store=store, max_turns=1)
        finally:
            await policy.aclose()

    (group,) = asyncio.run(go())
    turns = [one.record.turns[0] for one in group]
    assert turns[0].sampler["seed"] != turns[1].sampler["seed"]
    assert all(turn.sampler["temperature"] == 1.0 and not turn.sampler["greedy"] for turn in turns)
    assert all(len(turn.logprobs_at_temperature) == len(turn.reply_ids) for turn in turns)


def test_the_curriculum_prefers_tasks_that_are_solved_sometimes():
    curriculum = Curriculum(seed=1, group=4)
    curriculum.note("always", [1.0] * 8)
    curriculum.note("never", [0.0] * 8)
    curriculum.note("sometimes", [1.0, 0.0] * 4)
    curriculum.note("unknown", [None, None])
    weights = {name: curriculum.weight(name) for name in ("always", "never", "sometimes", "unknown")}
    assert weights["sometimes"] > weights["always"] and weights["sometimes"] > weights["never"]
    assert "unknown" not in curriculum.tried
    again = Curriculum(seed=1, group=4)
    again.restore(json.loads(json.dumps(curriculum.state())))
    names = list(weights)
    assert [curriculum.choose(names, 2, step) for step in range(5)] == [again.choose(names, 2, step) for step in range(5)]


@pytest.mark.parametrize("count", [1, 4, 9])
def test_the_curriculum_never_takes_a_task_twice_in_a_step(count):
    chosen = Curriculum().choose(["a", "b", "c", "d"], count, 0)
    assert len(set(chosen)) == len(chosen) == min(count, 4)
