"""A router's drill: what its members do alone is seen as they would see it when asked, and is paid once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime.episodes.store import EpisodeStore
from atlas.runtime.policies import PolicyIdentity, ScriptedPolicy
from atlas.runtime.routing.chooser import Chooser
from atlas.runtime.routing.crew import Crew
from atlas.runtime.routing.pool import Pool, PoolModel
from atlas.training.practice.ledger import Ledger
from atlas.training.practice.rollouts import Manner
from atlas.training.practice.tasks import PracticeTask, world_practice
from atlas.training.routing.practice import Drill

HIDING = "worlds/practice/0/12"
"""A task that hides the tool that it needs."""


@pytest.fixture
def store() -> Iterator[EpisodeStore]:
    with EpisodeStore(None) as opened:
        yield opened


def drill(store: EpisodeStore, replies: list[str], ledger: Ledger | None = None, own: Any = None) -> Drill:
    async def load(name: str, model: PoolModel) -> Any:
        return ScriptedPolicy(replies)

    pool = Pool({"a": PoolModel(model="nano", input_price=1.0)})
    return Drill(Crew(Chooser(pool, store, None), load=load), Manner(own or ScriptedPolicy([]), store, 0.0, ledger))


def scouted(made: Drill, task: PracticeTask) -> Any:
    async def go() -> Any:
        async with made.crew:
            return await made.scout(task)

    return asyncio.run(go())


def test_a_member_alone_has_to_search_for_what_the_task_hides(store: EpisodeStore):
    task = world_practice(HIDING)
    assert task.world_task is not None and task.hidden
    tried = scouted(drill(store, list(task.world_task.programs)), task)
    (alone,) = store.list()
    assert not set(task.hidden) & set(store.get(alone.id).turns[0].in_view)
    assert tried["a"].solved == 1.0


class Learning(ScriptedPolicy):
    """A policy with another adapter after every step."""

    def __init__(self, step: int) -> None:
        super().__init__([])
        self.step = step

    @property
    def identity(self) -> PolicyIdentity:
        return replace(super().identity, adapter=f"step {self.step}", adapter_hash=f"hash of step {self.step}")


def test_what_members_did_alone_is_not_paid_again_when_the_policy_has_learned(store: EpisodeStore, tmp_path: Path):
    task, file = world_practice(HIDING), tmp_path / "rollouts.jsonl"
    assert task.world_task is not None
    first = scouted(drill(store, list(task.world_task.programs), Ledger(file), Learning(0)), task)
    resumed = drill(store, [], Ledger(file), Learning(3))
    assert scouted(resumed, task) == first and resumed.crew.purse.spent == 0
    assert len(store.list()) == 1
