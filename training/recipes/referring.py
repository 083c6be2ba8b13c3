"""References that are imitated besides the chosen episodes: first of tasks that were failed, then of fresh ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ..practice.references import reference_rows
from ..practice.tasks import PracticeTask, suite_name, world_practice
from .gathering import Told, fresh_tasks

if TYPE_CHECKING:
    from ...runtime.policies.llama import LlamaPolicy
    from ..outcomes import Selection
    from ..practice.rollouts import Manner
    from ..rows import Row
    from .options import TrainOptions


async def referred_rows(
    selection: Selection, suite: str, options: TrainOptions, manner: Manner, told: Told
) -> tuple[list[Row], str]:
    """The rows of `options.references` references, and a note on what came of them."""
    tasks = referred_tasks(selection, suite, options)
    rows = await reference_rows(cast("LlamaPolicy", manner.policy), tasks, manner, told)
    return rows, f"{len({row.rollout for row in rows})} of {len(tasks)} references were imitated, too"


def referred_tasks(selection: Selection, suite: str, options: TrainOptions) -> list[PracticeTask]:
    """Tasks of the suites that episodes failed, then fresh practice tasks of `suite`."""
    failed = dict.fromkeys(name for one in selection if one.solved is False and (name := suite_name(one.record)))
    known = [world_practice(name) for name in list(failed)[: options.references]]
    return known + fresh_tasks(suite, replace(options, fresh_tasks=options.references - len(known)))
