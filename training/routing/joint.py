"""Choosing model and tool together against choosing the model alone, on outcomes of pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...runtime.routing.outcomes import Pair
from .measures import Picked, interval, picked
from .recorded import Recorded, means
from .routers import Fitted, cluster


@dataclass(frozen=True, slots=True)
class Joint:
    """What both ways of choosing came to on the same questions."""

    together: Picked
    model_alone: Picked
    oracle: float

    def to_json(self) -> dict[str, Any]:
        """Accuracies, and the paired interval of the difference."""
        return {
            "together": self.together.accuracy, "model_alone": self.model_alone.accuracy, "oracle": self.oracle,
            "gain": self.together.accuracy - self.model_alone.accuracy,
            "gain_interval": list(interval(self.together.scores - self.model_alone.scores)),
        }  # fmt: skip


def joint_against_model(halves: Fitted, *, cost_weight: float = 0.0) -> Joint:
    """Route by pairs, and by models whose tool is then the one that did best with this model over all training questions."""
    test = halves.test
    together = picked(test, cluster(halves).choices(cost_weight, test.scores))
    by_model = replace(halves, train=_models(halves.train), test=_models(test))
    models = by_model.test.pairs
    chosen = cluster(by_model).choices(cost_weight, by_model.test.scores)
    best_tool = _best_pairs(halves.train, models)
    alone = picked(test, np.array([best_tool[one] for one in chosen], np.int64))
    best = np.nanmax(test.scores, axis=1)
    return Joint(together, alone, float(best.mean()))


def _models(data: Recorded) -> Recorded:
    """The same questions with one column for each model: the mean over its tools."""
    names = list(dict.fromkeys(pair.model for pair in data.pairs))
    columns = [[place for place, pair in enumerate(data.pairs) if pair.model == name] for name in names]
    scores = np.column_stack([means(data.scores[:, places].T) for places in columns])
    costs = np.column_stack([means(data.costs[:, places].T) for places in columns])
    return replace(data, pairs=tuple(Pair(name) for name in names), scores=scores, costs=costs)


def _best_pairs(train: Recorded, models: tuple[Pair, ...]) -> list[int]:
    """For each model the column of the pair that solved most."""
    overall = means(train.scores)
    places = [[at for at, pair in enumerate(train.pairs) if pair.model == model.model] for model in models]
    return [max(own, key=lambda at: overall[at]) for own in places]
