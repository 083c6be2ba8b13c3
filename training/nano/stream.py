"""Worlds without end, as batches of trees, made in processes of their own while the model trains."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..worlds.base import World
from .config import Recipe
from .model import Flat, Tree, flatten

SHORT, MIXED, FULL = (4, 7), (5, 14), (10, 16)
"""How many stubs a view holds: at first, later, and over the last share of a run."""

MIXED_BATCHES = 8
"""Trees are drawn at random from so many batches' worth of them: those of one world teach the same thing at once."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a stream stands: the seed of the next world. A resumed run goes on from here."""

    seed: int


def make_world(seed: int, recipe: Recipe, rng: random.Random, words: Sequence[str]) -> World:
    """The practice world of a seed, of any kind; most have names out of `words`."""
    from ..worlds.composed import composed_world
    from ..worlds.shared import shared_world
    from ..worlds.workspace import workspace_world

    make: Callable[..., World] = workspace_world if rng.random() < recipe.toolbox_share else composed_world
    if rng.random() < recipe.shared_share:
        make = shared_world
    wide = words if rng.random() < recipe.wide_share else ()
    return make(seed, "practice", tasks=recipe.tasks_a_world, wide=wide)


def stubs_at(progress: float, recipe: Recipe) -> tuple[int, int]:
    """The size of views when `progress` (0 to 1) of the run is done."""
    if progress >= 1 - recipe.full_prompt_share:
        return FULL
    return SHORT if progress < recipe.short_prompt_share else MIXED


def drills_at(progress: float, recipe: Recipe) -> float:
    """What share of the trees are drills when `progress` of the run is done."""
    return next((share for until, share in recipe.drills if progress < until), 0.0)


class TreeStream:
    """Batches of about `recipe.step_tokens` positions over all workers, with the cursor behind each. Close it when done.

    With several producers, each makes every n-th world, and their batches come in turn; so do those of a team's members.
    """

    def __init__(self, recipe: Recipe, folder: Path, cursor: Cursor, *, progress: float = 0.0, rank: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._progress = context.Value("d", progress)
        self._queues: list[multiprocessing.Queue[Any]] = [context.Queue(maxsize=6) for _ in range(recipe.producers)]
        self._processes: list[BaseProcess] = [
            context.Process(
                target=_produce,
                args=(recipe, str(folder), cursor.seed + rank * recipe.producers + number, self._progress, out),
                daemon=True,
            )
            for number, out in enumerate(self._queues)
        ]
        for process in self._processes:
            process.start()

    def batches(self) -> Iterator[tuple[Flat, Cursor]]:
        """Batches without end. Raises `RuntimeError` when a making process died."""
        furthest = 0
        for number in itertools.cycle(range(len(self._queues))):
            flat, seed = self._next(number)
            furthest = max(furthest, seed)
            yield flat, Cursor(furthest)

    def _next(self, number: int) -> tuple[Flat, int]:
        while True:
            try:
                return self._queues[number].get(timeout=5)  # type: ignore[no-any-return]
            except queue.Empty:
                if not self._processes[number].is_alive():
                    raise RuntimeError("a process that makes worlds died; its error is above") from None

    def report(self, progress: float) -> None:
        """Tell the makers how far the run is, so that views grow."""
        self._progress.value = progress

    def close(self) -> None:
        """End the making processes."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


def _produce(recipe: Recipe, folder: str, seed: int, progress: Any, out: Any) -> None:
    trainer, rng = os.getppid(), random.Random(f"{recipe.seed}:{seed}:order")
    wanted = recipe.step_tokens // recipe.workers
    waiting: list[Tree] = []
    for trees, following in _trees(recipe, Path(folder), seed, progress):
        waiting += trees
        while sum(tree.size for tree in waiting) >= MIXED_BATCHES * wanted:
            if not _put(out, (flatten(_drawn(waiting, wanted, rng)), following), trainer):
                return


def _drawn(waiting: list[Tree], wanted: int, rng: random.Random) -> list[Tree]:
    """Take trees of about `wanted` positions by chance; the last ones fit, so that no worker waits for another."""
    batch: list[Tree] = []
    left = wanted
    while left > 0:
        some = rng.sample(range(len(waiting)), min(8, len(waiting)))
        smallest = min(some, key=lambda number: waiting[number].size)
        batch.append(waiting.pop(next((number for number in some if waiting[number].size <= left), smallest)))
        left -= batch[-1].size
    return batch


def _trees(recipe: Recipe, folder: Path, seed: int, progress: Any) -> Iterator[tuple[list[Tree], int]]:
    """The trees of one world after another, and some drills over each, with the seed that comes next."""
    from . import tokenizer as tokens
    from .drills import drill_tree
    from .rows import world_trees

    plain, dropping = tokens.load(folder), tokens.load(folder)
    dropping.model.dropout = recipe.bpe_dropout
    words = (folder / "lexicon.txt").read_text(encoding="utf-8").split()
    while True:
        rng = random.Random(f"{recipe.seed}:{seed}")
        world = make_world(recipe.seed * 1_000_000_000 + seed, recipe, rng, words)
        dropout = dropping if rng.random() < 0.5 else plain
        trees: list[Tree] = []
        while rng.random() < drills_at(progress.value, recipe):
            trees.append(drill_tree(world.tools, dropout, words, rng, acting=recipe.acting))
            if sum(tree.size for tree in trees) > recipe.step_tokens:
                break
        else:
            view = stubs_at(progress.value, recipe)
            trees += world_trees(
                world, dropout, rng, stubs=view, mistake_share=recipe.mistake_share, acting=recipe.acting
            )
        seed += recipe.producers * recipe.workers
        yield trees, seed


def _put(out: Any, item: Any, trainer: int) -> bool:
    """Hand a batch over; false when the training process is gone, which a full queue would hide for ever."""
    while os.getppid() == trainer:
        try:
            out.put(item, timeout=5)
            return True
        except queue.Full:
            continue
    return False
