"""How one run is paced: budgets, turns, sampling, and which of the paper's variants it follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from .errors import UsageError
from .view import Loading

if TYPE_CHECKING:
    from .policies.base import Policy

Acting = Literal["program", "json", "route"]
"""What the policy writes: programs, single calls as JSON, or the steps of a router."""
NANO_BUDGET = 2_048
BUDGET = 8_192
MAX_TURNS = 12
OUTPUT_TOKENS = 300
_LEAST_BUDGET = 128
_REPLY_TOKENS = {"compact": 512, "full": 1_024}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run that decide what the policy reads."""

    budget: int | None = None
    """Upper bound of the prompt in tokens; None takes 2,048 for nano and 8,192 for other models."""
    max_turns: int = MAX_TURNS
    loading: Loading = "search"
    acting: Acting = "program"
    seed: int = 0
    temperature: float = 0.0
    constrain_names: bool = True
    overlap: bool = True
    """Calls of read-only tools that do not depend on each other are under way at once."""
    precheck: bool = True
    """A program that is certain to fail is refused before it does anything."""
    output_tokens: int = OUTPUT_TOKENS
    """What the output of one program may take in the prompt; the rest stays in the program's variables."""

    def __post_init__(self) -> None:
        _choice("loading", self.loading, get_args(Loading))
        _choice("acting", self.acting, get_args(Acting))
        _least("budget", self.budget, _LEAST_BUDGET)
        _least("max_turns", self.max_turns, 1)
        _least("output_tokens", self.output_tokens, 1)
        _least("seed", self.seed, 0)
        _least("temperature", self.temperature, 0)

    def budget_tokens(self, policy: Policy) -> int:
        """The bound that holds with this policy: its context must also hold a reply."""
        wanted = self.budget or (NANO_BUDGET if policy.profile == "compact" else BUDGET)
        return min(wanted, policy.context_length - min(reply_tokens(policy), policy.context_length // 4))

    def to_json(self) -> dict[str, Any]:
        """As stored with the episode."""
        return {name: getattr(self, name) for name in self.__slots__}


def reply_tokens(policy: Policy) -> int:
    """What one reply may take."""
    return _REPLY_TOKENS[policy.profile]


def _choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is {value!r}", where=name, mend=f"give one of {', '.join(choices)}")


def _least(name: str, value: float | None, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not least <= value < math.inf):  # nan is neither
        raise UsageError(f"{name} is {value!r}", where=name, mend=f"give a number of at least {least}")
