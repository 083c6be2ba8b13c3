"""What a step says of itself: losses, sizes, and how far the policy is from the one that wrote the rows."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..rows import Row
from .settings import LearnSettings
from .terms import RL, Floats, Terms

_LARGEST_LOG_RATIO = 20.0
_LEAST_EFFECTIVE = 0.3
_MEAN_BAND = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Ratios:
    """How the log-probabilities of now and then compare, over sampled tokens."""

    tokens: int = 0
    k1: float = 0.0
    """Mean of log(behaviour / policy): an estimate of the KL divergence with sign."""
    k3: float = 0.0
    """The estimate that is never negative."""
    chi2: float = 0.0
    effective_share: float = 1.0
    """Effective sample size of the importance weights, as a share of the tokens."""
    mean: float = 1.0
    std: float = 0.0
    largest: float = 1.0
    largest_difference: float = 0.0
    """Largest absolute difference of two log-probabilities."""


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """One optimiser step."""

    step: int
    loss: float
    loss_ce: float
    loss_policy: float
    kl_base: float
    grad_norm: float
    learning_rate: float
    rows: int
    row_tokens: int
    """Tokens of the rows up to the last one with weight."""
    computed_tokens: int
    """Tokens that went through the model: fewer where prefixes were shared."""
    ce_tokens: int
    rl_tokens: int
    forced_tokens: int
    stale_rows: int
    clipped_share: float
    """Policy-gradient tokens without gradient because they moved far enough."""
    capped_share: float
    """Policy-gradient tokens whose importance weight was truncated."""
    ratios: Ratios
    turn_k3: dict[int, float]
    """k3 by turn: a mismatch that grows with the turns points at the log, not at the weights."""
    seconds: float
    peak_memory_mb: float
    loss_value: float = 0.0
    """Of the value head, where there is one, before its weight."""
    warnings: list[str] = field(default_factory=list)

    @property
    def tokens_per_second(self) -> float:
        """Row tokens a second."""
        return self.row_tokens / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """A line of metrics.jsonl: flat."""
        values = asdict(self)
        ratios = {f"ratio_{name}" if name not in ("k1", "k3", "chi2", "effective_share") else name: value
                  for name, value in values.pop("ratios").items()}  # fmt: skip
        values["turn_k3"] = {str(turn): value for turn, value in self.turn_k3.items()}
        return values | ratios | {"tokens_per_second": self.tokens_per_second}


def ratios_of(now: Floats, then: Floats) -> Ratios:
    """Compare two lists of log-probabilities of the same tokens; NaN (unknown) is left out."""
    known = np.isfinite(now) & np.isfinite(then)
    gaps = (now - then)[known]
    if not len(gaps):
        return Ratios()
    logs = np.clip(gaps, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)
    weights = np.exp(logs)
    return Ratios(
        tokens=len(gaps), k1=float(-logs.mean()), k3=float((weights - logs - 1).mean()),
        chi2=float((weights**2).mean() - 1), effective_share=float(weights.sum() ** 2 / (len(weights) * (weights**2).sum())),
        mean=float(weights.mean()), std=float(weights.std()), largest=float(weights.max()),
        largest_difference=float(np.abs(gaps).max()),
    )  # fmt: skip


def policy_shares(terms: Terms, logprobs: Floats, settings: LearnSettings) -> tuple[Ratios, float, float]:
    """Ratios over the policy-gradient terms, and which share was clipped and capped."""
    chosen = terms.kind == RL
    own, now = terms.where(chosen), logprobs[chosen]
    if not len(own):
        return Ratios(), 0.0, 0.0
    ratio = np.exp(np.clip(now - own.behaviour, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO))
    clipped = (own.advantage > 0) & (ratio > 1 + settings.clip_high) | (own.advantage < 0) & (ratio < 1 - settings.clip_low)
    return ratios_of(now, own.behaviour), float(clipped.mean()), float((ratio > settings.importance_cap).mean())


def by_turn(rows: Sequence[Row], terms: Terms, logprobs: Floats) -> dict[int, float]:
    """k3 of the policy-gradient terms of each turn."""
    turns = np.asarray([rows[row].turn[place] for row, place in zip(terms.row, terms.place, strict=True)], dtype=np.int64)
    result = {}
    for turn in np.unique(turns[terms.kind == RL]):
        mine = (turns == turn) & (terms.kind == RL)
        result[int(turn)] = ratios_of(logprobs[mine], terms.behaviour[mine]).k3
    return result


def warnings_of(ratios: Ratios, stale: int) -> list[str]:
    """What should worry the reader of a step."""
    found = []
    if ratios.effective_share < _LEAST_EFFECTIVE:
        found.append(f"effective sample size {ratios.effective_share:.0%} of the tokens: the rows are too far off policy")
    if not _MEAN_BAND[0] <= ratios.mean <= _MEAN_BAND[1]:
        found.append(f"mean importance weight {ratios.mean:.2f}")
    if ratios.std > 1:
        found.append(f"importance weights vary by {ratios.std:.2f}")
    if abs(ratios.k1) > 0.1:
        found.append(f"the policy is {ratios.k1:.2f} nats a token from the one that wrote the rows")
    if stale:
        found.append(f"{stale} rows are too old for a policy gradient")
    return found


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
