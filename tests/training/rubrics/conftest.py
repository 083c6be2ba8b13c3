"""Episodes of a world of generated servers, as a policy with given replies would have made them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from atlas.runtime.episodes import Record
from atlas.training.worlds.base import Task, World
from atlas.training.worlds.composed import composed_world
from atlas.training.worlds.perform import perform
from atlas.training.worlds.rehearse import Rehearsal, rehearse


@dataclass(frozen=True)
class Scene:
    """One task of a world."""

    world: World
    task: Task
    expected: Rehearsal

    def play(self, programs: Sequence[str] | None = None) -> Record:
        """The record of an episode with these replies; the reference's where none are given."""
        return perform(self.world, self.task, self.task.programs if programs is None else programs, self.expected)


@pytest.fixture(scope="session")
def scene() -> Callable[[str], Scene]:
    """`scene("pipe")`: a task of that family, always the same; one that wants an answer, where there is one."""
    made: dict[str, Scene] = {}

    def find(family: str) -> Scene:
        if family not in made:
            world = composed_world(7, "practice", tasks=6, families=[family], tool_count=40)
            task = next((task for task in world.tasks if task.answer_matters), world.tasks[0])
            made[family] = Scene(world, task, rehearse(world, task))
        return made[family]

    return find
