"""Which tasks a run practises: those that can be played in a safe place and scored by somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PracticeError
from ..practice.tasks import PracticeTask, world_practice
from ..suites import SHARES
from .gathering import Pool, fresh_tasks

if TYPE_CHECKING:
    from .folder import RunFolder
    from .options import TrainOptions
    from .scoring import Scorer

_SCORED = (
    "with --reward rubric name --judge SPEC, or write rubrics (docs/rubrics.md); --offline takes the outcomes of the log"
)


def leave_out_unscored(pool: Pool, scorer: Scorer) -> list[str]:
    """Take out of the pool what nobody could score, and say so. Raises `PracticeError` where nothing is left to play."""
    check_practice(pool.once)
    unscored = [name for name, task in pool.once.items() if not scorer.can_score(task)]
    if not unscored:
        return []
    why = (
        "outside generated worlds nobody can say of a rollout whether it solved its task" if scorer.kind == "outcome"
        else "they are of no generated world, no judge is named, and programs tell less than half of their rubric"
    )  # fmt: skip
    if len(unscored) == len(pool.once):
        raise PracticeError(
            f"none of the {len(unscored)} tasks can be practised: {why}", where=f"--reward {scorer.kind}", mend=_SCORED
        )
    for name in unscored:
        del pool.once[name]
    return [f"{len(unscored)} tasks are not practised: {why}"]


def tasks_to_practise(pool: Pool, folder: RunFolder, options: TrainOptions) -> tuple[dict[str, PracticeTask], list[str]]:
    """The tasks by name, those that the run began with where it goes on, and notes on what has gone since."""
    begun = folder.state().get("tasks")
    if begun:
        there = [name for name in begun if name in pool.tasks or _generated(name)]
        kept = {name: pool.tasks.get(name) or world_practice(name) for name in there}
        gone = len(begun) - len(kept)
        return kept, [f"{gone} tasks have no safe place any more and are not practised"] if gone else []
    tasks = dict(pool.once)
    if any(task.world_task is not None for task in tasks.values()):
        tasks |= {task.name: task for task in fresh_tasks(str(folder.state().get("suite")), options)}
    folder.note(tasks=list(tasks))
    return tasks, []


def check_practice(tasks: dict[str, PracticeTask]) -> None:
    """Raises `PracticeError` where there is nothing to practise."""
    if not tasks:
        raise PracticeError(
            "none of the episodes has a safe place to practise in", where="atlas train",
            mend="collect episodes with `atlas eval SUITE --split practice --keep`, or train with --offline",
        )  # fmt: skip


def _generated(name: str) -> bool:
    return name.partition("/")[0] in SHARES
