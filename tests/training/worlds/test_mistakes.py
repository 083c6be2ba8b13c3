"""A task may begin with a mistake: it fails as it would in a run, changes nothing, and the references still solve it."""

from __future__ import annotations

import asyncio
import random

import pytest

from atlas.runtime.episodes.store import EpisodeStore
from atlas.runtime.home import atlas_home
from atlas.runtime.policies import ScriptedPolicy
from atlas.tools_registry.search import ToolIndex
from atlas.training.evaluate import evaluate
from atlas.training.suites import SuiteTask, suite_tasks
from atlas.training.worlds.mistakes import Mistaken, mistaken
from atlas.training.worlds.rehearse import rehearse


def made(item: SuiteTask, seed: int) -> Mistaken | None:
    index = ToolIndex(item.world.tools)
    view = [hit.tool.full_name for hit in index.search(item.task.text, 8)]
    expected = rehearse(item.world, item.task, index=index)
    return mistaken(item.world, item.task, view, random.Random(seed), expected=expected, index=index)


def alike(heard: str, shown: str) -> bool:
    """The same error, which a run may cut; what a search finds hangs on the words of all servers of the run."""
    cut = heard.startswith("error: line ") and heard.endswith("...") and shown.startswith(heard.removesuffix("..."))
    return heard == shown or cut or (heard.startswith("#") and shown.startswith("#"))


@pytest.mark.parametrize("suite", ["worlds", "toolbox"])
def test_a_run_reads_of_a_mistake_what_practice_shows_and_still_solves_the_task(suite: str) -> None:
    tasks = list(suite_tasks(suite, "practice", 24))
    found = [(item, one) for number, item in enumerate(tasks) if (one := made(item, number)) is not None]
    assert len(found) >= 16
    replies = [made(item, number) or item.task for number, item in enumerate(tasks)]
    policy = ScriptedPolicy([program for one in replies for program in one.programs])
    report = asyncio.run(evaluate(suite, split="practice", model=policy, limit=len(tasks), keep=True))
    assert [result.why for result in report.results] == [""] * len(tasks)
    with EpisodeStore(atlas_home() / "episodes.db") as store:
        records = [store.get(key) for key in store.ids()]
    told = {record.episode.task: [turn.result_text for turn in record.turns] for record in records}
    pairs = [(told[item.task.text][one.place], one.results[one.place]) for item, one in found]
    assert not [(heard, shown) for heard, shown in pairs if not alike(heard or "", shown)]


def test_a_mistake_is_one_program_more_and_the_rest_is_the_reference() -> None:
    for number, item in enumerate(suite_tasks("worlds", "practice", 16)):
        one = made(item, number)
        if one is not None:
            assert (*one.programs[: one.place], *one.programs[one.place + 1 :]) == item.task.programs
            assert len(one.results) == len(item.task.programs) and one.programs[one.place] not in item.task.programs


def test_where_no_tool_can_do_it_a_mistake_tries_one_and_the_reference_then_says_so() -> None:
    impossible = [item for item in suite_tasks("worlds", "practice", 200) if item.task.impossible]
    tried = [one for number, item in enumerate(impossible) if (one := made(item, number)) is not None and one.place == 1]
    calls = [one for one in tried if "load_tools" not in one.programs[1]]
    assert len(calls) >= 4
    for one in calls:
        assert one.results[1].startswith("error: line ") and one.programs[-1].startswith('answer("Cannot')
