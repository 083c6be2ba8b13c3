"""Muon: momentum whose matrices are made orthogonal by five Newton-Schulz steps (Jordan et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def orthogonalise(matrix: Tensor, steps: int = 5, kind: torch.dtype = torch.float32) -> Tensor:
    """The nearest matrix with singular values about one; the quintic iteration of the Muon reference, computed in `kind`."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x: Tensor = (matrix / (matrix.norm() + 1e-7)).to(kind)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """For two-dimensional weights; Nesterov momentum, update scaled to the shape of the matrix."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, kind: torch.dtype = torch.float32
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})
        self.kind = kind

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter along its orthogonalised momentum."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].mul_(group["momentum"]).add_(parameter.grad)
                update = orthogonalise(parameter.grad.add(momentum, alpha=group["momentum"]), kind=self.kind)
                scale = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.add_(update, alpha=-group["lr"] * scale)
