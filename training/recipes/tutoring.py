"""An adapter from references alone, in one variant of the runtime: for comparing variants that are trained equally."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...runtime.episodes import EpisodeStore
from ..practice.ledger import Ledger
from ..practice.references import reference_rows
from ..practice.rollouts import Manner
from ..practice.tasks import PracticeTask, world_practice
from ..rows import Row, read_dataset, write_dataset
from .folder import PRACTICE, RunFolder
from .learner import Learner
from .options import TrainOptions
from .supervised import Told, imitate

if TYPE_CHECKING:
    from ...runtime.policies.llama import LlamaPolicy

_TRIES = 4
"""So many tasks are tried for each reference that is wanted: in some variants one now and then does not fit."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an adapter is taught."""

    suites: tuple[str, ...]
    """Practice tasks of these in turn."""
    variant: Mapping[str, Any]
    """Options of the runtime: `loading`, `acting`, ..."""
    options: TrainOptions
    """Model, seed, steps, and how many `references`."""


async def tutor(lesson: Lesson, folder: Path, told: Told) -> Path:
    """Play `references` references, imitate them for `steps` steps, and save the adapter in `folder`; returns its GGUF.

    Called again after it was killed, it goes on. Raises `RecipeError`, `LearnError`, `AdapterError`.
    """
    from ...runtime.policies import load_policy

    options, run = lesson.options, RunFolder(folder)
    target = folder / "adapter"
    if (target / "adapter.gguf").is_file():
        return target / "adapter.gguf"
    run.note(run=folder.name, options=options.to_json(), variant=dict(lesson.variant))
    policy = cast("LlamaPolicy", load_policy(options.model, threads=options.threads))
    try:
        with run.held():
            rows = await _rows(lesson, policy, run, told)
            learner = Learner.open(policy, options, run)
            await imitate(learner, rows, [], told)
            return learner.save(target, told=lambda what: told(what, 0, 0))
    finally:
        await policy.aclose()


async def _rows(lesson: Lesson, policy: LlamaPolicy, run: RunFolder, told: Told) -> list[Row]:
    kept = run.path / "rows"
    if kept.is_dir():
        return read_dataset(kept)
    wanted, rows = lesson.options.references, list[Row]()
    with EpisodeStore(run.path / PRACTICE) as store:
        manner = Manner(policy, store, ledger=Ledger(run.rollouts), variant=lesson.variant)
        for number, task in zip(range(_TRIES * wanted), lesson_tasks(lesson), strict=False):
            rows += await reference_rows(policy, [task], manner, lambda *_: None)
            done = len({row.rollout for row in rows})
            told(f"playing references, {number + 1} tried", done, wanted)
            if done >= wanted:
                break
    write_dataset(rows, kept)
    return rows


def lesson_tasks(lesson: Lesson) -> Iterator[PracticeTask]:
    """Practice tasks of the suites in turn, without end; the same for every variant."""
    number = 0
    while True:
        for suite in lesson.suites:
            yield world_practice(f"{suite}/practice/{_APART + lesson.options.seed}/{number}")
        number += 1


_APART = 100_003
"""Added to the seed of a lesson: its tasks are not those that somebody collects episodes of."""
