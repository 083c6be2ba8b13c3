"""References that are imitated besides the chosen episodes: first of tasks that were failed, then of fresh ones."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

from ..practice.recorded import NotPractisable
from ..practice.references import reference_rows
from ..practice.tasks import PracticeTask, generated_task, suite_practice
from .gathering import Told

if TYPE_CHECKING:
    from ...runtime.policies.llama import LlamaPolicy
    from ..outcomes import Selection
    from ..practice.rollouts import Manner
    from ..rows import Row
    from .options import TrainOptions

_SEED = 200_003
"""Of the fresh tasks, for the seed 0."""


async def referred_rows(
    selection: Selection, suite: str, options: TrainOptions, manner: Manner, told: Told
) -> tuple[list[Row], str]:
    """The rows of `options.references` references, and a note on what came of them."""
    tasks = referred_tasks(selection, suite, options)
    rows = await reference_rows(cast("LlamaPolicy", manner.policy), tasks, manner, told)
    return rows, f"{len({row.rollout for row in rows})} of {len(tasks)} references were imitated, too"


def referred_tasks(selection: Selection, suite: str, options: TrainOptions) -> list[PracticeTask]:
    """Tasks of the suites that episodes failed, then fresh practice tasks of `suite`, others than those for rollouts."""
    found: dict[str, PracticeTask] = {}
    for one in selection:
        with contextlib.suppress(NotPractisable):
            task = generated_task(one.record) if one.solved is False else None
            if task is not None:
                found[task.name] = task
    failed = list(found.values())[: options.references]
    fresh = suite_practice(suite, seed=_SEED + options.seed)
    return failed + [next(fresh) for _ in range(options.references - len(failed))]
