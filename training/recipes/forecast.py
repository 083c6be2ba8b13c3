"""How long a run will take, told before it begins: what is played (forks, rollouts, held-out tasks) at the pace of the log.

The steps of learning in between are not in it; they show their own pace as they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from ..practice.tasks import suite_name
from .reinforce import STEPS

if TYPE_CHECKING:
    from ..outcomes import Selection, Usable
    from .options import TrainOptions


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will play, and how long a play takes."""

    plays: dict[str, int]
    seconds_each: float

    @property
    def seconds(self) -> float:
        """Of all plays."""
        return sum(self.plays.values()) * self.seconds_each

    def __str__(self) -> str:
        parts = [f"{count:,} {what}" for what, count in self.plays.items() if count]
        return f"{' and '.join(parts) or 'nothing to play'}, {self.seconds_each:.1f} s each as logged"


def forecast(options: TrainOptions, selection: Selection) -> Forecast:
    """The plays of a run that begins now."""
    forks = _forks(options, list(selection)) if options.supervises and options.chooses == "counterfactual" else 0
    online = options.reinforces and not options.offline
    rollouts = (options.steps or STEPS) * options.tasks_per_step * options.group if online else 0
    pace = [one.record.episode.seconds for one in selection if one.record.episode.seconds > 0]
    references = options.references if options.supervises else 0
    plays = {"forks": forks, "references": references, "rollouts": rollouts, "held-out tasks": 2 * options.eval_limit}
    return Forecast(plays, fmean(pace) if pace else 1.0)


def _forks(options: TrainOptions, episodes: Sequence[Usable]) -> int:
    """At every turn boundary but the last, in worlds only; the beginning is shared by the episodes of a task."""
    forked = [(name, one) for one in episodes if (name := suite_name(one.record)) is not None]
    starts = len({name for name, _ in forked})
    return options.continuations * (starts + sum(len(one.record.turns) - 1 for _, one in forked))
