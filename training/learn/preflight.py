"""Before the first step: does the trainer's copy of the policy score logged tokens as the policy did that wrote them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from ..errors import Disagreement
from ..rows import Row
from .metrics import ratios_of
from .runner import Runner
from .terms import needed, score_terms
from .trainer import Trainer


@dataclass(frozen=True, slots=True)
class Preflight:
    """The figures of the comparison."""

    rows: int
    tokens: int
    """Tokens compared; 0 where no log-probabilities were logged, so that nothing could be compared."""
    k3: float
    mean_difference: float
    """Mean absolute difference of log-probabilities, in nats."""
    largest_difference: float
    worst_row: str
    worst_row_k3: float

    def describe(self) -> str:
        """One line for people."""
        return (
            f"k3 {self.k3:.2e}, mean difference {self.mean_difference:.2e} nats, largest {self.largest_difference:.2e},"
            f" over {self.tokens} tokens of {self.rows} rows"
        )


def preflight(policy: Trainer | nn.Module, rows: Sequence[Row], *, limit_k3: float = 1e-2, most_rows: int = 32) -> Preflight:
    """Score logged tokens again (at most so many rows, spread over all); raises `Disagreement` past the limit."""
    model = policy.model if isinstance(policy, Trainer) else policy
    logged = [row for row in rows if np.isfinite(np.asarray(row.raw_logprob)[row.loss_mask]).any()]
    chosen = logged if len(logged) <= most_rows else [logged[i * len(logged) // most_rows] for i in range(most_rows)]
    if not chosen:
        return Preflight(0, 0, 0.0, 0.0, 0.0, "", 0.0)
    now, then = _both(model, chosen)
    every = ratios_of(np.concatenate(now), np.concatenate(then))
    each = [ratios_of(mine, logged_then).k3 for mine, logged_then in zip(now, then, strict=True)]
    worst = int(np.argmax(each))
    gaps = np.abs(np.concatenate(now) - np.concatenate(then))
    result = Preflight(
        len(chosen),
        every.tokens,
        every.k3,
        float(np.nanmean(gaps)),
        every.largest_difference,
        chosen[worst].name,
        each[worst],
    )
    if not every.k3 <= limit_k3 or not np.isfinite(np.concatenate(now)).all():
        raise Disagreement(
            f"the trainer's policy is not the one that wrote these episodes: {result.describe()}; the limit of k3 is"
            f" {limit_k3:g}", where=f"{result.worst_row} (k3 {result.worst_row_k3:.2e})",
            mend="train on the very model file and adapter that made the episodes, or collect new ones",
        )  # fmt: skip
    return result


def _both(model: nn.Module, rows: Sequence[Row]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Log-probabilities of sampled tokens by row: now, and as logged."""
    terms = score_terms(rows)
    training = model.training
    model.eval()
    try:
        values = Runner(model).run(needed(rows, terms), terms, None).logprobs
    finally:
        model.train(training)
    now = [values[terms.row == number] for number in range(len(rows))]
    return now, [np.asarray(row.raw_logprob)[row.loss_mask] for row in rows]
