"""The loss as a function of log-probabilities, with its derivative: terms are independent, so none waits for another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .settings import LearnSettings
from .terms import CE, RL, Floats, Terms

_LARGEST_LOG_RATIO = 20.0


@dataclass(frozen=True, slots=True)
class Losses:
    """Terms of one chunk on the device: what goes in besides the log-probabilities."""

    kind: Tensor
    weight: Tensor
    advantage: Tensor
    behaviour: Tensor
    reference: Tensor
    old_value: Tensor
    returns: Tensor

    @classmethod
    def of(cls, terms: Terms, device: torch.device) -> Losses:
        """The columns of some terms as tensors."""
        columns = (terms.weight, terms.advantage, np.nan_to_num(terms.behaviour), terms.reference, terms.old_value,
                   terms.returns)  # fmt: skip
        floats = (torch.as_tensor(column, dtype=torch.float32, device=device) for column in columns)
        return cls(torch.as_tensor(terms.kind, device=device), *floats)


def slope(losses: Losses, logprobs: Tensor, settings: LearnSettings) -> Tensor:
    """Derivative of the loss by each log-probability.

    Supervised: -weight. Policy gradient: -weight * advantage * min(ratio, cap), and 0 where the clip of PPO (higher
    above than below) says that the token has moved far enough; ratio = policy / behaviour, the behaviour being what was
    logged when the token was sampled. KL: of the k3 estimate.
    """
    ratio = (logprobs - losses.behaviour).clamp(-_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO).exp()
    far = (losses.advantage > 0) & (ratio > 1 + settings.clip_high)
    far |= (losses.advantage < 0) & (ratio < 1 - settings.clip_low)
    gradient = -losses.advantage * ratio.clamp(max=settings.importance_cap) * ~far
    if settings.kl_weight:
        gap = (losses.reference - logprobs).clamp(max=_LARGEST_LOG_RATIO)
        gradient = gradient + settings.kl_weight * (1 - gap.exp())
    slopes = torch.where(losses.kind == CE, -torch.ones_like(logprobs), torch.zeros_like(logprobs))
    return losses.weight * torch.where(losses.kind == RL, gradient, slopes)


def value_slope(losses: Losses, values: Tensor, settings: LearnSettings) -> Tensor:
    """Derivative of the value loss by each value: that of `value_loss`, times `value_weight`."""
    moved = values - losses.old_value
    held = losses.old_value + moved.clamp(-settings.value_clip, settings.value_clip)
    worse_held = (held - losses.returns) ** 2 > (values - losses.returns) ** 2  # then the loss does not see `values`
    slopes = torch.where(worse_held, torch.zeros_like(values), values - losses.returns)
    return torch.where(losses.kind == RL, settings.value_weight * losses.weight * slopes, torch.zeros_like(values))


def value_loss(terms: Terms, values: Floats, settings: LearnSettings) -> float:
    """Mean of 1/2 max((V - R)^2, (V_old + clip(V - V_old) - R)^2), the clipped value loss of PPO."""
    chosen = terms.kind == RL
    own, now = terms.where(chosen), values[chosen]
    held = own.old_value + np.clip(now - own.old_value, -settings.value_clip, settings.value_clip)
    errors = np.maximum((now - own.returns) ** 2, (held - own.returns) ** 2)
    return float(0.5 * (own.weight * errors).sum())


def value(
    terms: Terms, logprobs: Floats, settings: LearnSettings, values: Floats | None = None
) -> dict[str, float]:
    """The losses of a step: supervised, policy gradient (clipped surrogate), KL, values, and their sum."""
    ce = float(-(terms.weight * logprobs)[terms.kind == CE].sum())
    chosen = terms.kind == RL
    own, now = terms.where(chosen), logprobs[chosen]
    ratio = np.exp(np.clip(now - own.behaviour, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO))
    lowest = np.where(own.advantage < 0, 1 - settings.clip_low, 0.0)
    highest = np.where(own.advantage > 0, min(1 + settings.clip_high, settings.importance_cap), settings.importance_cap)
    surrogate = np.clip(ratio, lowest, highest) * own.advantage
    policy = float(-(own.weight * surrogate).sum())
    kl = 0.0
    if settings.kl_weight:
        gap = np.minimum(own.reference - now, _LARGEST_LOG_RATIO)
        kl = float((own.weight * (np.exp(gap) - gap - 1)).sum())
    found = {"loss": ce + policy + settings.kl_weight * kl, "loss_ce": ce, "loss_policy": policy, "kl_base": kl}
    if values is not None:
        found["loss_value"] = value_loss(terms, values, settings)
        found["loss"] += settings.value_weight * found["loss_value"]
    return found
