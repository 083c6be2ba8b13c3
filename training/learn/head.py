"""The language-model head, only where a term needs it, a few positions at a time, forward and backward in one go."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from .critic import Critic
from .terms import Floats, Ints, Terms

Slope = Callable[[Terms, Tensor], Tensor]
"""Derivative of the loss by the log-probabilities of some terms."""
_CHUNK_BYTES = 16 << 20


def score(
    head: nn.Module, hidden: Tensor, at: Ints, terms: Terms, slope: Slope | None, vocabulary: int,
    critic: Critic | None = None,
) -> tuple[Floats, Floats, Tensor | None]:  # fmt: skip
    """Log-probabilities and values of the terms, and with `slope` the derivative of the loss by `hidden`.

    `hidden` holds one normed state for each position that predicts something; `at` says which of them predicts each term,
    in ascending order. Without a critic the values are 0.
    """
    results, valued = np.zeros(len(terms)), np.zeros(len(terms))
    gradient = torch.zeros_like(hidden) if slope is not None else None
    step = max(1, _CHUNK_BYTES // (4 * vocabulary))
    for start in range(0, hidden.shape[0], step):
        end = min(hidden.shape[0], start + step)
        first, last = np.searchsorted(at, [start, end])
        some = terms.where(np.arange(first, last))
        states = hidden[start:end].detach().requires_grad_(slope is not None)
        with torch.set_grad_enabled(slope is not None):
            logits = head(states)
            guesses = critic.head(states) if critic is not None else None
        rows = torch.as_tensor(at[first:last] - start, device=hidden.device)
        values, down = _chunk(logits.detach(), rows, some, slope)
        results[first:last] = values
        outputs, pulls = [logits], [down]
        if guesses is not None and critic is not None:
            picked = guesses.detach()[rows]
            valued[first:last] = picked.double().cpu().numpy()
            if critic.slope is not None:
                outputs.append(guesses)
                pulls.append(torch.zeros_like(guesses).index_add_(0, rows, critic.slope(some, picked)))
        if down is not None and gradient is not None:
            pairs = zip(outputs, pulls, strict=True)
            torch.autograd.backward(outputs, [cast("Tensor", pull).to(out.dtype) for out, pull in pairs])
            gradient[start:end] = cast("Tensor", states.grad)
    return results, valued, gradient


def _chunk(logits: Tensor, rows: Tensor, terms: Terms, slope: Slope | None) -> tuple[Floats, Tensor | None]:
    """Log-probabilities of the terms of one chunk, and the derivative of the loss by its logits."""
    logits = logits.float()
    target = torch.as_tensor(terms.target, device=logits.device)
    picked = torch.zeros(len(terms), device=logits.device)
    temperatures = np.unique(terms.temperature)
    sums: list[Tensor] = []
    for temperature in temperatures:
        mine = torch.as_tensor(np.nonzero(terms.temperature == temperature)[0], device=logits.device)
        scaled = logits if temperature == 1 else logits / temperature
        sums.append(scaled.logsumexp(-1))
        picked[mine] = scaled[rows[mine], target[mine]] - sums[-1][rows[mine]]
    values = picked.double().cpu().numpy()
    if slope is None:
        return values, None
    slopes = slope(terms, picked)
    return values, _down(logits, rows, target, terms, slopes, temperatures, sums)


def _down(
    logits: Tensor, rows: Tensor, target: Tensor, terms: Terms, slopes: Tensor, temperatures: Floats, sums: list[Tensor]
) -> Tensor:
    total: Tensor | None = None
    for temperature, lse in zip(temperatures, sums, strict=True):
        mine = torch.as_tensor(np.nonzero(terms.temperature == temperature)[0], device=logits.device)
        each = slopes[mine] / temperature
        pull = torch.zeros_like(lse).index_add_(0, rows[mine], each)
        softmax = (logits if temperature == 1 else logits / temperature).sub(lse[:, None]).exp_().mul_(-pull[:, None])
        softmax.index_put_((rows[mine], target[mine]), each, accumulate=True)
        total = softmax if total is None else total.add_(softmax)
    assert total is not None
    return total
