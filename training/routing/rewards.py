"""What a run of the learned router earns (Atlas, arXiv 2601.03872, equation 7): R = format + gamma outcome + xi selection.

| part | value | rule |
|---|---|---|
| format | 0, else -1 | all six rules of `route_acting.RULES` are kept |
| outcome | 1 or 0 | the task was solved |
| selection | 0, else -0.15 | every model that was asked was a right one; once for the whole run |

In the paper a fixed favourite, or a stronger model's opinion, says which model is right. Here every member did the task
alone beforehand: the right ones are those with the highest utility (1 - a) solved - a cost, cost as a share of the
dearest member's on this task. So of those that solve it the cheapest is right, and where none does, the cheapest of all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...runtime.route_acting import kept_rules
from ...runtime.routing.asking import ASK

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record

WRONG_FORMAT = -1.0
WRONG_MODEL = -0.15
PARTS = ("format", "outcome", "selection")
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Tried:
    """How one member of the pool did a task alone."""

    solved: float
    usd: float
    tools: tuple[str, ...] = ()
    """Servers that it called."""
    answer: Any = None


@dataclass(frozen=True, slots=True)
class RouteReward:
    """The parts of a reward; one that was left out (an ablation) is 0."""

    parts: Mapping[str, float]
    rules: Mapping[str, bool] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """Their sum: gamma = xi = 1, as in the paper."""
        return sum(self.parts.values())


def right_models(tried: Mapping[str, Tried], cost_weight: float) -> frozenset[str]:
    """The members with the highest utility for a task."""
    dearest = max((one.usd for one in tried.values()), default=0.0)
    utility = {
        name: (1 - cost_weight) * one.solved - cost_weight * (one.usd / dearest if dearest else 0.0)
        for name, one in tried.items()
    }
    best = max(utility.values(), default=0.0)
    return frozenset(name for name, value in utility.items() if value >= best - _EQUAL)


def reward_of_route(
    record: Record, solved: float, tried: Mapping[str, Tried], *, cost_weight: float, without: Collection[str] = ()
) -> RouteReward:
    """The reward of a router's episode. `without` names parts to leave out."""
    calls = [call for call in record.calls if call.tool == ASK]
    asked = tuple(str(call.arguments.get("model")) for call in calls)
    told = sum(call.returned_at is not None for call in calls)
    rules = kept_rules([turn.reply_text for turn in record.turns], told, tried.keys(), None)
    rules["pairs"] &= all(call.error_kind != "invalid" for call in calls)
    right = right_models(tried, cost_weight)
    chosen_well = set(asked) <= right if asked else bool(solved)
    parts = {
        "format": 0.0 if all(rules.values()) else WRONG_FORMAT, "outcome": float(solved),
        "selection": 0.0 if chosen_well else WRONG_MODEL,
    }  # fmt: skip
    return RouteReward({name: 0.0 if name in without else value for name, value in parts.items()}, rules, asked)
