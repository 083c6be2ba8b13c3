"""What a selector says: the turns that carry loss, why, and which selector it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record

Category = Literal["plan_creation", "critical_observation", "critical_action", "self_correction"]
CATEGORIES: tuple[Category, ...] = ("plan_creation", "critical_observation", "critical_action", "self_correction")
SHARE = 0.3
"""At most this share of the steps is critical; the paper's figure, for trajectories of some 25 steps."""


@dataclass(frozen=True, slots=True)
class Label:
    """Why one turn was chosen."""

    turn: int
    category: Category | None
    reason: str
    score: float | None = None
    """How much the outcome depends on it, where the selector measures that."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The choice for one episode, as it is stored with the run."""

    episode: str
    selector: str
    version: str
    turns: frozenset[int]
    labels: tuple[Label, ...] = ()
    steps: int = 0
    """How many turns there were to choose from."""
    share: float = 1.0
    values: tuple[float | None, ...] = ()
    """Mean outcome from each turn boundary on, first that of the task itself, where the selector measured it."""
    notes: tuple[str, ...] = ()
    fell_back: str = ""
    """Why another selector's choice stands here, where one does; with no turns, why there is none of a failed episode."""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One line of `selections.jsonl`."""
        return {
            "episode": self.episode, "selector": self.selector, "version": self.version, "turns": sorted(self.turns),
            "steps": self.steps, "share": self.share, "values": list(self.values), "notes": list(self.notes),
            "fell_back": self.fell_back, "details": dict(self.details),
            "labels": [
                {"turn": one.turn, "category": one.category, "reason": one.reason, "score": one.score} for one in self.labels
            ],
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Selected:
        """A line read back."""
        labels = tuple(Label(one["turn"], one["category"], one["reason"], one["score"]) for one in data["labels"])
        return cls(
            data["episode"], data["selector"], data["version"], frozenset(data["turns"]), labels, data["steps"],
            data["share"], tuple(data["values"]), tuple(data["notes"]), data["fell_back"], data["details"],
        )  # fmt: skip


def cap(steps: int, share: float) -> int:
    """How many of `steps` turns may be chosen: the share, rounded up, and at least one."""
    return max(1, math.ceil(round(share * steps, 9))) if steps else 0


def trainable_turns(record: Record) -> list[int]:
    """The turns that can carry loss: those whose reply was logged with its token ids."""
    return [turn.turn for turn in record.turns if turn.reply_ids]
