"""Continuations of a logged episode from its turn boundaries, each in a fresh scene of its own place."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.episodes import export_episodes, import_episodes
from ...runtime.errors import EpisodeError
from ...sandbox import keep_warm
from .rollouts import Manner, Rollout, all_or_none, go_on, roll, rollout_seed

if TYPE_CHECKING:
    from ...runtime.episodes.store import EpisodeStore
    from .tasks import PracticeTask


def adopt(source: EpisodeStore, target: EpisodeStore, identifier: str) -> None:
    """Copy an episode into the practice log, where its forks will lie beside it."""
    try:
        target.find(identifier)
        return
    except EpisodeError:
        pass
    with tempfile.TemporaryDirectory(prefix="atlas-practice-") as folder:
        path = Path(folder) / "episode.jsonl"
        with path.open("w", encoding="utf-8") as file:
            export_episodes(source, file, ids=[identifier])
        import_episodes(target, path)


async def continuations(
    manner: Manner, task: PracticeTask, parent: str, after_turn: int, *, count: int, seed: int, first: int = 0
) -> Sequence[Rollout]:
    """`count` ways in which the policy goes on after a turn of an episode (0: from the beginning).

    Raises `ReplayMismatch` where the beginning cannot be played again in the task's place.
    """
    members = range(first, first + count)
    with keep_warm():
        if after_turn == 0:
            return await all_or_none([roll(manner, task, rollout_seed(seed, task.name, member)) for member in members])
        name = f"{parent}+{after_turn}"
        return await all_or_none(
            [go_on(manner, task, parent, after_turn, rollout_seed(seed, name, member)) for member in members]
        )
