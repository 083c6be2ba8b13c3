"""Counterfactual selection, with continuations whose outcomes are known beforehand."""

from __future__ import annotations

import asyncio

import pytest

from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.policies import ScriptedPolicy
from atlas.training.outcomes import Selection, Usable
from atlas.training.practice import practise
from atlas.training.practice.rollouts import Manner
from atlas.training.practice.tasks import practice_task, world_practice
from atlas.training.recipes.forecast import forecast
from atlas.training.recipes.gathering import Pool, choose_steps
from atlas.training.recipes.options import TrainOptions
from atlas.training.selectors.counterfactual import Counterfactual, flip_labels
from atlas.training.suites import suite_task


@pytest.fixture(scope="module")
def two_turns():
    """A task whose reference takes two turns."""
    names = (f"worlds/practice/0/{number}" for number in range(40))
    return next(name for name in names if len(suite_task(name).task.programs) == 2)


def policy_of(replies):
    """Replies by turn; a list of lists gives one script to each episode in turn."""

    def reply(conversation):
        return replies[sum(message["role"] == "assistant" for message in conversation.messages)]

    return ScriptedPolicy(reply)


def measured(name, played, continued, *, share=1.0, count=1):
    """An episode that was played by one script, measured by the continuations of another."""

    async def go():
        with EpisodeStore(None) as store:
            task = world_practice(name)
            (group,) = await practise(policy_of(played), [task], group=1, store=store)
            selector = Counterfactual(Manner(policy_of(continued), store), store, share, count=count)
            record, solved = group[0].record, group[0].known == 1.0
            chosen, flips = await selector.select(record, task, solved)
            return record, chosen, flips, [flip_labels(flip, record, share) for flip in flips]

    return asyncio.run(go())


def test_the_step_that_the_outcome_hangs_on_is_chosen(two_turns):
    programs = suite_task(two_turns).task.programs
    _, chosen, flips, _ = measured(two_turns, programs, ["answer('no')", programs[1]])
    assert chosen.values == (0.0, 1.0, 1.0) and chosen.turns == {1} and not flips
    assert chosen.labels[0].score == 1.0 and chosen.selector == "counterfactual"


def test_a_failure_gives_its_verified_flip_and_is_not_imitated(two_turns):
    programs = suite_task(two_turns).task.programs
    record, chosen, flips, labels = measured(two_turns, [programs[0], "answer('no')"], ["answer('no')", programs[1]])
    assert chosen.turns == frozenset() and chosen.values[1:] == (1.0, 0.0)
    assert [flip.known for flip in flips] == [1.0] and flips[0].record.episode.parent == record.episode.id
    assert labels[0].turns == {2} and "turn 2 lost" in chosen.notes[0]


def test_a_flip_is_taken_only_where_the_step_lost_something(two_turns):
    programs = suite_task(two_turns).task.programs
    record, chosen, flips, _ = measured(two_turns, [programs[0], "answer('no')"], programs)
    assert chosen.values == (1.0, 1.0, 0.0)  # the beginning is solved too, but the first step lost nothing of that
    assert [flip.record.episode.parent for flip in flips] == [record.episode.id]


def test_no_flip_is_taken_where_every_continuation_solves_the_task_anyway(two_turns):
    programs = suite_task(two_turns).task.programs
    _, chosen, flips, _ = measured(two_turns, [programs[0], "answer('no')"], programs, count=2)
    assert chosen.values == (1.0, 1.0, 0.0) and not flips and "turn 2 lost" in chosen.notes[0]


def test_a_continuation_that_several_failures_of_a_task_share_counts_once(two_turns):
    async def go():
        with EpisodeStore(None) as store:
            task = world_practice(two_turns)
            (group,) = await practise(policy_of(["answer('no')"]), [task], group=2, store=store)
            pool = Pool({task.name: task}, {one.record.episode.id: task.name for one in group})
            selection = Selection([Usable(one.record, False, "known", True) for one in group])
            continued = Manner(policy_of(suite_task(two_turns).task.programs), store)
            return await choose_steps(
                selection, pool, TrainOptions(recipe="critical"), policy=None,
                counterfactual=Counterfactual(continued, store, 1.0, count=1), told=lambda *_: None,
            )  # fmt: skip

    chosen = asyncio.run(go())
    assert chosen.flips == 1 and len(chosen.selections) == 3


def test_without_a_safe_place_the_data_flow_decides_and_says_so(make):
    record = make.record([make.turn(1, "x = 1"), make.turn(2, "answer(x)", answered=True)])
    with EpisodeStore(None) as store:
        selector = Counterfactual(Manner(ScriptedPolicy([]), store), store)
        chosen, _ = asyncio.run(selector.select(record, None, True))
    assert chosen.selector == "data_flow" and "no safe place" in chosen.fell_back


@pytest.mark.parametrize("solved", [True, False])
def test_where_nobody_can_say_how_a_fork_went_none_is_played_and_a_failure_gives_nothing(make, tmp_path, solved):
    settings = {"workspace": str(tmp_path), "toolbox": True}
    record = make.record([make.turn(1, "x = 1"), make.turn(2, "answer(x)", answered=True)], settings=settings)
    with EpisodeStore(None) as store:
        selector = Counterfactual(Manner(ScriptedPolicy([]), store), store)
        chosen, flips = asyncio.run(selector.select(record, practice_task(record, tmp_path), solved))
        assert store.ids() == [] and not flips
    assert "nobody can say how its continuations went" in chosen.fell_back
    assert bool(chosen.turns) == bool(chosen.labels) == solved


def test_of_what_could_not_be_forked_successes_are_chosen_from_and_failures_left_out(make):
    record = make.record([make.turn(1, "x = 1"), make.turn(2, "answer(x)", answered=True)])
    with EpisodeStore(None) as store:
        chosen = asyncio.run(choose_steps(
            Selection([Usable(record, solved, "rated", True) for solved in (True, False, False)]), Pool(),
            TrainOptions(recipe="critical"), policy=None,
            counterfactual=Counterfactual(Manner(ScriptedPolicy([]), store), store), told=lambda *_: None,
        ))  # fmt: skip
    assert sum(chosen.fell_back.values()) == 1
    assert chosen.left_out["failed, and it has no safe place to be forked in"] == 2


def test_the_forecast_counts_the_forks_that_are_played(make):
    def episode(**settings):
        return Usable(make.record([make.turn(n, "x = 1") for n in (1, 2, 3)], settings=settings), True, "rated", True)

    options = TrainOptions(recipe="critical", continuations=4, eval_limit=0)
    own = [episode(workspace="/w"), episode(workspace="/w", origin="my-tasks/3")]
    assert forecast(options, Selection(own)).plays["forks"] == 0
    of_world = [episode(origin="worlds/practice/0/1")] * 2
    assert forecast(options, Selection([*own, *of_world])).plays["forks"] == 4 * (1 + 2 + 2)
