"""How the trainer learns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import SettingsError

Precision = Literal["float32", "bfloat16"]
Normalisation = Literal["tokens", "rollouts", "constant"]


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """Settings of a trainer; the defaults are those of the field for LoRA and short agent episodes."""

    seed: int = 0
    learning_rate: float = 1e-4
    steps: int = 100
    """Optimiser steps in all, for the schedule of the learning rate and for `Trainer.run`."""
    step_rows: int = 32
    """Rows of one optimiser step in `Trainer.run`."""
    max_row_tokens: int = 8192
    """Longer rows are refused: they would not fit the memory that was planned for."""
    share_prefixes: bool = True
    """Compute what rows have in common once; loss and gradients are the same without."""
    block_tokens: int = 1024
    """Tokens computed at once; a longer path is computed piece by piece. Less is less memory."""
    clip_low: float = 0.2
    """A token with negative advantage whose ratio fell below 1 - clip_low is not pushed further."""
    clip_high: float = 0.28
    """A token with positive advantage whose ratio rose above 1 + clip_high is not pushed further."""
    importance_cap: float = 2.0
    """Importance weights are truncated here."""
    minimum_kept_mass: float = 0.5
    """Where the name constraint left less probability than this, the token says little of the policy: no policy gradient."""
    normalisation: Normalisation = "tokens"
    """Policy gradient divided by the weight of all tokens of the step (DAPO), per rollout, or by a constant (Dr.GRPO)."""
    constant_tokens: int = 512
    """Tokens of a rollout, for `constant`."""
    kl_weight: float = 0.0
    """Weight of the KL divergence from the base model."""
    value_weight: float = 0.0
    """Weight of the value loss of PPO; 0: no value head, and advantages are what the rows say."""
    value_clip: float = 0.2
    """A value that moved this far from the one that the row was collected with is not pushed further."""
    value_rate: float = 10.0
    """Learning rate of the value head, as a multiple of the policy's."""
    whiten: bool = False
    """Advantages of a step are shifted and scaled to mean 0 and deviation 1 (returns stay as they are)."""
    staleness: int = 8
    """Rows that are more policy versions old than this get no policy gradient."""
    gradient_clip: float = 1.0
    """Largest norm of the gradient; 0 turns clipping off."""
    warmup_steps: int = 0
    decay: bool = False
    """True: the learning rate falls linearly to a tenth over `steps`."""
    weight_decay: float = 0.0
    precision: Precision = "float32"
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: a third more work, a fraction of the memory."""
    save_every: int = 10
    """Steps between checkpoints in `Trainer.run`."""

    def __post_init__(self) -> None:
        for name in ("steps", "step_rows", "max_row_tokens", "block_tokens", "constant_tokens", "save_every"):
            self._need(name, getattr(self, name) >= 1, "at least 1")
        for name in ("clip_high", "kl_weight", "staleness", "gradient_clip", "warmup_steps", "weight_decay",
                     "value_weight", "value_clip", "value_rate"):  # fmt: skip
            self._need(name, getattr(self, name) >= 0, "at least 0")
        self._need("learning_rate", 0 < self.learning_rate < 1, "between 0 and 1")
        self._need("clip_low", 0 <= self.clip_low <= 1, "between 0 and 1")
        self._need("importance_cap", self.importance_cap >= 1, "at least 1")
        self._need("minimum_kept_mass", 0 <= self.minimum_kept_mass <= 1, "between 0 and 1")
        self._need("precision", self.precision in ("float32", "bfloat16"), "float32 or bfloat16")
        self._need("normalisation", self.normalisation in ("tokens", "rollouts", "constant"), "tokens, rollouts or constant")

    def _need(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise SettingsError(f"{name} is {getattr(self, name)!r}, and must be {what}", where=name, mend=f"set {name}")

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rate = self.learning_rate * min(1.0, (step + 1) / (self.warmup_steps + 1))
        if self.decay:
            done = min(1.0, max(0, step - self.warmup_steps) / max(1, self.steps - self.warmup_steps))
            rate *= 1 - 0.9 * done
        return rate if math.isfinite(rate) else 0.0

    def to_json(self) -> dict[str, Any]:
        """For config.json and checkpoints."""
        return asdict(self)
