"""Suites of tasks for `atlas eval`: fixed difficulty, fixed seeds, pieces that training never saw.

Every task comes with a world of its own. Fixed by the suites, whatever a policy can do: at least 60 tools known (but for
the smallest of `TOOLSPACES`), the first view as in any run, two distractors of near name for each needed tool, a fifth of
the tasks needing a second turn, a tenth that no tool can do.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast, get_args

from .worlds.base import Split, Task, World

TOOL_COUNT = 64
SHARES = {
    "toolbox": {"single": 30, "chain": 16, "loop": 14, "condition": 12, "search": 10, "trouble": 8, "beyond": 10},
    "worlds": {"single": 25, "pipe": 17, "loop": 14, "condition": 14, "search": 12, "trouble": 8, "beyond": 10},
    "worlds:hard": {"pipe": 25, "loop": 18, "condition": 17, "search": 12, "trouble": 10, "long": 8, "beyond": 10},
}
"""Per cent of the tasks of a suite, by family."""
TOOLSPACES = {"worlds:20": 20, "worlds:250": 250, "worlds:2500": 2_500}
"""Suites of the families of `worlds` in toolspaces of other sizes, with more servers where there are thousands of tools."""
SHARES |= dict.fromkeys(TOOLSPACES, SHARES["worlds"])


@dataclass(frozen=True, slots=True)
class SuiteTask:
    """One task of a suite with its world and a name that stays the same from run to run."""

    name: str
    world: World
    task: Task


def suite_tasks(suite: str, split: Split, limit: int, seed: int = 0) -> Iterator[SuiteTask]:
    """The first `limit` tasks of a suite. Raises `KeyError` for an unknown suite."""
    for number, family in zip(range(limit), _deck(suite, seed), strict=False):
        yield _make(suite, split, family, seed, number)


def suite_task(name: str) -> SuiteTask:
    """The task of that name (`worlds:hard/practice/0/17`), made again. Raises `KeyError` for a name of no suite."""
    suite, _, rest = name.partition("/")
    split, _, place = rest.partition("/")
    seed, _, number = place.partition("/")
    if suite not in SHARES or split not in get_args(Split) or not number.isdecimal():
        raise KeyError(name)
    family = next(itertools.islice(_deck(suite, int(seed)), int(number), None))
    return _make(suite, cast(Split, split), family, int(seed), int(number))


def tasks_of_family(suite: str, split: Split, family: str, seed: int = 0) -> Iterator[str]:
    """Names of the suite's tasks of one family, without end; their worlds are not made for it."""
    for number, found in enumerate(_deck(suite, seed)):
        if found == family:
            yield f"{suite}/{split}/{seed}/{number}"


def _deck(suite: str, seed: int) -> Iterator[str]:
    """The families of the tasks of a suite, one after the other."""
    shares = SHARES[suite]
    shuffle = random.Random(f"{suite}:{seed}")
    while True:
        deck = [family for family, share in shares.items() for _ in range(share)]
        shuffle.shuffle(deck)
        yield from reversed(deck)


def _make(suite: str, split: Split, family: str, seed: int, number: int) -> SuiteTask:
    from .worlds.composed import composed_world
    from .worlds.workspace import workspace_world

    first = int.from_bytes(hashlib.sha256(f"{suite}:{split}:{seed}:{number}".encode()).digest()[:6])
    for attempt in range(20):  # a world now and then has no room for a family
        world_seed = 1_000_000_000_000 + first + attempt
        if suite == "toolbox":
            world = workspace_world(world_seed, split, tasks=1, families=[family], tool_count=TOOL_COUNT)
        else:
            hard = suite == "worlds:hard"
            count = TOOLSPACES.get(suite, TOOL_COUNT)
            world = composed_world(world_seed, split, tasks=1, families=[family], tool_count=count, hard=hard)
        if world.tasks:
            return SuiteTask(f"{suite}/{split}/{seed}/{number}", world, world.tasks[0])
    raise RuntimeError(f"no world of suite {suite!r} has a task of family {family!r} near seed {first}")
