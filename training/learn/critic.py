"""The value head: one number for each state that a token is sampled in, learned beside the policy on the same pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .terms import Terms

PREFIX = "value_head."
"""Of the names of its weights in checkpoints."""


class ValueHead(nn.Module):
    """A linear map from the policy's last states to values; 0 everywhere before the first step."""

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, device=device, dtype=torch.float32)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: Tensor) -> Tensor:
        """States (n, width) to values (n), in float32."""
        values: Tensor = self.linear(states.float())[:, 0]
        return values


@dataclass(frozen=True, slots=True)
class Critic:
    """What a pass needs to value states: the head, and with gradients the derivative of the loss by the values."""

    head: ValueHead
    slope: Callable[[Terms, Tensor], Tensor] | None = None
