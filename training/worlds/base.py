"""What a world and a task are, and which pieces of language are held out.

A world is made from a seed: servers with state (and, for the toolbox family, a folder of files), tasks over them, and for
each task the programs that solve it. What a task demands is what its reference programs do when they are run: the
answer and the final state. So a task carries no separate truth that could disagree with its world.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

from ...tools_registry.tool import Tool

Split = Literal["practice", "heldout"]
"""`practice` is made from the pieces that training uses (other seeds), `heldout` from pieces that it never sees."""

HELD_OUT_SHARE = 0.2
NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
"""The time on the clock of every world, unless it says otherwise."""

T = TypeVar("T")


class WorldToolError(Exception):
    """A tool of a world failed as a real one would; becomes `ToolError` in a program."""

    def __init__(self, message: str, kind: str = "invalid") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


class State(Protocol):
    """The executable side of a world; one instance is one run."""

    def call(self, full_name: str, arguments: dict[str, Any]) -> Any:
        """Run a tool. Raises `WorldToolError`."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Everything that a tool can change, as plain comparable data."""
        ...

    def close(self) -> None:
        """Remove what the run left on disk."""
        ...


@dataclass(frozen=True, slots=True)
class Criterion:
    """One checkable demand of a task, for rubrics."""

    category: Literal["fulfilment", "tool", "grounding", "parameter"]
    text: str
    weight: int = 5
    check: Mapping[str, Any] | None = field(default=None, hash=False)
    """How a program can tell from the journal, in the form of `training.rubrics`; None where only the outcome tells."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a world, with the programs that solve it turn by turn."""

    family: str
    text: str
    programs: tuple[str, ...]
    """Reference replies. All but the last end without `answer`, or with an error that the next one repairs."""
    needed: tuple[str, ...]
    """Full names of the tools that the reference calls, without search_tools, load_tools and answer."""
    hidden: tuple[str, ...] = ()
    """Tools that must not be among the first stubs: the task is about finding them."""
    answer_matters: bool = True
    """False where the task is an action: only the final state is compared."""
    ordered: bool = False
    """True where the order of a list in the answer matters."""
    criteria: tuple[Criterion, ...] = ()

    @property
    def impossible(self) -> bool:
        """True when no tool can do it: the right answer says so and nothing is changed."""
        return self.family == "beyond"


@dataclass(frozen=True, slots=True)
class World:
    """A seeded toolspace with tasks. `open()` gives a fresh, untouched state."""

    seed: int
    split: Split
    tools: tuple[Tool, ...]
    tasks: tuple[Task, ...]
    open: Callable[[], State]
    files: dict[str, str] = field(default_factory=dict)
    """Workspace files (path to text) of toolbox worlds."""
    now: datetime = NOW


def pool(options: Sequence[T], split: Split) -> list[T]:
    """The options that `split` may use: a fixed fifth of every list is held out, whatever its order."""
    ranked = sorted(options, key=lambda option: hashlib.sha256(repr(option).encode()).digest())
    held = max(1, round(len(ranked) * HELD_OUT_SHARE))
    return ranked[:held] if split == "heldout" else ranked[held:]


def pick(rng: random.Random, options: Sequence[T], split: Split) -> T:
    """One random option among those of `split`."""
    return rng.choice(pool(options, split))


CANNOT = "Cannot: no tool does this."
"""The answer to a task that no tool can do."""
