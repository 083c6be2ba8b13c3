"""Servers beside the toolbox: tasks over both, in one view, that their references solve."""

from __future__ import annotations

from functools import lru_cache

from atlas.training.worlds.base import World
from atlas.training.worlds.rehearse import verify
from atlas.training.worlds.shared import OWN, shared_world

TOOLBOX = {"files", "text", "tables", "clock", "units"}


@lru_cache(maxsize=1)
def _worlds() -> list[World]:
    return [shared_world(seed, "practice", tasks=24) for seed in range(24)]


def test_every_reference_solves_its_task() -> None:
    assert [text for world in _worlds() for text in verify(world)] == []


def test_a_world_has_the_toolbox_and_others_and_tasks_over_both() -> None:
    for world in _worlds():
        assert {tool.server for tool in world.tools} > TOOLBOX
        servers = {name.split(".")[0] for task in world.tasks for name in task.needed}
        assert servers & TOOLBOX and servers - TOOLBOX


def test_some_worlds_have_a_few_functions_of_a_users_own() -> None:
    sizes = [sum(tool.server == OWN for tool in world.tools) for world in _worlds()]
    assert 0 < sum(size > 0 for size in sizes) < len(sizes) and all(size <= 10 for size in sizes)


def test_some_answers_of_servers_end_in_a_file() -> None:
    saved = [
        task for world in _worlds() for task in world.tasks
        if "files.write" in task.needed and {name.split(".")[0] for name in task.needed} - TOOLBOX
    ]  # fmt: skip
    assert len(saved) >= 8
    for task in saved:
        assert not task.answer_matters and "json.dumps(" in task.programs[-1] and ".json" in task.text


def test_the_same_seed_makes_the_same_world() -> None:
    again = shared_world(3, "practice", tasks=24)
    assert [task.text for task in again.tasks] == [task.text for task in _worlds()[3].tasks]
