"""Sampling one token from logits, with the exact log-probabilities that training needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .base import Sampling
from .names import NameConstraint, NameState

Logits = npt.NDArray[np.float32]
_UNTOUCHED = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Step:
    """One sampled token."""

    token: int
    logprob: float
    """Under the raw model."""
    logprob_at_temperature: float
    """Under the distribution that was sampled: masked, and at the temperature (at 1 when greedy)."""
    kept_mass: float | None
    """Share of probability that the name constraint left at this position; None where it removed nothing."""


class Sampler:
    """Greedy at temperature 0, else the whole softmax with a seeded generator; names constrained where asked."""

    def __init__(self, sampling: Sampling, constraint: NameConstraint | None, thinking: bool = False) -> None:
        self._sampling = sampling
        self._constraint = constraint
        self._state: NameState | None = constraint.start(thinking=thinking) if constraint else None
        self._random = np.random.default_rng(sampling.seed)

    def step(self, logits: Logits) -> Step:
        """Sample one token."""
        scale = self._sampling.temperature or 1.0
        raw = log_softmax(logits.astype(np.float64))
        scaled = raw if scale == 1.0 else log_softmax(raw / scale)
        kept_mass, final = self._masked(scaled)
        token = int(np.argmax(final)) if self._sampling.temperature == 0 else self._draw(final)
        return Step(token, float(raw[token]), float(final[token]), kept_mass)

    def accept(self, piece: bytes) -> None:
        """Tell the name constraint what was written."""
        if self._constraint is not None and self._state is not None:
            self._state.feed(piece)

    def settings(self) -> dict[str, object]:
        """What is logged of the sampler."""
        sampling = self._sampling
        return {
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "greedy": sampling.temperature == 0,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "max_tokens": sampling.max_tokens,
            "constrain_names": self._constraint is not None,
        }

    def _masked(self, logprobs: npt.NDArray[np.float64]) -> tuple[float | None, npt.NDArray[np.float64]]:
        if self._constraint is None or self._state is None:
            return None, logprobs
        mask = self._constraint.mask(self._state)
        if mask is None:
            return None, logprobs
        kept = float(np.exp(logprobs[mask]).sum())
        if kept >= _UNTOUCHED:
            return None, logprobs
        return kept, log_softmax(np.where(mask, logprobs, -np.inf))

    def _draw(self, logprobs: npt.NDArray[np.float64]) -> int:
        cumulative = np.cumsum(np.exp(logprobs))
        point = self._random.random() * cumulative[-1]
        return int(np.searchsorted(cumulative, point, side="right"))


def log_softmax(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Numerically safe log-softmax in double precision."""
    shifted = values - values.max()
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result
