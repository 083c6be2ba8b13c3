"""Worlds without end, as batches of trees, made in a process of their own while the model trains."""

from __future__ import annotations

import multiprocessing
import os
import queue
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..worlds.base import World
from .config import Recipe
from .model import Tree

SHORT, MIXED, FULL = (4, 7), (5, 14), (10, 16)
"""How many stubs a view holds: at first, later, and over the last share of a run."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a stream stands: the seed of the next world. A resumed run goes on from here."""

    seed: int


def make_world(seed: int, recipe: Recipe, rng: random.Random) -> World:
    """The practice world of a seed, of either kind."""
    from ..worlds.composed import composed_world
    from ..worlds.workspace import workspace_world

    make: Callable[..., World] = workspace_world if rng.random() < recipe.toolbox_share else composed_world
    return make(seed, "practice", tasks=recipe.tasks_a_world)


def stubs_at(progress: float, recipe: Recipe) -> tuple[int, int]:
    """The size of views when `progress` (0 to 1) of the run is done."""
    if progress >= 1 - recipe.full_prompt_share:
        return FULL
    return SHORT if progress < 0.15 else MIXED


def drills_at(progress: float, recipe: Recipe) -> float:
    """What share of the trees are drills when `progress` of the run is done."""
    return next((share for until, share in recipe.drills if progress < until), 0.0)


class TreeStream:
    """Batches of about `recipe.step_tokens` positions, with the cursor behind each. Close it when done."""

    def __init__(self, recipe: Recipe, folder: Path, cursor: Cursor, *, progress: float = 0.0) -> None:
        context = multiprocessing.get_context("spawn")
        self._progress = context.Value("d", progress)
        self._queue: multiprocessing.Queue[Any] = context.Queue(maxsize=6)
        self._process: BaseProcess = context.Process(
            target=_produce, args=(recipe, str(folder), cursor.seed, self._progress, self._queue), daemon=True
        )
        self._process.start()

    def batches(self) -> Iterator[tuple[list[Tree], Cursor]]:
        """Batches without end. Raises `RuntimeError` when the making process died."""
        while True:
            try:
                item = self._queue.get(timeout=5)
            except queue.Empty:
                if not self._process.is_alive():
                    raise RuntimeError("the process that makes worlds died; its error is above") from None
                continue
            yield item

    def report(self, progress: float) -> None:
        """Tell the makers how far the run is, so that views grow."""
        self._progress.value = progress

    def close(self) -> None:
        """End the making process."""
        self._process.terminate()
        self._process.join()


def _produce(recipe: Recipe, folder: str, seed: int, progress: Any, out: Any) -> None:
    from . import tokenizer as tokens
    from .drills import drill_tree
    from .lexicon import renamer
    from .rows import world_trees

    plain, dropping = tokens.load(Path(folder)), tokens.load(Path(folder))
    dropping.model.dropout = recipe.bpe_dropout
    words = (Path(folder) / "lexicon.txt").read_text(encoding="utf-8").split()
    waiting: list[Tree] = []
    trainer = os.getppid()
    while True:
        rng = random.Random(f"{recipe.seed}:{seed}")
        world = make_world(recipe.seed * 1_000_000_000 + seed, recipe, rng)
        dropout = dropping if rng.random() < 0.5 else plain
        while rng.random() < drills_at(progress.value, recipe):
            waiting.append(drill_tree(world.tools, dropout, words, rng))
            if sum(tree.size for tree in waiting) > recipe.step_tokens:
                break
        else:
            rename = not world.files and rng.random() < recipe.rename_share
            rewrite = renamer(world, words, rng) if rename else str
            waiting += world_trees(world, dropout, rng, stubs=stubs_at(progress.value, recipe), rewrite=rewrite)
        seed += 1
        while sum(tree.size for tree in waiting) >= recipe.step_tokens:
            batch, size = [], 0
            while size < recipe.step_tokens:
                batch.append(waiting.pop(0))
                size += batch[-1].size
            if not _put(out, (batch, Cursor(seed)), trainer):
                return


def _put(out: Any, item: Any, trainer: int) -> bool:
    """Hand a batch over; false when the training process is gone, which a full queue would hide for ever."""
    while os.getppid() == trainer:
        try:
            out.put(item, timeout=5)
            return True
        except queue.Full:
            continue
    return False
