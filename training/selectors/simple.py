"""The controls: all steps, and a random share of them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .selected import SHARE, Label, Selected, cap, trainable_turns

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record


def all_turns(record: Record) -> Selected:
    """Every step."""
    turns = trainable_turns(record)
    return Selected(record.episode.id, "all", "1", frozenset(turns), steps=len(turns))


def random_turns(record: Record, *, share: float = SHARE, seed: int = 0) -> Selected:
    """As many steps as a selector may choose, drawn by the seed and the episode."""
    turns = trainable_turns(record)
    chosen = random.Random(f"{seed}:{record.episode.id}").sample(turns, cap(len(turns), share))
    labels = tuple(Label(turn, None, "drawn at random") for turn in sorted(chosen))
    return Selected(record.episode.id, "random", "1", frozenset(chosen), labels, len(turns), share)
