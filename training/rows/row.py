"""The one row format of all methods: a token sequence as the policy saw it, with a weight for every token."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import CorruptRow, NotTrainable

Weights = Mapping[int, float] | float
"""A number for each turn (turns that are not named get 0), or one number for all."""

_ALIGNED = (
    "loss_mask", "turn", "ce_weight", "rl_weight", "advantage", "value", "behaviour_logprob", "raw_logprob", "constrained",
)  # fmt: skip
_SLACK = 1e-3
"""By how much a stored log-probability may exceed 0: it was rounded to 32 bits."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contiguous token sequence: prompts, replies and results, up to where the prefix breaks (a re-base)."""

    ids: list[int]
    loss_mask: list[bool]
    """True on tokens that the policy sampled, the end-of-turn token included; nothing else ever carries loss."""
    turn: list[int]
    """The turn that sampled the token; -1 outside replies."""
    ce_weight: list[float]
    """Weight of the token in the supervised loss."""
    rl_weight: list[float]
    """Weight of the token in the policy-gradient loss; 0 wherever `exact_sampling` is False."""
    advantage: list[float]
    value: list[float]
    """A baseline's estimate, for methods that use one; 0 otherwise."""
    behaviour_logprob: list[float]
    """Under the very distribution that was sampled: at its temperature and with names constrained. NaN where unknown."""
    raw_logprob: list[float]
    """Under the raw model at temperature 1, nothing masked. NaN where unknown."""
    constrained: list[float]
    """Share of probability that the name constraint left at the position; 1 where it removed nothing."""
    sampler: dict[str, Any] = field(default_factory=dict)
    """Settings that all turns of the row share, `temperature` above all."""
    rollout: str = ""
    """Id of the episode."""
    index: int = 0
    """Which row of its episode it is, from 0."""
    task: str = ""
    policy_version: str = ""
    base_hash: str = ""
    adapter_hash: str | None = None
    exact_sampling: bool = False
    """True where the log-probabilities give valid importance ratios: sampled, at one temperature, nothing truncated."""

    @property
    def name(self) -> str:
        """How errors and reports call it."""
        return f"{self.rollout}#{self.index}"

    @property
    def temperature(self) -> float:
        """The temperature it was sampled at; 1 for greedy replies, whose log-probabilities are logged at 1."""
        value = self.sampler.get("temperature")
        return float(value) if isinstance(value, int | float) and value > 0 else 1.0

    @property
    def turns(self) -> list[int]:
        """The numbers of the turns whose replies it holds, in order."""
        return sorted({number for number in self.turn if number >= 0})

    @property
    def reply_tokens(self) -> int:
        """How many of its tokens were sampled."""
        return sum(self.loss_mask)


def weigh(row: Row, *, ce: Weights | None = None, rl: Weights | None = None, advantage: Weights | None = None) -> Row:
    """The row with weights by turn on its sampled tokens; what is not given stays as it was."""
    if rl is not None and not row.exact_sampling and any(_of(rl, number) for number in row.turns):
        raise NotTrainable(
            "its tokens were not sampled exactly (greedy or truncated), so it has no importance ratios",
            where=row.name, mend="use it in a supervised recipe, or sample at a temperature above 0 without truncation",
        )  # fmt: skip
    changes: dict[str, list[float]] = {}
    for name, weights in (("ce_weight", ce), ("rl_weight", rl), ("advantage", advantage)):
        if weights is not None:
            changes[name] = [
                _of(weights, number) if sampled else 0.0 for sampled, number in zip(row.loss_mask, row.turn, strict=True)
            ]
    changed = replace(row, **changes)  # type: ignore[arg-type]
    check(changed)
    return changed


def _of(weights: Weights, turn: int) -> float:
    return float(weights) if isinstance(weights, int | float) else float(weights.get(turn, 0.0))


def check(row: Row, vocabulary: int | None = None) -> None:
    """Refuse a row that contradicts itself, by name."""
    problem = _problem(row, vocabulary)
    if problem:
        raise CorruptRow(
            f"row {row.name} is damaged: {problem}", where=row.name,
            mend="make the rows again from the episodes; remove the episode if it stays damaged",
        )  # fmt: skip


def _problem(row: Row, vocabulary: int | None) -> str:
    size = len(row.ids)
    if not size:
        return "it has no tokens"
    for name in _ALIGNED:
        if len(getattr(row, name)) != size:
            return f"{name} has {len(getattr(row, name))} entries for {size} tokens"
    top = max(row.ids)
    if min(row.ids) < 0 or (vocabulary is not None and top >= vocabulary):
        return f"token id {min(row.ids) if min(row.ids) < 0 else top} is outside the vocabulary"
    if row.loss_mask[0]:
        return "its first token carries loss, but nothing predicts it"
    return _problem_of_weights(row) or _problem_of_logprobs(row)


def _problem_of_weights(row: Row) -> str:
    for name in ("ce_weight", "rl_weight", "advantage", "value"):
        values: Sequence[float] = getattr(row, name)
        if not all(map(math.isfinite, values)):
            return f"{name} holds a value that is not finite"
        if name.endswith("weight") and min(values) < 0:
            return f"{name} is negative"
        if name != "value" and any(value and not sampled for value, sampled in zip(values, row.loss_mask, strict=True)):
            return f"{name} is set on a token that the policy did not sample"
    if any((number >= 0) != sampled for number, sampled in zip(row.turn, row.loss_mask, strict=True)):
        return "turn numbers and loss mask disagree"
    return ""


def _problem_of_logprobs(row: Row) -> str:
    for name in ("behaviour_logprob", "raw_logprob"):
        if any(value > _SLACK or value == -math.inf for value in getattr(row, name)):
            return f"{name} holds a value that is no log-probability"
    if any(not 0 < kept <= 1 + _SLACK for kept in row.constrained):
        return "constrained holds a share outside 0 to 1"
    if row.exact_sampling and any(
        sampled and math.isnan(value) for sampled, value in zip(row.loss_mask, row.behaviour_logprob, strict=True)
    ):
        return "a sampled token has no behaviour log-probability"
    return ""


FIELDS = tuple(part.name for part in fields(Row))
