"""Episodes whose truth is known criterion by criterion: from worlds, and from the log where the outcome is known."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...runtime.episodes.rows import Record
from ..outcomes import parse_filter
from ..rubrics import Rubric, RubricStore, plain_rubric, rubric_of_world
from ..suites import SHARES, suite_task
from ..worlds.base import Split, World
from ..worlds.perform import perform
from ..worlds.rehearse import rehearse
from .spoiling import spoiled

if TYPE_CHECKING:
    from ...runtime.episodes.store import EpisodeStore

MET = 0.999
"""A criterion counts as met from here on: a share of the wanted changes is not all of them."""


@dataclass(frozen=True, slots=True)
class Example:
    """An episode with its rubric, and for each criterion whether it is met."""

    record: Record
    rubric: Rubric
    truths: dict[str, bool]
    way: str = "logged"
    """How it came about: by the reference, by a way of going wrong, or by a policy that was logged."""

    @property
    def solved(self) -> bool:
        """Whether the task was solved."""
        return (self.record.episode.reward or 0.0) >= 0.5


def truths_of(record: Record, rubric: Rubric) -> dict[str, bool]:
    """Which criteria are met, as far as programs and those who know the outcome can tell."""
    facts = rubric.facts(record)
    scores = {one.id: one.scored(facts, truth=True) for one in rubric.criteria}
    return {name: score >= MET for name, score in scores.items() if score is not None}


def world_examples(count: int, *, split: Split, seed: int = 0, solved_share: float = 0.4) -> Iterator[Example]:
    """Examples from worlds of both kinds: references, and references that go wrong. The same for the same arguments."""
    rng = random.Random(f"judge/{split}/{seed}")
    made, number = 0, 0
    while made < count:
        world = _world(seed, number, split)
        number += 1
        for example in _of_world(world, rng, solved_share):
            yield example
            made += 1
            if made >= count:
                return


def _world(seed: int, number: int, split: Split) -> World:
    from ..worlds.composed import composed_world
    from ..worlds.workspace import workspace_world

    first = 500_000_000 + seed * 1_000_003 + number
    if number % 2:
        return workspace_world(first, split, tasks=6, tool_count=22)
    return composed_world(first, split, tasks=6, tool_count=40, hard=number % 4 == 0)


def _of_world(world: World, rng: random.Random, solved_share: float) -> Iterator[Example]:
    for task in world.tasks:
        expected = rehearse(world, task)
        rubric = rubric_of_world(task, world.tools, expected)
        if rng.random() < solved_share:
            record = perform(world, task, task.programs, expected)
            yield Example(record, rubric, truths_of(record, rubric), "reference")
            continue
        for way, programs in spoiled(world, task, expected, rng):
            record = perform(world, task, programs, expected)
            yield Example(record, rubric, truths_of(record, rubric), way)
            break


def logged_examples(
    store: EpisodeStore, rubrics: RubricStore | None = None, filter: str | None = None, *, limit: int | None = None
) -> list[Example]:
    """Episodes of the log whose outcome is known, checked or rated, newest first; without a rubric that of
    their world is used, else the plain one.

    Held-out episodes are left out here as well: thresholds are fitted on what this returns.
    """
    wanted = parse_filter(filter)
    most = min((one for one in (wanted.last, limit) if one is not None), default=None)
    found: list[Example] = []
    identifiers: list[str] = store.ids()
    for identifier in reversed(identifiers):
        if most is not None and len(found) >= most:
            break
        row = store.find(identifier)
        if row.outcome not in ("known", "checked", "rated") or row.reward is None or row.split == "heldout":
            continue
        if not wanted.passes(row):
            continue
        record = store.get(identifier)
        if not record.turns:
            continue
        rubric = (rubrics.get(row.task) if rubrics else None) or _rubric_of(record)
        found.append(Example(record, rubric, truths_of(record, rubric)))
    return found


def _rubric_of(record: Record) -> Rubric:
    """That of the generated task that the episode was run on, else the plain one."""
    origin = str(record.episode.settings.get("origin") or "")
    if origin.partition("/")[0] not in SHARES:
        return plain_rubric(record.episode.task)
    item = suite_task(origin)
    return rubric_of_world(item.task, item.world.tools, rehearse(item.world, item.task))


def shares(examples: Sequence[Example]) -> dict[str, float]:
    """What a set of examples holds, for the report."""
    truths = [truth for example in examples for truth in example.truths.values()]
    return {
        "episodes": len(examples), "criteria": len(truths), "solved": _share([example.solved for example in examples]),
        "met": _share(truths),
    }  # fmt: skip


def _share(values: Sequence[bool]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
