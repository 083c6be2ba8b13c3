"""What nano learns to reply in single calls: the words of the runtime, and a slip that is read only."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

from atlas.runtime import Runtime
from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.options import RunOptions
from atlas.runtime.policies import ScriptedPolicy
from atlas.runtime.prompting import system_for
from atlas.tools_registry.search import ToolIndex
from atlas.training.evaluate import servers_of
from atlas.training.nano import tokenizer as tokens
from atlas.training.nano.replies import replies_of
from atlas.training.nano.rows import LONGEST, prefix_ids, world_trees
from atlas.training.suites import SuiteTask, suite_tasks
from atlas.training.worlds.composed import composed_world
from atlas.training.worlds.json_calls import json_calls

WORLD = composed_world(5, "practice", tasks=40)
INDEX = ToolIndex(WORLD.tools)
CHARACTERS = tokens.build(["Ġ", "Ċ", *map(chr, range(33, 127))], [])


async def told(item: SuiteTask, replies: list[str], folder: Path) -> list[str | None]:
    """The messages of the real runtime after each reply."""
    state = item.world.open()
    with EpisodeStore(folder / "told.db") as store:
        async with Runtime(
            ScriptedPolicy(replies, context_length=400_000), approve="auto", workspace=folder, store=store, toolbox=False,
            tools=servers_of(item.world, state), acting="json", budget=300_000, output_tokens=100_000, remember=False,
            now=lambda: item.world.now,
        ) as runtime:  # fmt: skip
            episode = await runtime.run(item.task.text, hidden=item.task.hidden)
            return [row.result_text for row in store.get(episode.id).turns]


def test_the_messages_between_single_calls_are_those_of_the_runtime(tmp_path: Path) -> None:
    kinds = {}
    for item in suite_tasks("worlds:20", "practice", 24, 3):
        kinds[item.task.family] = item
    assert {"search", "trouble"} <= kinds.keys()
    for family, item in kinds.items():
        calls = json_calls(item.world, item.task.programs)
        (tmp_path / family).mkdir()
        heard = asyncio.run(told(item, [one.reply for one in calls], tmp_path / family))
        assert heard[:-1] == [one.heard for one in calls[:-1]], family


def test_rows_of_single_calls_begin_with_the_system_text_of_the_runtime() -> None:
    system = system_for(ScriptedPolicy([]), RunOptions(acting="json"))
    ids = prefix_ids(CHARACTERS, "", "json")
    assert CHARACTERS.decode(ids[1:-2], skip_special_tokens=False) == system


def test_a_slip_is_read_and_what_is_right_is_learned() -> None:
    slipped = 0
    for task in WORLD.tasks:
        said = replies_of(WORLD, task, list(task.needed), INDEX, random.Random(task.text), 1.0, "json")
        right = {one.reply for one in json_calls(WORLD, task.programs, index=INDEX)}
        learned = [reply for number, reply in enumerate(said.replies) if number not in said.unlearned]
        assert set(learned) == right and len(said.results) == len(said.replies) - 1
        slipped += bool(said.unlearned)
    assert slipped >= 8


def test_a_slip_leaves_the_replies_of_a_program_as_they_are() -> None:
    for task in WORLD.tasks[:10]:
        said = replies_of(WORLD, task, list(task.needed), INDEX, random.Random(task.text), 0.0, "program")
        assert said.replies == task.programs and not said.unlearned


def test_every_reply_of_a_tree_is_json_and_none_is_too_long() -> None:
    trees = world_trees(WORLD, CHARACTERS, random.Random(1), stubs=(6, 10), stub_tokens=10_000, acting="json")
    branches = [(ids, mask) for tree in trees for ids, mask in zip(tree.branches, tree.targets, strict=True)]
    assert branches and all(len(ids) <= LONGEST for ids, _ in branches)
    for ids, mask in branches:
        learned = [one for one, wanted in zip(ids, mask, strict=True) if wanted]
        spoken = CHARACTERS.decode(learned, skip_special_tokens=False)
        assert all(json.loads(reply)["name"] for reply in spoken.split("<|end|>") if reply)
