"""How one training run is told what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from ...runtime.errors import UsageError
from ..selectors.choosing import SelectorKind
from ..selectors.counterfactual import CONTINUATIONS
from ..selectors.selected import SHARE
from ..suites import SHARES

Recipe = Literal["sft", "critical", "rubric", "full", "router"]
RewardKind = Literal["rubric", "generic", "outcome", "paper"]

_AT_LEAST_ONE = tuple(
    "group tasks_per_step max_turns epochs step_rows rank continuations least_episodes ppo_epochs "
    "demonstration_epochs".split()
)


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Everything that decides what a run computes; stored with it, so that `--resume` goes on with the same."""

    recipe: Recipe = "full"
    selector: SelectorKind = "counterfactual"
    reward: RewardKind = "rubric"
    episodes: str | None = None
    """Which logged episodes to learn from, as for `atlas train --episodes`."""
    model: str = "nano"
    steps: int | None = None
    """Optimiser steps of each phase; None takes what suits the recipe and the data."""
    seed: int = 0
    share: float = SHARE
    selector_model: str | None = None
    judge: str | None = None
    """The model that judges what no program can; None judges nothing."""
    judge_adapter: str | None = None
    continuations: int = CONTINUATIONS
    offline: bool = False
    """Reinforcement on the logged episodes alone, without new rollouts."""
    suite: str | None = None
    """Which suite's held-out tasks decide; None takes the one that the episodes come from, else `toolbox`."""
    eval_limit: int = 100
    """Held-out tasks before and after; 0 evaluates nothing, and promotes nothing."""
    eval_seed: int = 0
    group: int = 8
    tasks_per_step: int = 4
    fresh_tasks: int = 64
    """How many practice tasks besides those of the logged episodes, where these come from a suite."""
    references: int = 0
    """How many practice tasks of the suite are imitated as their references solve them, besides the chosen episodes; those
    that logged episodes failed come first. 0: none."""
    temperature: float = 1.0
    max_turns: int = 6
    practice_tools: tuple[str, ...] = ()
    """Tools that may be called live in practice, by name: `server.tool`, or `server` for all of one."""
    epochs: int = 3
    step_rows: int = 16
    learning_rate: float | None = None
    rank: int = 16
    alpha: float = 32.0
    kl_weight: float = 0.0
    patience: int = 12
    """Steps of reinforcement that must have been clearly worse, or epochs of supervision without progress, before a phase
    ends early; 0 never."""
    least_episodes: int = 8
    pool: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of the router recipe: the models of the pool as `atlas.toml` has them."""
    families: tuple[str, ...] = ()
    """Families of the suite that the router practises on; none named: all."""
    cost_weight: float = 0.02
    demonstrations: int = 48
    """Runs of the router as they should be, imitated before it is reinforced; 0: none."""
    demonstration_epochs: int = 40
    """How often they are gone through, whatever `steps` says: that counts the steps of PPO."""
    ppo_epochs: int = 2
    """How often the rollouts of a step are gone through."""
    gamma: float = 1.0
    lam: float = 0.95
    """Of generalised advantage estimation."""
    value_weight: float = 0.1
    without: tuple[str, ...] = ()
    """Parts of the router's reward that are left out, for ablations: `format`, `selection`."""
    spend_limit: float | None = None
    """USD that the models of the pool may cost in this run."""
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False
    threads: int | None = None
    """Processor threads of learning and of the served model; None takes what torch and llama.cpp take. With the same
    number, a run that was killed and goes on gives the very losses of one that was not."""

    def __post_init__(self) -> None:
        _choice("--recipe", self.recipe, get_args(Recipe))
        for part in self.without:
            _choice("--without", part, ("format", "selection"))
        _choice("--selector", self.selector, get_args(SelectorKind))
        _choice("--reward", self.reward, get_args(RewardKind))
        if self.suite is not None:
            _choice("--suite", self.suite, tuple(SHARES))
        for name in _AT_LEAST_ONE:
            _least(name, getattr(self, name), 1)
        for name in ("eval_limit", "fresh_tasks", "patience", "kl_weight", "demonstrations", "references"):
            _least(name, getattr(self, name), 0)
        for name in ("steps", "threads"):
            if getattr(self, name) is not None:
                _least(name, getattr(self, name), 1)
        _between("--share", self.share, self.share <= 1, "above 0, at most 1")
        _between("--temperature", self.temperature, True, "above 0: greedy rollouts have no importance ratio")
        _between("--alpha", self.alpha, True, "above 0")
        if self.learning_rate is not None:
            _between("--learning-rate", self.learning_rate, self.learning_rate < 1, "between 0 and 1")
        if self.recipe in ("rubric", "full") and not self.offline and self.group < 2:
            raise UsageError("a group of one has nothing to compare", where="--group", mend="give at least 2")

    @property
    def supervises(self) -> bool:
        """Whether the run begins with supervised steps on logged episodes."""
        return self.recipe not in ("rubric", "router")

    @property
    def reinforces(self) -> bool:
        """Whether the run ends with reinforcement."""
        return self.recipe in ("rubric", "full")

    @property
    def chooses(self) -> SelectorKind:
        """Which selector the supervised steps use: `sft` is all reply tokens, whatever selector is named."""
        return "all" if self.recipe == "sft" else self.selector

    def to_json(self) -> dict[str, Any]:
        """As stored in the run's folder."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainOptions:
        """Options read back; what another version stored besides is left out."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        return cls(**values | {name: tuple(values.get(name, ())) for name in ("practice_tools", "without", "families")})


def _choice(where: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{value!r} is not known", where=where, mend=f"give one of {', '.join(choices)}")


def _least(name: str, value: float, least: int) -> None:
    if not math.isfinite(value) or value < least:
        raise UsageError(f"{value!r} is too small", where=f"--{name.replace('_', '-')}", mend=f"give at least {least}")


def _between(where: str, value: float, below: bool, what: str) -> None:
    if not (math.isfinite(value) and value > 0 and below):
        raise UsageError(f"{value!r} is out of range", where=where, mend=f"give a number {what}")
