"""Practice tasks shown as their references solve them: for what a policy does not yet find by itself.

Whoever practises in generated worlds has the solution of every task. What the policy failed at is imitated from there
(dataset aggregation), in rows like those of any episode: the runtime itself runs the reference, in the policy's own tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import CorruptRow, NotTrainable
from ..rows import Row, rows_of, weigh
from ..worlds.variants import variant_replies
from .places import made_world
from .rollouts import Manner, Rollout, roll
from .written import reciting

if TYPE_CHECKING:
    from ...runtime.policies.llama import LlamaPolicy
    from .tasks import PracticeTask


async def reference_rows(
    policy: LlamaPolicy, tasks: Sequence[PracticeTask], manner: Manner, told: Callable[[str, int, int], None]
) -> list[Row]:
    """Rows of the references of generated tasks, loss on all replies; those that do not solve their task are left out."""
    rows: list[Row] = []
    for number, task in enumerate(tasks, 1):
        told("playing references", number, len(tasks))
        shown = await show(policy, task, manner)
        if shown is None or shown.known != 1.0:
            continue
        try:
            rows += [weigh(row, ce=1.0) for row in rows_of(shown.record)]
        except (NotTrainable, CorruptRow):
            continue
    return rows


async def show(policy: LlamaPolicy, task: PracticeTask, manner: Manner) -> Rollout | None:
    """Run the reference of a task in the manner's variant, or take the run that the ledger holds; None without one."""
    if task.world_task is None:
        return None
    replies = _replies(task, manner)
    version = " ".join(("reference", *(str(value) for value in manner.variant.values())))
    turns = max(manner.max_turns, len(replies))
    return await roll(replace(manner, policy=reciting(policy, replies), version=version, max_turns=turns), task, 0)


def _replies(task: PracticeTask, manner: Manner) -> tuple[str, ...]:
    loading, acting = (manner.variant.get(name, kept) for name, kept in (("loading", "search"), ("acting", "program")))
    made = made_world(task.name)[0]
    return variant_replies(made.world, made.task, loading=loading, acting=acting)
